// SPDX-License-Identifier: MIT
/*
 * Guests on PIT, clock and serial port of their own beside the same guests with
 * the layer of I/O, which comes and goes, and with a Vellum that uses the
 * devices whenever it likes: each byte that they read must be equal, at each
 * moment, and so must the devices be in the end. The devices are the models
 * that stand for whole ones elsewhere.
 *
 * shows: I8 I10
 */
#include "tests/unit/check.h"

#include "irq/pit_hardware.h"
#include "irq/rtc_hardware.h"
#include "irq/uart_hardware.h"

static u64 now;

static u8 rng_byte(struct rng *r)
{
	return (u8)rng_below(r, 256);
}

static u8 pit_in(void *context, u16 port)
{
	return pit_read(context, port, now);
}

static void pit_out(void *context, u16 port, u8 value)
{
	pit_write(context, port, value, now);
}

struct pit_world {
	struct pit bare, real;
	struct port_access ports;
	struct pit_hardware p;
	u32 leaves, refusals;
};

static void pit_switch(struct pit_world *w)
{
	if (w->p.ports == NULL) {
		/* nobody is in the middle of an access, which no device tells */
		for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
			if (w->bare.counter[i].latched != 0 || w->bare.counter[i].has_status ||
			    w->bare.counter[i].read_high)
				return;
		pit_hardware_enter(&w->p, &w->ports);
	} else if (pit_hardware_can_leave(&w->p)) {
		/* a whole latched count is latched anew: not a later one, for the comparison */
		for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
			if (w->bare.counter[i].latched != 0 || w->bare.counter[i].has_status)
				return;
		pit_hardware_leave(&w->p);
		w->leaves++;
	} else {
		w->refusals++;
	}
}

static void pit_both_write(struct pit_world *w, u16 port, u8 value)
{
	pit_write(&w->bare, port, value, now);
	if (w->p.ports != NULL)
		pit_hardware_write(&w->p, port, value);
	else
		pit_write(&w->real, port, value, now);
}

static void pit_both_read(struct pit_world *w, u16 port)
{
	u8 want = pit_read(&w->bare, port, now), got;

	got = w->p.ports != NULL ? pit_hardware_read(&w->p, port) : pit_read(&w->real, port, now);
	if (want != got)
		stop_test("port %#x: bare %#x, with the layer %#x, at %lu", port, want, got, now);
}

static void pit_step(struct pit_world *w, struct rng *r)
{
	u32 what = rng_below(r, 20);

	if (what < 10)
		pit_both_read(w, (u16)(PIT_COUNTER + rng_below(r, NR_PIT_COUNTERS)));
	else if (what == 10)
		pit_both_read(w, PIT_GATE);
	else if (what == 11)
		pit_both_write(w, PIT_GATE, (u8)rng_below(r, 4));
	else if (what == 12)
		pit_both_write(w, PIT_CONTROL, (u8)(rng_below(r, 3) << 6 | rng_below(r, 64)));
	else if (what < 15) /* latch */
		pit_both_write(w, PIT_CONTROL, (u8)(rng_below(r, 3) << 6));
	else if (what < 17) /* read back */
		pit_both_write(w, PIT_CONTROL, (u8)(0xc0 | rng_below(r, 64)));
	else if (what < 19)
		pit_both_write(w, (u16)(PIT_COUNTER + rng_below(r, NR_PIT_COUNTERS)), rng_byte(r));
	else
		pit_switch(w);
	if (w->p.ports != NULL && rng_below(r, 4) == 0)
		pit_hardware_look(&w->p, rng_below(r, NR_PIT_COUNTERS));
	now += rng_below(r, 3) == 0 ? rng_below(r, 2000) : 0;
	assert_int_equal(pit_ticks(&w->bare, now), pit_ticks(&w->real, now));
}

static void test_pit(void **state)
{
	struct rng r = {12};
	u32 leaves = 0, refusals = 0;

	(void)state;
	for (u32 i = random_cases(300); i > 0; i--) {
		struct pit_world w = {0};

		now = 5;
		w.ports = (struct port_access){pit_in, pit_out, &w.real};
		pit_reset(&w.bare, clock_of(1, 1), now);
		w.real = w.bare;
		for (u32 n = 0; n < 500; n++)
			pit_step(&w, &r);
		leaves += w.leaves;
		refusals += w.refusals;
	}
	assert_true(leaves > 300);
	assert_true(refusals > 10);
}

/* --- the clock --- */

static u8 rtc_in(void *context, u16 port)
{
	return rtc_read(context, port, now);
}

static void rtc_out(void *context, u16 port, u8 value)
{
	rtc_write(context, port, value, now);
}

struct rtc_world {
	struct rtc bare, real;
	struct port_access ports;
	struct rtc_hardware r;
};

static void rtc_both_write(struct rtc_world *w, u16 port, u8 value)
{
	rtc_write(&w->bare, port, value, now);
	if (w->r.ports != NULL)
		rtc_hardware_write(&w->r, port, value);
	else
		rtc_write(&w->real, port, value, now);
}

static void rtc_both_read(struct rtc_world *w, u16 port)
{
	u8 want = rtc_read(&w->bare, port, now), got;

	got = w->r.ports != NULL ? rtc_hardware_read(&w->r, port) : rtc_read(&w->real, port, now);
	if (want != got)
		stop_test("port %#x, register %#x: bare %#x, with the layer %#x", port,
			  w->bare.index, want, got);
}

