// SPDX-License-Identifier: MIT
/*
 * Observing what may or may not fault, with the kernel put right afterwards: a
 * return to ring 3 that faults has swapped GS already, and its frame lies where
 * the CPU pushes the exception's, so it is kept away from everything else.
 */
#include "mini/tests/observe.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mini/cpu.h"

#define ROOM 4096 /* below the frame of a return: exceptions at ring 0 push there */

static struct {
	u8 room[ROOM];
	struct trap_frame frame;
} island __attribute__((aligned(16)));

struct attempt {
	enum user_way way;
	struct trap_info info;
};

struct outcome observe_kernel(void (*fn)(void *), void *arg)
{
	struct outcome o = {0};

	o.trapped = trap_catch(fn, arg, &o.info);
	if (o.trapped && o.info.vector > NR_VECTORS)
		trap_throw(o.info.vector); /* a check within fn failed */
	return o;
}

static void run(void *arg)
{
	struct attempt *a = arg;

	a->info = user_run(&island.frame, a->way);
}

/* The gate, reached at ring 0. */
static void gate_at_ring0(const struct trap_frame *frame)
{
	if ((frame->cs & 3) == 0)
		trap_throw(VECTOR_GATE);
	user_leave(frame, &(struct trap_info){.vector = frame->vector, .rip = frame->rip});
}

struct outcome observe_user(const struct trap_frame *regs, enum user_way way,
			    struct trap_frame *after)
{
	struct attempt a = {.way = way};
	struct outcome o = {.trapped = true, .ring = 0};

	island.frame = *regs;
	trap_set_handler(VECTOR_GATE, gate_at_ring0);
	if (trap_catch(run, &a, &o.info)) {
		/* Back at ring 0, where GS is the user's if the way out had swapped it. */
		if (way == USER_SYSRET || (regs->cs & 3) != 0)
			asm volatile("swapgs" ::: "memory");
		o.info.rip = 0;
	} else {
		o.ring = 3;
		o.info = a.info;
		if (after != NULL)
			*after = island.frame;
	}
	trap_set_handler(VECTOR_GATE, NULL);
	return o;
}

const char *outcome_text(const struct outcome *o)
{
	static char text[96];

	if (!o->trapped)
		return "done";
	vl_snprintf(text, sizeof(text), "ring %u %s error %#lx cr2 %#lx", o->ring,
		    trap_name(o->info.vector), o->info.error, o->info.cr2);
	return text;
}

u64 observe_fold_outcome(u64 sum, const struct outcome *o)
{
	const u64 words[] = {o->trapped,    o->ring,     o->info.vector,
			     o->info.error, o->info.cr2, o->info.rip};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		sum = observe_fold(sum, words[i]);
	return sum;
}
