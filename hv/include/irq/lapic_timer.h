/* SPDX-License-Identifier: MIT */
/*
 * The local APIC's timer (SDM volume 3, section 11.5.4): a counter behind a
 * divider, or a comparison with the TSC. Pure: `now` is the TSC, and never
 * goes back from call to call.
 */
#ifndef VELLUM_IRQ_LAPIC_TIMER_H
#define VELLUM_IRQ_LAPIC_TIMER_H

#include "irq/clock.h"

/** Bits 18:17 of the timer's LVT entry. */
enum lapic_timer_mode {
	LAPIC_TIMER_ONE_SHOT,
	LAPIC_TIMER_PERIODIC,
	LAPIC_TIMER_DEADLINE,
};

struct lapic_timer {
	struct clock clock; /* the bus clock, before the divider */
	u8 mode;            /* enum lapic_timer_mode */
	u8 divide;          /* divide configuration register */
	u32 initial;        /* initial count register */
	u32 count;          /* the counter at `since`; 0: it stands */
	u64 since;          /* ticks of the clock */
	u64 deadline;       /* TSC; 0: none */
};

/**
 * Whether the timer has run out since the last call. A periodic one starts again then, however
 * often it ran out. To be called before each change, so that none is lost.
 */
bool lapic_timer_expired(struct lapic_timer *t, u64 now);

/** The next TSC for which that is true; CLOCK_NEVER if there is none. */
u64 lapic_timer_next(const struct lapic_timer *t);

/** The current count register. */
u32 lapic_timer_count(const struct lapic_timer *t, u64 now);

/** Writes to the registers. Between the deadline mode and the others the timer is disarmed. */
void lapic_timer_set_mode(struct lapic_timer *t, u8 mode, u64 now);
void lapic_timer_set_divide(struct lapic_timer *t, u8 divide, u64 now);
void lapic_timer_set_initial(struct lapic_timer *t, u32 initial, u64 now);
void lapic_timer_set_deadline(struct lapic_timer *t, u64 deadline);

/** Go on from a current count, as captured from hardware. */
void lapic_timer_set_count(struct lapic_timer *t, u32 count, u64 now);

#endif
