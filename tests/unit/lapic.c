// SPDX-License-Identifier: MIT
/*
 * The local APIC's model: each rule of the SDM's chapter by itself, its timer
 * in all modes, and the clock that it counts by against plain long division.
 */
#include "tests/unit/check.h"

#include "irq/lapic.h"

#define KIND_VERSION 0x01060015 /* seven entries, EOI messages can be suppressed */
#define TIMER_VECTOR 0x40

static const struct lapic_kind kind = {.version = KIND_VERSION, .has_deadline = true};

static struct lapic fresh(void)
{
	struct lapic l;

	lapic_reset(&l, &kind, 3, clock_of(1, 1));
	return l;
}

static struct lapic_effect put(struct lapic *l, u32 offset, u32 value, u64 now)
{
	struct lapic_effect e;

	lapic_write(l, offset, value, now, &e);
	return e;
}

static struct lapic ready(void)
{
	struct lapic l = fresh();

	put(&l, LAPIC_SVR, LAPIC_ENABLED | 0xff, 0);
	return l;
}

static void raise(struct lapic *l, u8 vector)
{
	assert_true(lapic_deliver(l, LAPIC_FIXED, vector, false));
}

static void test_reset(void **state)
{
	struct lapic l = fresh();

	(void)state;
	assert_int_equal(lapic_read(&l, LAPIC_ID, 0), 0x03000000);
	assert_int_equal(lapic_read(&l, LAPIC_VERSION, 0), KIND_VERSION);
	assert_int_equal(lapic_read(&l, LAPIC_SVR, 0), 0xff);
	assert_int_equal(lapic_read(&l, LAPIC_DFR, 0), 0xffffffff);
	for (u32 offset = LAPIC_LVT_TIMER; offset <= LAPIC_ERROR; offset += 16)
		assert_int_equal(lapic_read(&l, offset, 0), LAPIC_MASKED);
	put(&l, LAPIC_LVT_TIMER, TIMER_VECTOR, 0); /* masked as long as the APIC is off */
	assert_int_equal(lapic_read(&l, LAPIC_LVT_TIMER, 0), LAPIC_MASKED | TIMER_VECTOR);
	raise(&l, 0x50);
	assert_int_equal(lapic_highest(l.irr), LAPIC_NO_VECTOR);
	assert_int_equal(lapic_acknowledge(&l), 0xff);
}

static void test_priority(void **state)
{
	struct lapic l = ready();

	(void)state;
	raise(&l, 0x51);
	raise(&l, 0x5f);
	raise(&l, 0x60);
	assert_int_equal(lapic_acknowledge(&l), 0x60);
	assert_int_equal(lapic_read(&l, LAPIC_PPR, 0), 0x60);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	raise(&l, 0x6f); /* the same class waits */
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	raise(&l, 0x70);
	assert_int_equal(lapic_acknowledge(&l), 0x70);
	assert_int_equal(lapic_read(&l, LAPIC_ISR + 0x30, 0), 0x00010001);
	assert_int_equal(put(&l, LAPIC_EOI, 0, 0).eoi, LAPIC_NO_VECTOR);
	put(&l, LAPIC_EOI, 0, 0);
	assert_int_equal(lapic_acknowledge(&l), 0x6f);
	put(&l, LAPIC_TPR, 0x55, 0);
	put(&l, LAPIC_EOI, 0, 0);
	assert_int_equal(lapic_read(&l, LAPIC_PPR, 0), 0x55);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	put(&l, LAPIC_TPR, 0x4f, 0);
	assert_int_equal(lapic_acknowledge(&l), 0x5f);
	assert_int_equal(lapic_read(&l, LAPIC_IRR + 0x20, 0), 0x00020000);
	put(&l, LAPIC_EOI, 0, 0);
	put(&l, LAPIC_EOI, 0, 0); /* none in service */
	assert_int_equal(lapic_acknowledge(&l), 0x51);
}

