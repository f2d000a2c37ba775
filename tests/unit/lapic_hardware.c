// SPDX-License-Identifier: MIT
/*
 * The real local APIC under a guest: a guest on the bare model and one through
 * lapic_hardware.c, whose CPU acknowledges at once, see the same interrupts in
 * the same order and the same registers; and the timer that both share.
 */
#include "lapic_world.h"

/* The bug that this file is there for: a request above what the guest serves is acknowledged, and
 * an EOI that goes straight through ends it instead. */
static void test_eoi_below_ticket(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	raise(&w, 0x31);
	assert_int_equal(take(&w), 0x31);
	set_line(&w, 0x61, true);
	both_write(&w, LAPIC_EOI, 0);
	assert_int_equal(w.real.eois, 0); /* waits */
	assert_false(lapic_hardware_can_leave(&w.h));
	compare(&w);
	assert_int_equal(take(&w), 0x61);
	raise(&w, 0x31);
	set_line(&w, 0x61, false);
	both_write(&w, LAPIC_EOI, 0);
	assert_int_equal(w.real.eois, 2);
	assert_int_equal(take(&w), 0x31);
	both_write(&w, LAPIC_EOI, 0);
	assert_int_equal(take(&w), LAPIC_NO_VECTOR);
	assert_int_equal(lapic_highest(w.real.apic.isr), LAPIC_NO_VECTOR);
	assert_true(lapic_hardware_can_leave(&w.h));
}

static void test_spurious(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	assert_int_equal(lapic_hardware_arrived(&w.h, SPURIOUS, 0), LAPIC_NOTHING);
	assert_int_equal(take(&w), LAPIC_NO_VECTOR);
	both_write(&w, LAPIC_EOI, 0); /* nothing in service: ends nothing */
	raise(&w, 0x50);
	both_write(&w, LAPIC_EOI, 0);
	assert_int_equal(take(&w), 0x50);
}

static void test_transitions(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	raise(&w, 0x50);
	assert_int_equal(take(&w), 0x50);
	assert_true(lapic_hardware_can_leave(&w.h));
	lapic_hardware_leave(&w.h);
	set_line(&w, 0x60, true); /* in passthrough, IF off */
	raise(&w, 0x30);
	enter(&w);
	compare(&w);
	assert_int_equal(take(&w), 0x60);
	set_line(&w, 0x60, false);
	both_write(&w, LAPIC_EOI, 0);
	both_write(&w, LAPIC_EOI, 0);
	assert_int_equal(take(&w), 0x30);
	both_write(&w, LAPIC_EOI, 0);
	assert_true(lapic_hardware_can_leave(&w.h));
}

/* Acknowledged, not taken, and the guest leaves: it finds in the hardware what a bare one would. */
static void test_sent_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	raise(&w, 0x31);
	assert_int_equal(take(&w), 0x31);
	raise(&w, 0x55);
	raise(&w, 0x66);
	raise(&w, 0x57);
	both_write(&w, LAPIC_EOI, 0); /* behind the others */
	assert_int_equal(w.real.eois, 0);
	leave(&w);
	assert_memory_equal(w.real.apic.isr, w.bare.apic.isr, sizeof(w.bare.apic.isr));
	assert_memory_equal(w.real.apic.irr, w.bare.apic.irr, sizeof(w.bare.apic.irr));
	assert_memory_equal(w.real.apic.tmr, w.bare.apic.tmr, sizeof(w.bare.apic.tmr));
}

/* What the guest serves keeps a request below it where it is, and a line has to be served. */
static void test_not_sent_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	raise(&w, 0x31);
	raise(&w, 0x55);
	assert_int_equal(take(&w), 0x55);
	lapic_hardware_send_back(&w.h);
	assert_int_equal(w.real.eois, 0);
	assert_false(lapic_hardware_can_leave(&w.h));
	both_write(&w, LAPIC_EOI, 0);
	set_line(&w, 0x44, true);
	lapic_hardware_send_back(&w.h); /* 0x31, behind it, stays, too */
	assert_int_equal(w.real.eois, 1);
	assert_int_equal(take(&w), 0x44);
	set_line(&w, 0x44, false);
	both_write(&w, LAPIC_EOI, 0);
	leave(&w);
	assert_memory_equal(w.real.apic.irr, w.bare.apic.irr, sizeof(w.bare.apic.irr));
}

/* A message to an APIC that is switched off would be lost; what it has requested stays. */
static void test_not_sent_back_when_off(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	raise(&w, 0x55);
	both_write(&w, LAPIC_SVR, SPURIOUS);
	lapic_hardware_send_back(&w.h);
	assert_int_equal(w.real.eois, 0);
	assert_false(lapic_hardware_can_leave(&w.h));
	both_write(&w, LAPIC_SVR, ON);
	leave(&w);
	assert_int_equal(lapic_request(&w.real.apic), 0x55);
}

