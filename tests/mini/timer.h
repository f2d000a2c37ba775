/* SPDX-License-Identifier: MIT */
/*
 * Time: ticks from the PIT, the local APIC's timer, and the TSC in between.
 */
#ifndef MINI_TIMER_H
#define MINI_TIMER_H

#include "lib/types.h"

/** Timer interrupts since the last timer_start(), of either timer. */
u64 timer_ticks(void);

/** RIP at which the last tick interrupted. */
u64 timer_last_rip(void);

/* Starting and stopping is done with interrupts off. */

/** Tick by the PIT `hz` times a second, 19 .. 100000. Ticks start from 0; the caller lets them in
 * by interrupts_on(). */
void timer_start(u32 hz);

/** One tick only, after `us` microseconds, 1 .. 50000. */
void timer_start_once(u32 us);

/** Stop the ticks of the PIT; timer_ticks() stays as it is. */
void timer_stop(void);

/** The same by the local APIC's timer; false if there is no local APIC. */
bool apic_timer_start(u32 hz);
void apic_timer_stop(void);

/** TSC counts in one millisecond, measured against the PIT at the first call (takes 50 ms). */
u64 tsc_per_ms(void);

/** The same as Vellum measured it: for guests whose every access to the PIT traps, or that share
 * the CPU, so that what they measure is too much. */
u64 tsc_per_ms_told(void);

/** Wait by looking at the TSC, whatever the interrupt flag. */
void delay_ms(u32 ms);

#endif
