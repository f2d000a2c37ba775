// SPDX-License-Identifier: MIT
/*
 * The board of a later domain with several CPUs: what they send each other, whose
 * interrupts the board's are, and who has to be told.
 */
/* shows: I8 */
#include "tests/unit/check.h"

#include "irq/platform.h"

#define TSC_HZ 1000000000u
#define CPUS   4u
#define VECTOR 0x51u
#define TIMER  0xecu
#define ON     0x1ffu
#define NMI    0x400u
#define LOWEST 0x100u
#define INIT   0x500u
#define SIPI   0x600u
#define SELF   0x40000u
#define ALL    0x80000u
#define OTHERS 0xc0000u

static struct platform board;
static u64 now;

static void power_on(u32 cpus)
{
	const struct platform_kind kind = {
		.pit = clock_of(PIT_HZ, TSC_HZ),
		.rtc = clock_of(RTC_HZ, TSC_HZ),
		.bus = clock_of(TSC_HZ / 16, TSC_HZ),
		.has_deadline = true,
	};

	now = 1000;
	platform_init(&board, &kind, cpus, 0, now);
}

static void write(u32 cpu, u32 offset, u32 value)
{
	platform_apic_write(&board, cpu, offset, value, now);
}

/* As an operating system leaves them. */
static void switch_on(void)
{
	power_on(CPUS);
	for (u32 i = 0; i < CPUS; i++) {
		write(i, LAPIC_SVR, ON);
		write(i, LAPIC_LDR, 1u << (24 + i));
	}
	board.changed = 0;
}

static void send(u32 from, u32 to, u32 what)
{
	write(from, LAPIC_ICR_HIGH, to << 24);
	write(from, LAPIC_ICR, what);
}

/* Who would take VECTOR, each of whom takes it. */
static u32 receivers(void)
{
	u32 set = 0;

	for (u32 i = 0; i < CPUS; i++) {
		assert_true(board.cpu[i].waits == (lapic_request(&board.cpu[i].lapic) >= 0));
		if (!board.cpu[i].waits)
			continue;
		assert_int_equal(platform_take(&board, i, now), VECTOR);
		write(i, LAPIC_EOI, 0);
		set |= 1u << i;
	}
	return set;
}

/* The sender knows by itself; all others that have something are in `changed`. */
static void expect(u32 from, u32 set)
{
	assert_int_equal(board.changed & ~(1u << from), set & ~(1u << from));
	assert_int_equal(receivers(), set);
	board.changed = 0;
}

static void test_after_reset(void **state)
{
	(void)state;
	power_on(CPUS);
	assert_int_equal(board.changed, 0);
	for (u32 i = 0; i < CPUS; i++) {
		assert_int_equal(platform_apic_read(&board, i, LAPIC_ID, now), i << 24);
		assert_int_equal(platform_apic_read(&board, i, LAPIC_SVR, now),
				 i == 0 ? 0x10f : 0xff);
		assert_int_equal(platform_apic_read(&board, i, LAPIC_LINT0, now),
				 i == 0 ? 0x700 : LAPIC_MASKED);
		assert_int_equal(board.cpu[i].deadline, CLOCK_NEVER);
	}
	/* Those that are off take no interrupt, but NMIs. */
	send(0, 0, OTHERS | VECTOR);
	expect(0, 0);
	send(0, 2, NMI);
	assert_true(board.cpu[2].nmi && !board.cpu[1].nmi && !board.cpu[3].nmi);
	assert_int_equal(board.changed, 4);
}

static void test_destinations(void **state)
{
	(void)state;
	switch_on();
	for (u32 from = 0; from < CPUS; from++) {
		for (u32 to = 0; to < CPUS; to++) {
			send(from, to, VECTOR);
			expect(from, 1u << to);
		}
		send(from, 0xff, VECTOR);
		expect(from, 15);
		send(from, CPUS, VECTOR);
		expect(from, 0);
		send(from, 0, SELF | VECTOR);
		expect(from, 1u << from);
		send(from, 0, ALL | VECTOR);
		expect(from, 15);
		send(from, 0, OTHERS | VECTOR);
		expect(from, 15u & ~(1u << from));
		send(from, 5, 0x800 | VECTOR);
		expect(from, 5);
	}
}

