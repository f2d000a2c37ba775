// SPDX-License-Identifier: MIT
/*
 * The interval timer's model: each mode against a second model that is stepped
 * tick by tick as the data sheet tells it, access in bytes, latches, gates,
 * the next edge, capture and restore.
 */
#include "tests/unit/check.h"

#include "irq/pit.h"

#define BOTH 0x30u

static struct pit ready(void)
{
	struct pit p;

	pit_reset(&p, clock_of(1, 1), 0);
	pit_ticks(&p, 0);
	return p;
}

static void program(struct pit *p, u32 counter, u8 mode, u16 code, u64 now)
{
	pit_write(p, PIT_CONTROL, (u8)(counter << 6 | BOTH | (u32)mode << 1), now);
	pit_write(p, (u16)(PIT_COUNTER + counter), (u8)code, now);
	pit_write(p, (u16)(PIT_COUNTER + counter), (u8)(code >> 8), now);
}

static u16 read_count(struct pit *p, u32 counter, u64 now)
{
	u16 low;

	pit_write(p, PIT_CONTROL, (u8)(counter << 6), now);
	low = pit_read(p, (u16)(PIT_COUNTER + counter), now);
	return (u16)(low | pit_read(p, (u16)(PIT_COUNTER + counter), now) << 8);
}

/* The counting element, step by step. */
struct element {
	u8 mode;
	u32 initial, value;
	bool out, second_half, over;
};

static void element_load(struct element *e, u8 mode, u32 count)
{
	*e = (struct element){.mode = mode, .initial = count, .value = count, .out = mode != 0};
	if (mode == 3)
		e->value &= ~1u;
}

static void step_square_wave(struct element *e)
{
	bool odd = e->initial & 1;

	/* of an odd count the first half takes one tick more, with the count at 0 */
	if (e->value == 0 || (e->value == 2 && (!odd || e->second_half))) {
		e->second_half = !e->second_half;
		e->out = !e->second_half;
		e->value = e->initial & ~1u;
	} else {
		e->value -= 2;
	}
}

static void step(struct element *e)
{
	if (e->mode == 3) {
		step_square_wave(e);
		return;
	}
	e->value = (e->value - 1) & 0xffff;
	if (e->mode == 2) {
		if (e->value == 0)
			e->value = e->initial;
		e->out = e->value != 1;
	} else if (e->mode == 0 || e->mode == 1) {
		e->out = e->out || e->value == 0;
	} else {
		e->out = e->value != 0 || e->over;
		e->over = e->over || e->value == 0;
	}
}

static void check_mode(u8 mode, u32 count, u64 ticks)
{
	struct pit p = ready();
	struct element e;
	u64 edges = 0;
	bool was;

	program(&p, 0, mode, (u16)count, 0);
	pit_ticks(&p, 0);
	element_load(&e, mode, count);
	was = e.out;
	for (u64 now = 1; now < ticks; now++) {
		if (now > 1)
			step(&e);
		edges += e.out && !was;
		was = e.out;
		if (pit_output(&p, 0, now) != e.out || read_count(&p, 0, now) != (u16)e.value)
			stop_test("mode %u count %u tick %lu: %u, not %u", mode, count, now,
				  read_count(&p, 0, now), e.value);
	}
	assert_int_equal(pit_ticks(&p, ticks - 1), edges);
}

static void test_modes(void **state)
{
	static const u8 modes[] = {0, 2, 3, 4};
	struct rng rng = {5};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		for (u32 count = 2; count < 20; count++)
			check_mode(modes[i], count, 100);
		for (u32 n = random_cases(5); n > 0; n--)
			check_mode(modes[i], 2 + rng_below(&rng, 65534), 150000);
		check_mode(modes[i], 65536, 200000);
	}
}