static void test_level(void **state)
{
	struct lapic l = ready();

	(void)state;
	lapic_deliver(&l, LAPIC_LOWEST, 0x33, true);
	assert_int_equal(lapic_read(&l, LAPIC_TMR + 0x10, 0), 1 << 19);
	assert_int_equal(lapic_acknowledge(&l), 0x33);
	assert_int_equal(put(&l, LAPIC_EOI, 0, 0).eoi, 0x33);
	put(&l, LAPIC_SVR, LAPIC_ENABLED | LAPIC_NO_EOI | 0xff, 0);
	lapic_deliver(&l, LAPIC_FIXED, 0x33, true);
	lapic_acknowledge(&l);
	assert_int_equal(put(&l, LAPIC_EOI, 0, 0).eoi, LAPIC_NO_VECTOR);
	raise(&l, 0x33); /* an edge now */
	assert_int_equal(lapic_read(&l, LAPIC_TMR + 0x10, 0), 0);
}

static void test_local_pins(void **state)
{
	struct lapic l = ready();

	(void)state;
	put(&l, LAPIC_LINT0, LAPIC_EXTINT << 8, 0);
	put(&l, LAPIC_LINT1, LAPIC_NMI << 8, 0);
	assert_false(lapic_passes_extint(&l));
	lapic_set_lint(&l, 0, true);
	assert_true(lapic_passes_extint(&l));
	lapic_set_lint(&l, 1, true);
	assert_true(l.nmi);
	l.nmi = false;
	lapic_set_lint(&l, 1, true); /* no new edge */
	assert_false(l.nmi);
	put(&l, LAPIC_LINT0, LAPIC_MASKED | LAPIC_EXTINT << 8, 0);
	assert_false(lapic_passes_extint(&l));
	/* level-triggered: remote IRR until the EOI, then again as long as the pin is active */
	put(&l, LAPIC_LINT0, 0x8000 | 0x44, 0);
	assert_int_equal(lapic_read(&l, LAPIC_LINT0, 0), 0x8000 | LAPIC_REMOTE_IRR | 0x44);
	assert_int_equal(lapic_acknowledge(&l), 0x44);
	put(&l, LAPIC_EOI, 0, 0);
	assert_int_equal(lapic_acknowledge(&l), 0x44);
	lapic_set_lint(&l, 0, false);
	put(&l, LAPIC_EOI, 0, 0);
	assert_int_equal(lapic_read(&l, LAPIC_LINT0, 0), 0x8000 | 0x44);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	/* an edge */
	put(&l, LAPIC_LINT0, 0x45, 0);
	lapic_set_lint(&l, 0, true);
	lapic_set_lint(&l, 0, true);
	assert_int_equal(lapic_acknowledge(&l), 0x45);
	put(&l, LAPIC_EOI, 0, 0);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
}

static void test_messages(void **state)
{
	struct lapic l = ready();
	struct lapic_effect e;

	(void)state;
	e = put(&l, LAPIC_ICR, 0x40000 | 0x61, 0); /* self */
	assert_false(e.others);
	assert_int_equal(lapic_acknowledge(&l), 0x61);
	put(&l, LAPIC_EOI, 0, 0);
	put(&l, LAPIC_ICR_HIGH, 0x03000000, 0);
	e = put(&l, LAPIC_ICR, 0x62, 0); /* itself by its number */
	assert_true(e.others);
	assert_true(e.icr == 0x0300000000000062);
	assert_int_equal(lapic_acknowledge(&l), 0x62);
	put(&l, LAPIC_EOI, 0, 0);
	e = put(&l, LAPIC_ICR, 0xc0000 | 0x63, 0); /* all but itself */
	assert_true(e.others);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	put(&l, LAPIC_ICR, 0x80000 | 0x64, 0); /* all */
	assert_int_equal(lapic_acknowledge(&l), 0x64);
	put(&l, LAPIC_EOI, 0, 0);
	put(&l, LAPIC_ICR, 0x400, 0); /* NMI to itself by number */
	assert_true(l.nmi);
	assert_int_equal(lapic_read(&l, LAPIC_ICR, 0), 0x400);
	assert_false(lapic_deliver(&l, LAPIC_INIT, 0, false));
}

