/* SPDX-License-Identifier: MIT */
/*
 * Several CPUs make one transition: they meet in Vellum, each does its part, and
 * either all have changed mode or none. All of this with interrupts off, so
 * that nobody who has come goes away; the only one to wait for in vain is a CPU
 * that does not come at all.
 */
#ifndef VELLUM_TRANSITION_TOGETHER_H
#define VELLUM_TRANSITION_TOGETHER_H

#include "lib/types.h"

/**
 * Begin: `cpus` (0 is 1) with the same `what` and `layers` have to come. Waits for them, and before
 * that for those that are still busy with an earlier transition. 0: all are here, and each goes on
 * to together_end(). -VL_ETIMEDOUT: not all came. -VL_EINVAL: one came with something else. All who
 * came get the same answer; after an error, nobody is in it any more.
 */
s64 together_begin(u64 what, u64 layers, u64 cpus);

/** Between the two: whether this CPU does what is done once. */
bool together_is_first(void);

/** How many are here. */
u64 together_count(void);

/** Wait for the others. */
void together_wait(void);

/** The same, each with its error or 0; all get one of the errors, -VL_EAGAIN only if all others are
 * that, too. */
s64 together_agree(s64 err);

/** Wait for the others, and go. */
void together_end(void);

#endif