/* The deadlines are the edges: going from one to the next misses none and finds none too early. */
static void test_deadlines(void **state)
{
	static const u8 modes[] = {0, 2, 3, 4};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		struct pit p = ready();
		u64 at = 0, found = 0;

		program(&p, 0, modes[i], 100, 7);
		pit_ticks(&p, 7);
		while ((at = pit_deadline(&p, at)) < 1000) {
			assert_int_equal(pit_ticks(&p, at - 1), 0);
			assert_int_equal(pit_ticks(&p, at), 1);
			found++;
		}
		assert_int_equal(found, modes[i] == 2 || modes[i] == 3 ? 9 : 1);
	}
}

static void test_bytes_and_latches(void **state)
{
	struct pit p = ready();

	(void)state;
	program(&p, 0, 2, 0x1234, 0);
	pit_write(&p, PIT_CONTROL, 0x00, 5); /* latch; a second one is ignored */
	pit_write(&p, PIT_CONTROL, 0x00, 50);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 60), 0x30);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 70), 0x12);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 5), 0x30);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 5), 0x12);
	/* low byte only, high byte only */
	pit_write(&p, PIT_CONTROL, 0x14, 100);
	pit_write(&p, PIT_COUNTER, 0x50, 100);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 101), 0x50);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 102), 0x4f);
	pit_write(&p, PIT_CONTROL, 0x24, 200);
	pit_write(&p, PIT_COUNTER, 0x50, 200);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 202), 0x4f);
	/* read back: status, then count; null count until it is loaded */
	pit_write(&p, PIT_CONTROL, 0xb4, 300);
	pit_write(&p, PIT_CONTROL, 0xc8, 300);
	assert_int_equal(pit_read(&p, PIT_COUNTER + 2, 300), 0xf4);
	program(&p, 0, 0, 1000, 400);
	pit_write(&p, PIT_CONTROL, 0xc2, 501);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 600), 0x30);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 600), 900 & 0xff);
	assert_int_equal(pit_read(&p, PIT_COUNTER, 600), 900 >> 8);
}

static void test_bcd(void **state)
{
	struct pit p = ready();

	(void)state;
	pit_write(&p, PIT_CONTROL, 0x35, 0);
	pit_write(&p, PIT_COUNTER, 0x00, 0);
	pit_write(&p, PIT_COUNTER, 0x10, 0); /* 1000 */
	pit_ticks(&p, 0);
	assert_int_equal(read_count(&p, 0, 2), 0x0999);
	assert_int_equal(pit_deadline(&p, 2), 1001);
	assert_int_equal(pit_ticks(&p, 5001), 5);
}

/* Counter 2, as it is used for measuring, and its gate in each mode. */
static void test_gate(void **state)
{
	struct pit p = ready();

	(void)state;
	pit_write(&p, PIT_GATE, 0x02, 0);
	program(&p, 2, 0, 100, 0);
	assert_int_equal(pit_read(&p, PIT_GATE, 500) & 0x23, 0x02);
	pit_write(&p, PIT_GATE, 0x01, 1000);
	assert_int_equal(pit_read(&p, PIT_GATE, 1099) & 0x23, 0x01);
	assert_int_equal(pit_read(&p, PIT_GATE, 1100) & 0x23, 0x21);
	program(&p, 2, 0, 100, 2000);
	pit_write(&p, PIT_GATE, 0x00, 2051); /* stops in the middle, goes on later */
	assert_int_equal(read_count(&p, 2, 3000), 50);
	pit_write(&p, PIT_GATE, 0x01, 4000);
	assert_false(pit_output(&p, 2, 4049));
	assert_true(pit_output(&p, 2, 4050));
	/* one shot by the gate */
	program(&p, 2, 1, 10, 5000);
	assert_true(pit_output(&p, 2, 5050));
	pit_write(&p, PIT_GATE, 0x00, 5060);
	pit_write(&p, PIT_GATE, 0x01, 5070);
	assert_false(pit_output(&p, 2, 5071));
	assert_false(pit_output(&p, 2, 5080));
	assert_true(pit_output(&p, 2, 5081));
	/* a rate generator stands high without gate, and starts its period anew with it */
	program(&p, 2, 2, 10, 6000);
	pit_write(&p, PIT_GATE, 0x00, 6005);
	assert_true(pit_output(&p, 2, 6010));
	pit_write(&p, PIT_GATE, 0x01, 6020);
	assert_int_equal(read_count(&p, 2, 6021), 10);
	assert_false(pit_output(&p, 2, 6030));
	assert_true(pit_output(&p, 2, 6031));
}