static u8 some_vector(struct rng *r)
{
	return (u8)(0x20 + rng_below(r, 0xd0));
}

static bool is_level(u8 vector)
{
	return vector % 4 == 0;
}

/* Where the two may differ: a second edge of a vector that waits merges with it on the bare one
 * only, and of two vectors of one class that wait the one that came first is taken first. */
static bool class_waits(const struct world *w, u8 vector)
{
	return (w->bare.apic.irr[vector / 32] >> (vector % 32 & 0x10) & 0xffff) != 0;
}

static void raise_some(struct world *w, u8 vector)
{
	if (is_level(vector))
		set_line(w, vector, true);
	else
		raise(w, vector);
}

static void end_one(struct world *w, bool serve)
{
	int vector = lapic_highest(w->bare.apic.isr);

	if (vector >= 0 && is_level((u8)vector) && serve)
		set_line(w, (u8)vector, false);
	both_write(w, LAPIC_EOI, 0);
}

static void transition(struct world *w)
{
	lapic_hardware_send_back(&w->h);
	if (lapic_hardware_can_leave(&w->h)) {
		lapic_hardware_leave(&w->h);
		enter(w);
	} else {
		run(w);
	}
}

static void random_step(struct world *w, struct rng *r)
{
	u8 vector = some_vector(r);
	bool is_free = !class_waits(w, vector);

	switch (rng_below(r, 16)) {
	case 0 ... 4:
		if (is_free)
			raise_some(w, vector);
		break;
	case 5 ... 8:
		take(w);
		break;
	case 9 ... 11:
		end_one(w, rng_below(r, 8) != 0);
		break;
	case 12:
		both_write(w, LAPIC_TPR, rng_below(r, 3) != 0 ? 0 : vector);
		break;
	case 13:
		if (is_free && !is_level(vector))
			both_write(w, LAPIC_ICR, 0x40000 | vector);
		break;
	case 14:
		transition(w);
		break;
	default: /* one that is still to be ended would ask again on the bare one, and fall too late
		  */
		if (!lapic_has(w->h.ended, vector & 0xfc))
			set_line(w, vector & 0xfc, false);
		break;
	}
	compare(w);
}

static void test_random(void **state)
{
	struct rng rng = {11};
	struct world w;

	(void)state;
	for (u32 i = random_cases(300); i > 0; i--) {
		start(&w, false);
		for (int k = 0; k < 400; k++)
			random_step(&w, &rng);
		/* and it comes to rest */
		both_write(&w, LAPIC_TPR, 0);
		for (int k = 0; k < 1000; k++) {
			end_one(&w, true);
			take(&w);
		}
		assert_int_equal(lapic_highest(w.real.apic.isr), LAPIC_NO_VECTOR);
		assert_true(lapic_hardware_can_leave(&w.h));
	}
}

/* --- the timer --- */

static void own_timer(struct world *w, u64 at)
{
	assert_true(lapic_hardware_set_timer(&w->h, at, w->real.now));
	run(w);
}

/* Both guests get a tick at `at`, the one above Vellum's timer at most 2 later. */
static void expect_tick(struct world *w, u64 at)
{
	let_pass(w, at - 1);
	assert_int_equal(lapic_hardware_request(&w->h), LAPIC_NO_VECTOR);
	assert_int_equal(lapic_request(&w->bare.apic), LAPIC_NO_VECTOR);
	let_pass(w, at + 2);
	assert_int_equal(take(w), TIMER);
	both_write(w, LAPIC_EOI, 0);
	assert_int_equal(take(w), LAPIC_NO_VECTOR);
}

static void test_own_timer(void **state)
{
	struct world w;

	(void)state;
	for (int has_deadline = 0; has_deadline < 2; has_deadline++) {
		start(&w, has_deadline);
		own_timer(&w, 100);
		let_pass(&w, 99);
		assert_int_equal(w.own, 0);
		let_pass(&w, 102);
		assert_int_equal(w.own, 1);
		let_pass(&w, 500);
		assert_int_equal(w.own, 1);
		assert_int_equal(lapic_highest(w.real.apic.isr), LAPIC_NO_VECTOR);
		own_timer(&w, CLOCK_NEVER);
		assert_true(lapic_hardware_can_leave(&w.h));
		assert_int_equal(lapic_read(&w.real.apic, LAPIC_LVT_TIMER, 500), LAPIC_MASKED);
		assert_int_equal(lapic_read(&w.real.apic, LAPIC_DIVIDE, 500), 0xb);
	}
	w.h.timer.clock.rate = 0;
	assert_false(lapic_hardware_set_timer(&w.h, 1000, 500));
}