static void test_destinations(void **state)
{
	struct lapic l = ready();

	(void)state;
	assert_true(lapic_is_destination(&l, 3, false));
	assert_true(lapic_is_destination(&l, 0xff, false));
	assert_false(lapic_is_destination(&l, 2, false));
	put(&l, LAPIC_LDR, 0x12345678, 0);
	assert_int_equal(lapic_read(&l, LAPIC_LDR, 0), 0x12000000);
	assert_true(lapic_is_destination(&l, 0x02, true));
	assert_false(lapic_is_destination(&l, 0x04, true));
	put(&l, LAPIC_DFR, 0x0fffffff, 0); /* clusters */
	assert_true(lapic_is_destination(&l, 0x16, true));
	assert_false(lapic_is_destination(&l, 0x22, true));
	assert_false(lapic_is_destination(&l, 0x14, true));
	assert_true(lapic_is_destination(&l, 0xff, true));
}

static void test_errors(void **state)
{
	struct lapic l = ready();

	(void)state;
	put(&l, LAPIC_ERROR, 0xfe, 0);
	put(&l, LAPIC_ICR, 0x40000 | 0x0f, 0);
	assert_int_equal(lapic_acknowledge(&l), 0xfe);
	put(&l, LAPIC_EOI, 0, 0);
	raise(&l, 3);
	assert_int_equal(lapic_read(&l, 0x3f0, 0), 0);
	assert_int_equal(lapic_read(&l, LAPIC_ESR, 0), 0); /* not before it is written */
	put(&l, LAPIC_ESR, 0, 0);
	assert_int_equal(lapic_read(&l, LAPIC_ESR, 0), 0xe0);
	put(&l, LAPIC_ESR, 0, 0);
	assert_int_equal(lapic_read(&l, LAPIC_ESR, 0), 0);
	put(&l, LAPIC_VERSION, 1, 0); /* read-only is no error */
	put(&l, LAPIC_ESR, 0, 0);
	assert_int_equal(lapic_read(&l, LAPIC_ESR, 0), 0);
}

static void test_one_shot(void **state)
{
	struct lapic l = ready();

	(void)state;
	put(&l, LAPIC_DIVIDE, 0x3, 0); /* 16 */
	put(&l, LAPIC_LVT_TIMER, TIMER_VECTOR, 0);
	assert_true(lapic_deadline(&l) == CLOCK_NEVER);
	put(&l, LAPIC_INITIAL, 100, 1000);
	assert_int_equal(lapic_deadline(&l), 2600);
	assert_int_equal(lapic_read(&l, LAPIC_CURRENT, 1160), 90);
	put(&l, LAPIC_DIVIDE, 0xb, 1160); /* 1: what is left counts faster */
	assert_int_equal(lapic_deadline(&l), 1250);
	lapic_advance(&l, 1249);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	lapic_advance(&l, 1250);
	assert_int_equal(lapic_acknowledge(&l), TIMER_VECTOR);
	assert_int_equal(lapic_read(&l, LAPIC_CURRENT, 1300), 0);
	assert_int_equal(lapic_read(&l, LAPIC_INITIAL, 1300), 100);
	assert_true(lapic_deadline(&l) == CLOCK_NEVER);
	put(&l, LAPIC_EOI, 0, 1300);
	/* what runs out masked is lost */
	put(&l, LAPIC_INITIAL, 10, 2000);
	put(&l, LAPIC_LVT_TIMER, LAPIC_MASKED | TIMER_VECTOR, 2005);
	assert_true(lapic_deadline(&l) == CLOCK_NEVER);
	put(&l, LAPIC_LVT_TIMER, TIMER_VECTOR, 2020);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	put(&l, LAPIC_INITIAL, 10, 3000);
	put(&l, LAPIC_INITIAL, 0, 3005);
	assert_true(lapic_deadline(&l) == CLOCK_NEVER);
}

static void test_periodic(void **state)
{
	struct lapic l = ready();

	(void)state;
	put(&l, LAPIC_DIVIDE, 0x0, 0); /* 2 */
	put(&l, LAPIC_LVT_TIMER, 0x20000 | TIMER_VECTOR, 0);
	put(&l, LAPIC_INITIAL, 50, 0);
	for (u64 now = 100; now <= 1000; now += 100) {
		assert_int_equal(lapic_deadline(&l), now);
		lapic_advance(&l, now - 1);
		assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
		lapic_advance(&l, now);
		assert_int_equal(lapic_acknowledge(&l), TIMER_VECTOR);
		put(&l, LAPIC_EOI, 0, now);
	}
	lapic_advance(&l, 1730); /* several at once are one, and the phase stays */
	assert_int_equal(lapic_acknowledge(&l), TIMER_VECTOR);
	put(&l, LAPIC_EOI, 0, 1730);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
	assert_int_equal(lapic_read(&l, LAPIC_CURRENT, 1730), 35);
	assert_int_equal(lapic_deadline(&l), 1800);
	put(&l, LAPIC_LVT_TIMER, TIMER_VECTOR, 1750); /* goes on, once */
	lapic_advance(&l, 1900);
	assert_int_equal(lapic_acknowledge(&l), TIMER_VECTOR);
	assert_true(lapic_deadline(&l) == CLOCK_NEVER);
}