/* One takes it, the sender if it is among them. */
static void test_lowest_priority(void **state)
{
	(void)state;
	switch_on();
	send(1, 0, OTHERS | LOWEST | VECTOR);
	expect(1, 1);
	write(0, LAPIC_SVR, 0xff); /* takes no part */
	send(2, 3, 0x800 | LOWEST | VECTOR);
	expect(2, 2);
	write(0, LAPIC_SVR, ON);
	send(1, 6, 0x800 | LOWEST | VECTOR);
	expect(1, 2);
	send(0, 6, 0x800 | LOWEST | VECTOR);
	expect(0, 2);
	send(0, 8, 0x800 | LOWEST | VECTOR);
	expect(0, 8);
}

static void test_nmis(void **state)
{
	(void)state;
	switch_on();
	send(1, 0, OTHERS | NMI);
	for (u32 i = 0; i < CPUS; i++)
		assert_true(board.cpu[i].nmi == (i != 1));
	assert_int_equal(board.changed & ~2u, 13);
	assert_int_equal(receivers(), 0);
}

/* The call vcpu_start is how they begin. */
static void test_nobody_is_started(void **state)
{
	(void)state;
	switch_on();
	send(0, 1, INIT | 0x4000);
	send(0, 1, SIPI | 0x4008);
	send(0, 0, OTHERS | INIT | 0x4000);
	send(0, 1, 0x200 | VECTOR); /* SMI */
	expect(0, 0);
	for (u32 i = 0; i < CPUS; i++) {
		assert_false(board.cpu[i].nmi);
		assert_int_equal(platform_apic_read(&board, i, LAPIC_SVR, now), ON);
	}
}

/* Each has a timer, and time passes for one when it looks. */
static void test_timers(void **state)
{
	(void)state;
	switch_on();
	for (u32 i = 0; i < CPUS; i++) {
		write(i, LAPIC_LVT_TIMER, 0x40000 | TIMER);
		platform_write_deadline(&board, i, now + 1000 * (i + 1), now);
	}
	for (u32 i = 0; i < CPUS; i++)
		assert_int_equal(board.cpu[i].deadline, now + 1000 * (i + 1));
	now += 2000;
	for (u32 i = 0; i < CPUS; i++) {
		platform_advance(&board, i, now);
		assert_true(board.cpu[i].waits == (i < 2));
	}
	assert_int_equal(platform_take(&board, 1, now), TIMER);
	assert_false(board.cpu[1].waits);
	assert_true(board.cpu[0].waits);
}

/* The 8259s are CPU 0's, whoever programs them. */
static void test_board(void **state)
{
	static const struct {
		u16 port;
		u8 value;
	} words[] = {{0x20, 0x11}, {0x21, 0x30}, {0x21, 0x04}, {0x21, 0x01},
		     {0x21, 0xfe}, {0x43, 0x34}, {0x40, 0xa9}, {0x40, 0x04}};

	(void)state;
	switch_on();
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		platform_out(&board, words[i].port, 1, words[i].value, now);
	assert_int_equal(board.changed, 1);
	board.changed = 0;
	assert_true(board.cpu[0].deadline < CLOCK_NEVER);
	for (u32 i = 1; i < CPUS; i++)
		assert_int_equal(board.cpu[i].deadline, CLOCK_NEVER);
	/* Another CPU finds the tick first. */
	now = board.cpu[0].deadline;
	platform_in(&board, 0x61, 1, now);
	assert_int_equal(board.changed, 1);
	assert_int_equal(platform_take(&board, 1, now), -1);
	assert_int_equal(platform_take(&board, 0, now), 0x30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_reset),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_lowest_priority),
		cmocka_unit_test(test_nmis),
		cmocka_unit_test(test_nobody_is_started),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_board),
	};

	return cmocka_run_group_tests_name("platform_cpus", tests, NULL, NULL);
}