static void test_shared_one_shot(void **state)
{
	struct world w;

	(void)state;
	for (int has_deadline = 0; has_deadline < 2; has_deadline++) {
		start(&w, has_deadline);
		both_write(&w, LAPIC_DIVIDE, 0); /* 2 */
		both_write(&w, LAPIC_LVT_TIMER, TIMER);
		both_write(&w, LAPIC_INITIAL, 500);
		let_pass(&w, 100);
		own_timer(&w, 300); /* from here on shared */
		assert_int_equal(guest_read(&w, LAPIC_INITIAL), 500);
		assert_int_equal(guest_read(&w, LAPIC_CURRENT), 450);
		assert_int_equal(guest_read(&w, LAPIC_LVT_TIMER), TIMER);
		assert_int_equal(guest_read(&w, LAPIC_DIVIDE), 0);
		let_pass(&w, 400);
		assert_int_equal(w.own, 1);
		own_timer(&w, 2000);
		expect_tick(&w, 1000);
		both_write(&w, LAPIC_INITIAL, 200);
		let_pass(&w, 1100);
		own_timer(&w, CLOCK_NEVER); /* and back in the middle */
		expect_tick(&w, 1002 + 400);
		assert_int_equal(w.own, 1);
	}
}

static void test_shared_periodic(void **state)
{
	struct world w;
	u32 ticks = 0, want = 0;

	(void)state;
	start(&w, false);
	both_write(&w, LAPIC_LVT_TIMER, PERIODIC | TIMER);
	both_write(&w, LAPIC_INITIAL, 100);
	for (u64 now = 10; now < 20000; now += 10) {
		if (now % 70 == 0)
			own_timer(&w, now + 500);
		if (now % 130 == 0)
			own_timer(&w, CLOCK_NEVER);
		let_pass(&w, now);
		if (lapic_request(&w.bare.apic) >= 0) {
			lapic_acknowledge(&w.bare.apic);
			machine_write(&w.bare, LAPIC_EOI, 0);
			want++;
		}
		if (lapic_hardware_take(&w.h) >= 0) {
			lapic_hardware_eoi(&w.h);
			ticks++;
		}
	}
	assert_int_equal(want, 199);
	assert_in_range(ticks, want - 2, want + 1);
}

static void test_shared_deadline(void **state)
{
	struct world w;

	(void)state;
	start(&w, true);
	both_write(&w, LAPIC_LVT_TIMER, DEADLINE | TIMER);
	lapic_write_deadline(&w.bare.apic, 1000, 0);
	lapic_hardware_write_deadline(&w.h, 1000, 0);
	let_pass(&w, 100);
	own_timer(&w, 500);
	assert_int_equal(lapic_hardware_read_deadline(&w.h), 1000);
	let_pass(&w, 600);
	assert_int_equal(w.own, 1);
	expect_tick(&w, 1000);
	lapic_write_deadline(&w.bare.apic, 2000, w.bare.now);
	lapic_hardware_write_deadline(&w.h, 2000, w.real.now);
	own_timer(&w, 1500);
	let_pass(&w, 1200);
	own_timer(&w, CLOCK_NEVER);
	assert_int_equal(lapic_hardware_read_deadline(&w.h), 2000);
	expect_tick(&w, 2000);
	assert_int_equal(w.own, 1);
}

/* Captured while the guest's timer has just run out, and its tick waits: one tick, not two; nor
 * none when the request is still to come, as in QEMU. */
static void test_capture_of_expired(void **state)
{
	struct world w;

	(void)state;
	for (int requested = 0; requested < 2; requested++) {
		start(&w, false);
		both_write(&w, LAPIC_LVT_TIMER, TIMER);
		both_write(&w, LAPIC_INITIAL, 50);
		lapic_hardware_leave(&w.h);
		if (!requested)
			w.real.apic.timer.count = 0;
		let_pass(&w, 60);
		lapic_hardware_enter(&w.h, &w.access, clock_of(1, 1));
		assert_true(lapic_hardware_set_timer(&w.h, 200, 60));
		run(&w);
		assert_int_equal(take(&w), TIMER);
		both_write(&w, LAPIC_EOI, 0);
		let_pass(&w, 150);
		assert_int_equal(take(&w), LAPIC_NO_VECTOR);
	}
}

