/* SPDX-License-Identifier: MIT */
/*
 * A machine with a local APIC for the tests of lapic_hardware.c: registers
 * that behave as the hardware's, and what came of them.
 */
#ifndef TESTS_UNIT_LAPIC_WORLD_H
#define TESTS_UNIT_LAPIC_WORLD_H

#include "tests/unit/check.h"

#include "irq/lapic_hardware.h"

#define SPURIOUS 0xff
#define TIMER    0x40
#define ON       (LAPIC_ENABLED | SPURIOUS)
#define PERIODIC 0x20000
#define DEADLINE 0x40000

/* A local APIC and an IOAPIC with a level-triggered line on each vector. */
struct machine {
	struct lapic apic;
	u32 high[LAPIC_WORDS], remote[LAPIC_WORDS];
	u64 now;
	u32 eois;
};

struct world {
	struct machine real, bare;
	struct lapic_access access;
	struct lapic_hardware h;
	u32 own; /* times that Vellum's timer was due */
};

static inline void offer(struct machine *m, u8 line)
{
	if (!lapic_has(m->high, line) || lapic_has(m->remote, line))
		return;
	lapic_set(m->remote, line);
	lapic_deliver(&m->apic, LAPIC_FIXED, line, true);
}

static inline void machine_write(struct machine *m, u32 offset, u32 value)
{
	struct lapic_effect e;

	lapic_write(&m->apic, offset, value, m->now, &e);
	m->eois += offset == LAPIC_EOI;
	if (e.eoi < 0)
		return;
	lapic_clear(m->remote, (u8)e.eoi);
	offer(m, (u8)e.eoi);
}

static inline u32 real_read(void *context, u32 offset)
{
	struct machine *m = context;

	return lapic_read(&m->apic, offset, m->now);
}

static inline void real_write(void *context, u32 offset, u32 value)
{
	machine_write(context, offset, value);
}

static inline u64 real_read_deadline(void *context)
{
	struct machine *m = context;

	return lapic_read_deadline(&m->apic, m->now);
}

static inline void real_write_deadline(void *context, u64 deadline)
{
	struct machine *m = context;

	lapic_write_deadline(&m->apic, deadline, m->now);
}

/* The CPU under a virtualized guest has its IF always set. */
static inline void run(struct world *w)
{
	while (w->h.access != NULL && lapic_request(&w->real.apic) >= 0)
		w->own += lapic_hardware_arrived(&w->h, lapic_acknowledge(&w->real.apic),
						 w->real.now) == LAPIC_OWN_TIMER;
}

static inline void let_pass(struct world *w, u64 until)
{
	while (w->real.now < until) {
		w->real.now = ++w->bare.now;
		lapic_advance(&w->real.apic, w->real.now);
		lapic_advance(&w->bare.apic, w->bare.now);
		run(w);
	}
}

static inline void enter(struct world *w)
{
	lapic_hardware_enter(&w->h, &w->access, clock_of(1, 1));
	run(w);
}

/* The guest leaves with its flag off. */
static inline void leave(struct world *w)
{
	lapic_hardware_send_back(&w->h);
	assert_true(lapic_hardware_can_leave(&w->h));
	lapic_hardware_leave(&w->h);
}

static inline void start(struct world *w, bool has_deadline)
{
	const struct lapic_kind kind = {.version = 0x01050015, .has_deadline = has_deadline};

	memset(w, 0, sizeof(*w));
	lapic_reset(&w->bare.apic, &kind, 0, clock_of(1, 1));
	machine_write(&w->bare, LAPIC_SVR, ON);
	machine_write(&w->bare, LAPIC_DIVIDE, 0xb);
	w->real = w->bare;
	w->access =
		(struct lapic_access){.read = real_read, .write = real_write, .context = &w->real};
	if (has_deadline) {
		w->access.read_deadline = real_read_deadline;
		w->access.write_deadline = real_write_deadline;
	}
	enter(w);
}

static inline void both_write(struct world *w, u32 offset, u32 value)
{
	machine_write(&w->bare, offset, value);
	lapic_hardware_write(&w->h, offset, value, w->real.now);
	run(w);
}

static inline void raise(struct world *w, u8 vector)
{
	lapic_deliver(&w->bare.apic, LAPIC_FIXED, vector, false);
	lapic_deliver(&w->real.apic, LAPIC_FIXED, vector, false);
	run(w);
}

static inline void set_line(struct world *w, u8 line, bool high)
{
	struct machine *m[] = {&w->bare, &w->real};

	for (int i = 0; i < 2; i++) {
		lapic_clear(m[i]->high, line);
		if (high)
			lapic_set(m[i]->high, line);
		offer(m[i], line);
	}
	run(w);
}

static inline int take(struct world *w)
{
	int want = lapic_request(&w->bare.apic);

	assert_int_equal(lapic_hardware_request(&w->h), want);
	if (want >= 0)
		lapic_acknowledge(&w->bare.apic);
	assert_int_equal(lapic_hardware_take(&w->h), want);
	run(w);
	return want;
}

static inline u32 guest_read(struct world *w, u32 offset)
{
	return lapic_hardware_read(&w->h, offset, w->real.now);
}

static inline void compare(struct world *w)
{
	static const u32 single[] = {LAPIC_TPR, LAPIC_PPR, LAPIC_ID,
				     LAPIC_SVR, LAPIC_ESR, LAPIC_LINT0};

	for (u32 i = 0; i < ARRAY_SIZE(single); i++)
		assert_int_equal(guest_read(w, single[i]),
				 lapic_read(&w->bare.apic, single[i], w->bare.now));
	for (u32 i = 0; i < LAPIC_WORDS; i++) {
		/* a line that is still to be ended in the hardware asks again a little later */
		u32 late = w->h.ended[i] & w->real.high[i];

		assert_int_equal(guest_read(w, LAPIC_ISR + 16 * i), w->bare.apic.isr[i]);
		assert_int_equal(guest_read(w, LAPIC_IRR + 16 * i) | late,
				 w->bare.apic.irr[i] | late);
	}
}

#endif