static void test_deadline(void **state)
{
	struct lapic l = ready();

	(void)state;
	lapic_write_deadline(&l, 500, 10); /* not in this mode */
	assert_int_equal(lapic_read_deadline(&l, 10), 0);
	put(&l, LAPIC_INITIAL, 5000, 10);
	put(&l, LAPIC_LVT_TIMER, 0x40000 | TIMER_VECTOR, 20);
	assert_true(lapic_deadline(&l) == CLOCK_NEVER); /* disarmed */
	lapic_write_deadline(&l, 500, 30);
	put(&l, LAPIC_INITIAL, 5, 30); /* ignored */
	assert_int_equal(lapic_read(&l, LAPIC_CURRENT, 40), 0);
	assert_int_equal(lapic_read_deadline(&l, 499), 500);
	assert_int_equal(lapic_deadline(&l), 500);
	assert_int_equal(lapic_read_deadline(&l, 500), 0);
	assert_int_equal(lapic_acknowledge(&l), TIMER_VECTOR);
	put(&l, LAPIC_EOI, 0, 510);
	lapic_write_deadline(&l, 400, 510); /* in the past: now */
	assert_int_equal(lapic_acknowledge(&l), TIMER_VECTOR);
	put(&l, LAPIC_EOI, 0, 510);
	lapic_write_deadline(&l, 600, 520);
	lapic_write_deadline(&l, 0, 530);
	lapic_advance(&l, 1000);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
}

static void test_without_features(void **state)
{
	static const struct lapic_kind old = {.version = 0x00050014};
	struct lapic l;

	(void)state;
	lapic_reset(&l, &old, 0, clock_of(1, 1));
	put(&l, LAPIC_SVR, LAPIC_ENABLED | LAPIC_NO_EOI | 0xff, 0);
	assert_int_equal(lapic_read(&l, LAPIC_SVR, 0), LAPIC_ENABLED | 0xff);
	put(&l, LAPIC_LVT_TIMER, 0x40000 | TIMER_VECTOR, 0);
	assert_int_equal(lapic_read(&l, LAPIC_LVT_TIMER, 0), TIMER_VECTOR);
	put(&l, LAPIC_CMCI, 0x30, 0);
	assert_int_equal(lapic_read(&l, LAPIC_CMCI, 0), 0);
	put(&l, LAPIC_ESR, 0, 0);
	assert_int_equal(lapic_read(&l, LAPIC_ESR, 0), 0x80);
}

/* The two directions belong together, for clocks slower and faster than the TSC. */
static void test_clock(void **state)
{
	struct rng rng = {7};

	(void)state;
	for (u32 i = random_cases(200000); i > 0; i--) {
		u64 ticks = (rng_next(&rng) >> (32 + rng_below(&rng, 31))) | 1;
		u64 per = (rng_next(&rng) >> (32 + rng_below(&rng, 31))) | 1;
		struct clock c = clock_of(ticks, per);
		u64 want = rng_next(&rng) >> (2 + rng_below(&rng, 60));
		u64 tsc = clock_tsc(&c, want);

		if (tsc == CLOCK_NEVER) {
			assert_true(c.rate == 0 ||
				    (unsigned __int128)(CLOCK_NEVER - 1) * c.rate >> 32 < want);
			continue;
		}
		assert_true((unsigned __int128)tsc * c.rate >> 32 >= want);
		assert_true(tsc == 0 || (unsigned __int128)(tsc - 1) * c.rate >> 32 < want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_local_pins),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_one_shot),
		cmocka_unit_test(test_periodic),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_without_features),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
