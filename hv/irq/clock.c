// SPDX-License-Identifier: MIT
/*
 * Conversion between the TSC and a device's clock, exact in both directions:
 * clock_tsc() is the smallest inverse of clock_ticks(), so a timer that is
 * armed for the one has expired by the other, and is never armed twice.
 */
#include "irq/clock.h"

#define FRACTION_BITS 32
#define RATE_BITS     48

__extension__ typedef unsigned __int128 u128;

struct clock clock_of(u64 ticks, u64 tsc)
{
	u64 rate = (ticks << FRACTION_BITS) / tsc;

	return (struct clock){min_u64(rate, ((u64)1 << RATE_BITS) - 1)};
}

u64 clock_ticks(const struct clock *c, u64 tsc)
{
	return (u64)((u128)tsc * c->rate >> FRACTION_BITS);
}

/* ticks * 2^32 / rate, rounded up, without a 128-bit division, which is not to be had here: 16 bits
 * at a time, for which a rate of 48 bits leaves room. */
u64 clock_tsc(const struct clock *c, u64 ticks)
{
	u64 tsc, rest;

	if (c->rate == 0 || ticks / c->rate >> FRACTION_BITS != 0)
		return CLOCK_NEVER;
	tsc = ticks / c->rate;
	rest = ticks % c->rate;
	for (int i = 0; i < FRACTION_BITS / 16; i++) {
		tsc = tsc << 16 | (rest << 16) / c->rate;
		rest = (rest << 16) % c->rate;
	}
	if (rest != 0 && tsc != CLOCK_NEVER)
		tsc++;
	return tsc;
}
