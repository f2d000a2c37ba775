/* SPDX-License-Identifier: MIT */
/*
 * Observations: what a piece of code saw of the CPU, told in a way that two
 * runs can be compared by.
 */
#ifndef MINI_TESTS_OBSERVE_H
#define MINI_TESTS_OBSERVE_H

#include "mini/traps.h"
#include "mini/user.h"

/** How an attempt ended. */
struct outcome {
	bool trapped; /* otherwise the rest is 0 */
	u8 ring;      /* that the exception came from */
	struct trap_info info;
};

/** Run fn(arg) at ring 0 and say which exception it raised, if any. */
struct outcome observe_kernel(void (*fn)(void *), void *arg);

/**
 * user_run(), but a return to ring 3 that faults at ring 0 is an answer too, and a frame that names
 * ring 0 may run there until VECTOR_GATE. `after` gets the registers at the end if ring 3 ended it.
 */
struct outcome observe_user(const struct trap_frame *regs, enum user_way way,
			    struct trap_frame *after);

/** "ring 3 #PF error 0x14 cr2 0x..." for a line of output, in a static buffer. */
const char *outcome_text(const struct outcome *o);

/** Fold a value, or an outcome, into a sum (FNV-1a by words) that a line of output shows. */
#define OBSERVE_START 0xcbf29ce484222325ull
static inline u64 observe_fold(u64 sum, u64 value)
{
	return (sum ^ value) * 0x100000001b3ull;
}
u64 observe_fold_outcome(u64 sum, const struct outcome *o);

#endif
