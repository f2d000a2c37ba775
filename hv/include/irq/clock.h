/* SPDX-License-Identifier: MIT */
/*
 * A device's input clock in terms of the TSC. Models count in ticks of their
 * own clock, as their data sheets do; what is outside of them knows the TSC
 * alone. Both count from 0 together, so a model needs no epoch.
 */
#ifndef VELLUM_IRQ_CLOCK_H
#define VELLUM_IRQ_CLOCK_H

#include "lib/types.h"

/** No deadline. */
#define CLOCK_NEVER (~(u64)0)

struct clock {
	u64 rate; /* ticks in 2^32 TSC ticks, below 2^48; 0: it stands still */
};

/** The clock that makes `ticks` ticks (1 .. 2^32 - 1) while the TSC makes `tsc` (not 0). */
struct clock clock_of(u64 ticks, u64 tsc);

/** Ticks up to this TSC. */
u64 clock_ticks(const struct clock *c, u64 tsc);

/** The first TSC with so many ticks; CLOCK_NEVER if there is none. */
u64 clock_tsc(const struct clock *c, u64 ticks);

#endif
