/* SPDX-License-Identifier: MIT */
/*
 * Random numbers that are the same in each run, so that a failure repeats.
 */
#ifndef MINI_TESTS_RANDOM_H
#define MINI_TESTS_RANDOM_H

#include "lib/types.h"

/** Next number of the xorshift64* sequence that *state (not 0) is in. */
static inline u64 random_next(u64 *state)
{
	u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/** A number below `n`. */
static inline u64 random_below(u64 *state, u64 n)
{
	return (random_next(state) >> 16) % n;
}

#endif
