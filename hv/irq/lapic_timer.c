// SPDX-License-Identifier: MIT
/*
 * The local APIC's timer: its state is a count and the moment when it had that
 * count, so nothing runs between two looks at it.
 */
#include "irq/lapic_timer.h"

#define DIVIDE_BITS 0x0bu

/* Bits 3, 1, 0 are a number: 0 divides by 2, 1 by 4, ... and 7 by 1. */
static u32 shift_of(const struct lapic_timer *t)
{
	u32 code = (t->divide & 3u) | (t->divide & 8u) >> 1;

	return (code + 1) & 7;
}

/* Counts down since `since`. */
static u64 elapsed(const struct lapic_timer *t, u64 now)
{
	u64 ticks = clock_ticks(&t->clock, now);

	return ticks > t->since ? (ticks - t->since) >> shift_of(t) : 0;
}

u32 lapic_timer_count(const struct lapic_timer *t, u64 now)
{
	u64 counts = elapsed(t, now);

	if (counts < t->count)
		return (u32)(t->count - counts);
	if (t->count == 0 || t->initial == 0 || t->mode != LAPIC_TIMER_PERIODIC)
		return 0;
	return (u32)(t->initial - (counts - t->count) % t->initial);
}

void lapic_timer_set_count(struct lapic_timer *t, u32 count, u64 now)
{
	t->count = count;
	t->since = clock_ticks(&t->clock, now);
}

static bool deadline_expired(struct lapic_timer *t, u64 now)
{
	if (t->deadline == 0 || now < t->deadline)
		return false;
	t->deadline = 0;
	return true;
}

bool lapic_timer_expired(struct lapic_timer *t, u64 now)
{
	u64 counts, more;

	if (t->mode == LAPIC_TIMER_DEADLINE)
		return deadline_expired(t, now);
	counts = elapsed(t, now);
	if (t->count == 0 || counts < t->count)
		return false;
	if (t->mode != LAPIC_TIMER_PERIODIC || t->initial == 0) {
		t->count = 0;
		return true;
	}
	more = (counts - t->count) / t->initial;
	t->since += (t->count + more * t->initial) << shift_of(t);
	t->count = t->initial;
	return true;
}

u64 lapic_timer_next(const struct lapic_timer *t)
{
	if (t->mode == LAPIC_TIMER_DEADLINE)
		return t->deadline != 0 ? t->deadline : CLOCK_NEVER;
	if (t->count == 0)
		return CLOCK_NEVER;
	return clock_tsc(&t->clock, t->since + ((u64)t->count << shift_of(t)));
}

void lapic_timer_set_mode(struct lapic_timer *t, u8 mode, u64 now)
{
	bool was_deadline = t->mode == LAPIC_TIMER_DEADLINE;

	if (t->mode == mode)
		return;
	lapic_timer_set_count(t, lapic_timer_count(t, now), now);
	t->mode = mode;
	if (was_deadline || mode == LAPIC_TIMER_DEADLINE) {
		t->count = 0;
		t->deadline = 0;
	}
}

void lapic_timer_set_divide(struct lapic_timer *t, u8 divide, u64 now)
{
	lapic_timer_set_count(t, lapic_timer_count(t, now), now);
	t->divide = divide & DIVIDE_BITS;
}

void lapic_timer_set_initial(struct lapic_timer *t, u32 initial, u64 now)
{
	if (t->mode == LAPIC_TIMER_DEADLINE)
		return;
	t->initial = initial;
	lapic_timer_set_count(t, initial, now);
}

void lapic_timer_set_deadline(struct lapic_timer *t, u64 deadline)
{
	if (t->mode == LAPIC_TIMER_DEADLINE)
		t->deadline = deadline;
}
