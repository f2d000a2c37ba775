/* SPDX-License-Identifier: MIT */
/*
 * Making other guests, as the first guest: what a tool does in a real system,
 * in its smallest form. The kernel of the new guest is the ELF file that this
 * one was given as its initrd: the mini guest again, which its command line
 * gives a role (mini/role.h).
 */
#ifndef MINI_OTHER_H
#define MINI_OTHER_H

#include "lib/types.h"
#include "public/hypercall.h"

#define OTHER_PAGES 3072u        /* of RAM, from 16 MiB on, unless other_size() says more */
#define OTHER_TEXT  16384u       /* of its console that is kept */
#define OTHER_FIRST (0x1000000u) /* pa of its RAM */

struct other {
	u64 domid;
	u64 pages;
	pa_t *frame;           /* that its pages are while it is there */
	pa_t few[OTHER_PAGES]; /* the list of those, if it is not longer */
	u64 read;              /* of its console, bytes since its start */
	char text[OTHER_TEXT]; /* of those, the last; zero-terminated */
	u32 length;
};

/** How many there can be, other(0) and so on. */
#define NR_OTHERS 3u
struct other *other(u32 n);

/** Whether there is a kernel for them. */
bool other_have_kernel(void);

/**
 * Make it: a domain of this name that has memory with its kernel and what public/start.h promises
 * in it, and is paused at its first instruction. Fails the running test if anything fails. This
 * kernel is virtualized then.
 */
void other_make(struct other *g, const char *name, const char *cmdline);

/** From here on, guests have so many vcpus, and their command lines say so (cpus=). */
void other_vcpus(u32 count);

/** From here on, frames for guests come from all over memory, in no order; 0: lowest first. Or, as
 * far as there are such, from those that are at home with other pages of it: in no order, or each
 * two pages have each other's. */
enum other_scatter { OTHER_ANYWHERE, OTHER_NEAR, OTHER_PAIRS };
void other_scatter(u64 seed, enum other_scatter how);

/** From here on guests have so many pages; of one that has more than usual, lists are left behind.
 */
void other_size(u64 pages);

/** And let it run. */
void other_start(struct other *g, const char *name, const char *cmdline);

/** Destroy it, and check that its memory is ours again, cleared. */
void other_destroy(struct other *g);

/** Its VL_STATE_*. */
u32 other_state(const struct other *g);

/** Halt for a millisecond, so that others have it. */
void other_pass_time(void);

/** Halt for so long, with OTHER_HZ ticks a second: how many came. */
#define OTHER_HZ 200u
u64 other_let_run(u32 ms);

/** Spend `units` of ten million turns of a loop, here or in another guest. */
void other_burn(u32 units);

/** Read what its console has. */
void other_listen(struct other *g);

/** Type at its console: whether it took all. */
bool other_type(struct other *g, const char *text);

/** Let it run until it is in that state, or has printed `text` (NULL: any); fails the running test
 * after so many milliseconds. */
void other_await(struct other *g, u32 state, u32 ms);
void other_await_text(struct other *g, const char *text, u32 ms);

/** Vellum's own last words, which may say why one ended. */
void other_print_log(void);

/** Print what it has printed, as comments. */
void other_print(const struct other *g);

/** Print those of its lines that are complete, and forget them. */
void other_print_lines(struct other *g);

/** Whether it has printed that, as far as it was listened to. */
bool other_said(const struct other *g, const char *text);

#endif
