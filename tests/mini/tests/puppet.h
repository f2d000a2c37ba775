/* SPDX-License-Identifier: MIT */
/*
 * A puppet: the smallest domain that runs. It does one thing at a time, as told
 * by a page that this guest shares with it: a hypercall, a load or a store at a
 * physical address of its own. Its RAM is one range of PUPPET_PAGES pages; it
 * finds whatever physical address this guest wants it to look at through one
 * page of its own tables. A fault of its is its end: it has no IDT.
 */
#ifndef MINI_TESTS_PUPPET_H
#define MINI_TESTS_PUPPET_H

/* What the shared page says; offsets and values. */
#define PUPPET_WHAT   0
#define PUPPET_ANSWER 8
#define PUPPET_ARG    16
#define PUPPET_CALL   1
#define PUPPET_READ   2
#define PUPPET_WRITE  3

/* VL_CALL_GRANT_MAP and VL_CALL_YIELD, for assembly. */
#define PUPPET_CALL_GRANT_MAP 27
#define PUPPET_CALL_YIELD     46

#define PUPPET_PAGES 32u

#ifndef __ASSEMBLER__

#include "lib/types.h"

struct puppet {
	u64 domid;
	u64 pfn;       /* of its first page */
	u32 own_frame; /* of guests_frame[]: its page i is own_frame + i */
	u32 shared;    /* of guests_frame[] */
};

/** Make one, of PUPPET_PAGES + 1 frames of guests_frame[] from `frames` on, and let it run. */
void puppet_start(struct puppet *p, const char *name, u32 frames);

/** Let it make a hypercall, read or write a word at one of its physical addresses. False: it has
 * ended instead, for the reason that domain_info tells. */
bool puppet_call(const struct puppet *p, s64 *answer, u64 nr, u64 a, u64 b, u64 c, u64 d);
bool puppet_read(const struct puppet *p, u64 pa, u64 *word);
bool puppet_write(const struct puppet *p, u64 pa, u64 word);

/** The same at an address that its own tables say something about, since something else wrote to
 * them. */
bool puppet_read_virtual(const struct puppet *p, u64 va, u64 *word);

/** The physical address of its page, and of the tables by their level. */
u64 puppet_pa(const struct puppet *p, u32 page_number);
#define PUPPET_LEVEL2 3u

/** Pages of its RAM that it has no use for itself, by page frame: first and number. */
#define PUPPET_FREE       8u
#define PUPPET_FREE_PAGES (PUPPET_PAGES - PUPPET_FREE)

#endif

#endif