static void rtc_step(struct rtc_world *w, struct rng *r)
{
	u32 what = rng_below(r, 16);

	if (what < 5)
		rtc_both_write(w, RTC_INDEX,
			       (u8)rng_below(r, rng_below(r, 2) ? NR_RTC_REGISTERS : 14));
	else if (what < 12)
		rtc_both_read(w, rng_below(r, 8) != 0 ? RTC_DATA : RTC_INDEX);
	else if (what < 15)
		rtc_both_write(w, RTC_DATA, rng_byte(r));
	else if (w->r.ports == NULL)
		rtc_hardware_enter(&w->r, &w->ports);
	else
		rtc_hardware_leave(&w->r);
	if (w->r.ports != NULL && rng_below(r, 3) == 0)
		rtc_hardware_look(&w->r, RTC_D);
	now += rng_below(r, RTC_HZ / 4);
	assert_int_equal(rtc_line(&w->bare, now), rtc_line(&w->real, now));
}

static void test_rtc(void **state)
{
	struct rng r = {13};

	(void)state;
	for (u32 i = random_cases(300); i > 0; i--) {
		struct rtc_world w = {0};

		now = 5;
		w.ports = (struct port_access){rtc_in, rtc_out, &w.real};
		rtc_reset(&w.bare, clock_of(1, 1), rng_next(&r) % 4000000000u, now);
		w.real = w.bare;
		for (u32 n = 0; n < 500; n++)
			rtc_step(&w, &r);
		rtc_hardware_leave(&w.r);
		assert_int_equal(w.bare.index, w.real.index);
		assert_memory_equal(w.bare.reg, w.real.reg, sizeof(w.bare.reg));
	}
}

/* Vellum's own look is the register that it asks for, and not before it may. */
static void test_rtc_look(void **state)
{
	struct rtc_world w = {0};

	(void)state;
	w.ports = (struct port_access){rtc_in, rtc_out, &w.real};
	rtc_reset(&w.real, clock_of(1, 1), 59, now);
	rtc_hardware_enter(&w.r, &w.ports);
	assert_int_equal(rtc_hardware_look(&w.r, RTC_SECONDS), -1);
	rtc_hardware_write(&w.r, RTC_INDEX, RTC_B);
	assert_int_equal(rtc_hardware_look(&w.r, RTC_SECONDS), 59);
	assert_int_equal(rtc_hardware_read(&w.r, RTC_DATA), 6);
}

/* --- the serial port --- */

#define BASE 0x3f8

static u8 uart_in(void *context, u16 port)
{
	return uart16550_read(context, (u8)(port - BASE));
}

static void uart_out(void *context, u16 port, u8 value)
{
	uart16550_write(context, (u8)(port - BASE), value);
}

struct uart_world {
	struct uart16550 bare, real;
	struct port_access ports;
	struct uart_hardware u;
	u32 leaves, sent, brought;
};

static void uart_switch(struct uart_world *w)
{
	if (w->u.ports == NULL) {
		uart_hardware_enter(&w->u, &w->ports, BASE);
		assert_non_null(w->u.ports);
	} else {
		uart_hardware_leave(&w->u);
		w->leaves++;
	}
}

static void uart_access(struct uart_world *w, struct rng *r)
{
	u8 reg = (u8)rng_below(r, NR_UART_PORTS), value = rng_byte(r), want, got;

	if (rng_below(r, 3) == 0) {
		if (reg == UART_LCR)
			value &= rng_below(r, 4) == 0 ? 0xff : 0x7f;
		uart16550_write(&w->bare, reg, value);
		if (w->u.ports != NULL)
			uart_hardware_write(&w->u, reg, value);
		else
			uart16550_write(&w->real, reg, value);
		return;
	}
	want = uart16550_read(&w->bare, reg);
	got = w->u.ports != NULL ? uart_hardware_read(&w->u, reg) : uart16550_read(&w->real, reg);
	if (want != got)
		stop_test("register %u: bare %#x, with the layer %#x", reg, want, got);
}

/* The two ends of the line. */
static void uart_line(struct uart_world *w, struct rng *r)
{
	u8 byte = rng_byte(r);
	int sent;

	if (rng_below(r, 2)) {
		uart16550_give(&w->bare, byte);
		uart16550_give(&w->real, byte);
		w->brought++;
		return;
	}
	sent = uart16550_take(&w->bare);
	assert_int_equal(sent, uart16550_take(&w->real));
	w->sent += sent != UART_NO_BYTE;
}

static void test_uart(void **state)
{
	struct rng r = {14};
	struct uart_world w = {0};

	(void)state;
	w.ports = (struct port_access){uart_in, uart_out, &w.real};
	uart16550_reset(&w.bare);
	w.real = w.bare;
	for (u32 n = random_cases(200000); n > 0; n--) {
		u32 what = rng_below(&r, 16);

		if (what == 0)
			uart_switch(&w);
		else if (what < 6)
			uart_line(&w, &r);
		else
			uart_access(&w, &r);
		if (w.u.ports != NULL && rng_below(&r, 4) == 0)
			uart_hardware_look(&w.u);
		assert_int_equal(uart16550_line(&w.bare), uart16550_line(&w.real));
	}
	assert_true(w.leaves > 100 && w.sent > 100 && w.brought > 100);
	uart_hardware_leave(&w.u);
	assert_memory_equal(&w.bare, &w.real, sizeof(w.bare));
}

/* Where there is no port, its place is left to the guest. */
static u8 nothing_in(void *context, u16 port)
{
	(void)context;
	(void)port;
	return 0xff;
}

static void nothing_out(void *context, u16 port, u8 value)
{
	(void)context;
	(void)port;
	(void)value;
}

static void test_no_uart(void **state)
{
	const struct port_access h = {nothing_in, nothing_out, NULL};
	struct uart_hardware u;

	(void)state;
	uart_hardware_enter(&u, &h, BASE);
	assert_null(u.ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pit),     cmocka_unit_test(test_rtc),
		cmocka_unit_test(test_uart),    cmocka_unit_test(test_rtc_look),
		cmocka_unit_test(test_no_uart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