/* The timer was stopped when its interrupt was already requested: it ends with Vellum. */
static void test_stray(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	own_timer(&w, 100);
	w.real.now = w.bare.now = 150;
	lapic_advance(&w.real.apic, 150);
	assert_true(lapic_hardware_set_timer(&w.h, CLOCK_NEVER, 150));
	assert_false(lapic_hardware_can_leave(&w.h));
	run(&w);
	assert_int_equal(w.own, 0);
	assert_int_equal(take(&w), LAPIC_NO_VECTOR);
	assert_true(lapic_hardware_can_leave(&w.h));
}

/* The timer had run out when the guest set its own anew, and interrupts only then. */
static void test_late(void **state)
{
	struct world w;

	(void)state;
	for (int has_deadline = 0; has_deadline < 2; has_deadline++) {
		start(&w, has_deadline);
		both_write(&w, LAPIC_LVT_TIMER, TIMER);
		own_timer(&w, 100);
		w.real.now = w.bare.now = 150;
		lapic_advance(&w.real.apic, 150);
		lapic_hardware_write(&w.h, LAPIC_INITIAL, 1000, 150);
		run(&w);
		assert_int_equal(w.own, 1);
		assert_int_equal(lapic_hardware_request(&w.h), LAPIC_NO_VECTOR);
		assert_int_equal(guest_read(&w, LAPIC_CURRENT), 1000);
	}
}

/* The guest's own interrupt on Vellum's vector, and a TPR that holds back everything. */
static void test_own_vector_and_tpr(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	own_timer(&w, 1000);
	raise(&w, LAPIC_OWN_VECTOR);
	assert_int_equal(take(&w), LAPIC_OWN_VECTOR);
	both_write(&w, LAPIC_EOI, 0);
	both_write(&w, LAPIC_TPR, 0xff);
	assert_int_equal(guest_read(&w, LAPIC_TPR), 0xff);
	let_pass(&w, 1010);
	assert_int_equal(w.own, 1);
	own_timer(&w, CLOCK_NEVER);
	assert_int_equal(lapic_read(&w.real.apic, LAPIC_TPR, 1010), 0xff);
}

/* Vellum's timer goes on when the guest switches its APIC off, and the guest's is as it was. */
static void test_guest_disabled(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	own_timer(&w, 100);
	both_write(&w, LAPIC_SVR, SPURIOUS);
	both_write(&w, LAPIC_LINT0, LAPIC_EXTINT << 8);
	compare(&w);
	let_pass(&w, 110);
	assert_int_equal(w.own, 1);
	own_timer(&w, CLOCK_NEVER);
	assert_int_equal(lapic_read(&w.real.apic, LAPIC_SVR, 110), SPURIOUS);
	assert_int_equal(lapic_read(&w.real.apic, LAPIC_LINT0, 110),
			 lapic_read(&w.bare.apic, LAPIC_LINT0, 110));
}

/* It is stopped when its interrupt is requested, and the guest's APIC takes none. */
static void test_stray_while_held_back(void **state)
{
	static const struct {
		u32 offset, value;
	} how[] = {{LAPIC_SVR, SPURIOUS}, {LAPIC_TPR, 0xff}};
	struct world w;

	(void)state;
	for (u32 i = 0; i < 2 * ARRAY_SIZE(how); i++) {
		u32 offset = how[i / 2].offset, value = how[i / 2].value;

		start(&w, false);
		if (i % 2 == 0)
			both_write(&w, offset, value);
		own_timer(&w, 100);
		w.real.now = w.bare.now = 150;
		lapic_advance(&w.real.apic, 150);
		lapic_hardware_set_timer(&w.h, CLOCK_NEVER, 150);
		assert_false(lapic_hardware_can_leave(&w.h));
		if (i % 2 != 0) {
			lapic_hardware_write(&w.h, offset, value, 150);
			machine_write(&w.bare, offset, value);
		}
		assert_int_equal(guest_read(&w, offset), value);
		run(&w);
		assert_true(lapic_hardware_can_leave(&w.h));
		assert_int_equal(lapic_read(&w.real.apic, offset, 150), value);
		assert_int_equal(take(&w), LAPIC_NO_VECTOR);
		compare(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eoi_below_ticket),
		cmocka_unit_test(test_spurious),
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_sent_back),
		cmocka_unit_test(test_not_sent_back),
		cmocka_unit_test(test_not_sent_back_when_off),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_own_timer),
		cmocka_unit_test(test_shared_one_shot),
		cmocka_unit_test(test_shared_periodic),
		cmocka_unit_test(test_shared_deadline),
		cmocka_unit_test(test_capture_of_expired),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_stray_while_held_back),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_own_vector_and_tpr),
		cmocka_unit_test(test_guest_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