/* A new count of a running rate generator takes over with the next period. */
static void test_new_count(void **state)
{
	struct pit p = ready();

	(void)state;
	program(&p, 0, 2, 100, 0);
	pit_ticks(&p, 0);
	pit_write(&p, PIT_COUNTER, 30, 50);
	pit_write(&p, PIT_COUNTER, 0, 50);
	assert_int_equal(pit_deadline(&p, 50), 101);
	assert_int_equal(pit_ticks(&p, 100), 0);
	assert_int_equal(pit_ticks(&p, 101), 1);
	assert_int_equal(pit_deadline(&p, 101), 131);
	assert_int_equal(pit_ticks(&p, 401), 10);
	/* of a square wave, with the next half */
	program(&p, 0, 3, 100, 1000);
	pit_ticks(&p, 1000);
	pit_write(&p, PIT_COUNTER, 20, 1010);
	pit_write(&p, PIT_COUNTER, 0, 1010);
	assert_int_equal(pit_deadline(&p, 1010), 1061);
	assert_true(pit_output(&p, 0, 1050));
	assert_false(pit_output(&p, 0, 1051));
	assert_false(pit_output(&p, 0, 1060));
	assert_true(pit_output(&p, 0, 1061));
	assert_int_equal(pit_ticks(&p, 1061), 1);
	assert_int_equal(pit_ticks(&p, 1261), 10);
}

/* The real one of the next test. */
struct real {
	struct pit pit;
	u64 now;
};

static u8 real_in(void *context, u16 port)
{
	struct real *r = context;

	return pit_read(&r->pit, port, r->now);
}

static void real_out(void *context, u16 port, u8 value)
{
	struct real *r = context;

	pit_write(&r->pit, port, value, r->now);
}

static void test_capture(void **state)
{
	struct rng rng = {3};

	(void)state;
	for (u32 i = random_cases(2000); i > 0; i--) {
		struct real r = {.pit = ready()};
		const struct port_access h = {real_in, real_out, &r};
		u32 count = 2 + rng_below(&rng, 1000), mode = rng_below(&rng, 5);
		struct pit p = {.clock = clock_of(1, 1)};

		mode += mode == 1 ? 1 : 0;
		program(&r.pit, 0, (u8)mode, (u16)count, 0);
		r.now = 2 + rng_below(&rng, 3000);
		pit_ticks(&r.pit, r.now);
		pit_capture(&p, &h, count, r.now);
		for (u64 t = r.now; t < r.now + 50; t++) {
			if (mode != 3)
				assert_int_equal(read_count(&p, 0, t), read_count(&r.pit, 0, t));
			assert_int_equal(pit_output(&p, 0, t), pit_output(&r.pit, 0, t));
		}
		assert_int_equal(pit_ticks(&p, 9000), pit_ticks(&r.pit, 9000));
	}
}

static void test_restore(void **state)
{
	struct real r = {.pit = ready()};
	const struct port_access h = {real_in, real_out, &r};
	struct pit p = ready();

	(void)state;
	program(&p, 0, 0, 1000, 0);
	pit_write(&p, PIT_GATE, 0x01, 0);
	program(&p, 2, 3, 500, 0);
	r.now = 400;
	pit_restore(&p, &h, 400);
	pit_ticks(&r.pit, 400);
	assert_int_equal(pit_deadline(&r.pit, 400), 1002); /* a tick for loading it */
	assert_int_equal(pit_read(&r.pit, PIT_GATE, 401) & 3, 1);
	assert_int_equal(r.pit.counter[2].mode, 3);
	assert_int_equal(r.pit.counter[2].count, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),   cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_bcd),     cmocka_unit_test(test_bytes_and_latches),
		cmocka_unit_test(test_gate),    cmocka_unit_test(test_new_count),
		cmocka_unit_test(test_capture), cmocka_unit_test(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
