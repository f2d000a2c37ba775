/* SPDX-License-Identifier: MIT */
/*
 * Virtualizing and devirtualizing this kernel while its connections go on: rounds=HEX of the
 * command line says how often, stay=HEX for how many milliseconds in each state, `io` with the
 * layer of I/O, `dual` with the card at Vellum's for a while of each.
 */
#ifndef MINI_LWIP_ROUNDS_H
#define MINI_LWIP_ROUNDS_H

#include "lib/types.h"

void rounds_start(void);

/** Go on to the other state if it is time; true: it was. A round begins only while a stream is
 * under way. */
bool rounds_step(void);

u32 rounds_done(void);

/** The longest time that one way took, TSC. */
u64 rounds_longest(void);

/** A time by the TSC in microseconds. */
u64 rounds_us(u64 ticks);

#endif
