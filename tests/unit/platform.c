// SPDX-License-Identifier: MIT
/*
 * The board of a later domain as a whole, with a CPU that takes interrupts when
 * the test lets it: the wires between the models, the deadlines, the console,
 * the ports that are not there.
 */
/* shows: I8 */
#include "tests/unit/check.h"

#include "irq/platform.h"

#define TSC_HZ     1000000000u
#define BUS_HZ     62500000u
#define BASE       0x30u /* vectors of the 8259s, as Linux sets them up */
#define MILLI      (TSC_HZ / 1000)
#define IER        (PLATFORM_UART + UART_IER)
#define IIR        (PLATFORM_UART + UART_IIR)
#define LSR        (PLATFORM_UART + UART_LSR)
#define TIMER      0xecu
#define BOTH_BYTES 0x30u

static struct platform board;
static u64 now;

static void out(u16 port, u8 value)
{
	platform_out(&board, port, 1, value, now);
}

static u8 in(u16 port)
{
	return (u8)platform_in(&board, port, 1, now);
}

static void power_on(u64 seconds)
{
	const struct platform_kind kind = {
		.pit = clock_of(PIT_HZ, TSC_HZ),
		.rtc = clock_of(RTC_HZ, TSC_HZ),
		.bus = clock_of(BUS_HZ, TSC_HZ),
		.has_deadline = true,
	};

	now = 12345678901;
	platform_init(&board, &kind, 1, seconds, now);
}

/* As init_8259A() does; the mask has a bit for each line that stays masked. */
static void set_up_pics(u16 mask)
{
	static const struct {
		u16 port;
		u8 value;
	} words[] = {{0x21, 0xff}, {0x20, 0x11},     {0x21, BASE}, {0x21, 0x04}, {0x21, 0x01},
		     {0xa0, 0x11}, {0xa1, BASE + 8}, {0xa1, 0x02}, {0xa1, 0x01}};

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		out(words[i].port, words[i].value);
	out(0x21, (u8)mask);
	out(0xa1, (u8)(mask >> 8));
}

static void end_of_interrupt(int vector)
{
	if (vector >= (int)BASE + 8)
		out(0xa0, (u8)(PIC_OCW2_EOI_LINE | ((u32)vector - BASE - 8)));
	out(0x20, vector >= (int)BASE + 8 ? (u8)(PIC_OCW2_EOI_LINE | PIC_CASCADE)
					  : (u8)(PIC_OCW2_EOI_LINE | ((u32)vector - BASE)));
}

static void program_pit(u8 mode, u16 count)
{
	out(PIT_CONTROL, (u8)(BOTH_BYTES | (u32)mode << 1));
	out(PIT_COUNTER, (u8)count);
	out(PIT_COUNTER, (u8)(count >> 8));
}

static int take(void)
{
	return platform_take(&board, 0, now);
}

static void test_as_firmware_leaves_it(void **state)
{
	(void)state;
	power_on(0);
	assert_int_equal(platform_apic_read(&board, 0, LAPIC_ID, now), 0);
	assert_int_equal(platform_apic_read(&board, 0, LAPIC_SVR, now), 0x10f);
	assert_int_equal(platform_apic_read(&board, 0, LAPIC_LINT0, now), 0x700);
	assert_int_equal(platform_apic_read(&board, 0, LAPIC_LINT1, now), 0x400);
	assert_int_equal(in(0x21), 0xff);
	assert_false(board.cpu[0].waits);
	assert_int_equal(board.cpu[0].deadline, CLOCK_NEVER); /* all is masked */
	assert_int_equal(take(), -1);
}

/* From the counter to the vector, each at the tick at which the deadline says it will be. */
static void test_timer_interrupts(void **state)
{
	u64 start;

	(void)state;
	power_on(0);
	set_up_pics(0xfffe);
	program_pit(2, 1193); /* 1 kHz */
	start = now;
	for (u64 n = 1; n <= 1000; n++) {
		assert_false(board.cpu[0].waits);
		assert_true(board.cpu[0].deadline > now);
		now = board.cpu[0].deadline - 1;
		platform_advance(&board, 0, now);
		assert_false(board.cpu[0].waits);
		now++;
		platform_advance(&board, 0, now);
		assert_true(board.cpu[0].waits);
		assert_int_equal(take(), BASE);
		assert_false(board.cpu[0].waits);
		end_of_interrupt(BASE);
	}
	assert_in_range(now - start, 999ull * MILLI, 1001ull * MILLI);
}

/* The guest did not run for a while: no tick is lost, and no more than there is room for is kept.
 */
static void test_late_ticks(void **state)
{
	u32 ticks;

	(void)state;
	power_on(0);
	set_up_pics(0xfffe);
	program_pit(2, 1193);
	now += 20 * MILLI + MILLI / 2;
	platform_advance(&board, 0, now);
	for (ticks = 0; board.cpu[0].waits; ticks++) {
		assert_int_equal(take(), BASE);
		end_of_interrupt(BASE);
	}
	assert_int_equal(ticks, 20);
	now += 100 * (u64)TSC_HZ;
	platform_advance(&board, 0, now);
	for (ticks = 0; board.cpu[0].waits; ticks++) {
		assert_int_equal(take(), BASE);
		end_of_interrupt(BASE);
	}
	assert_in_range(ticks, 50, 101);
	/* A masked line owes one edge at most, as an 8259 does. */
	out(0x21, 0xff);
	now += 50 * MILLI;
	platform_advance(&board, 0, now);
	assert_false(board.cpu[0].waits);
	assert_int_equal(board.cpu[0].deadline, CLOCK_NEVER);
	out(0x21, 0xfe);
	assert_int_equal(take(), BASE);
	end_of_interrupt(BASE);
	assert_false(board.cpu[0].waits);
	/* What is programmed anew owes nothing. */
	now += 50 * MILLI;
	program_pit(0, 0);
	for (ticks = 0; board.cpu[0].waits; ticks++) {
		take();
		end_of_interrupt(BASE);
	}
	assert_in_range(ticks, 0, 1);
}

/* LINT0 is what lets the 8259s through. */
static void test_virtual_wire(void **state)
{
	(void)state;
	power_on(0);
	set_up_pics(0xfffe);
	program_pit(2, 1193);
	now += 2 * MILLI;
	platform_apic_write(&board, 0, LAPIC_LINT0, LAPIC_MASKED | 0x700, now);
	assert_false(board.cpu[0].waits);
	assert_int_equal(take(), -1);
	platform_apic_write(&board, 0, LAPIC_LINT0, 0x700, now);
	assert_true(board.cpu[0].waits);
	/* The local APIC's own come first. */
	platform_raise(&board, 0, 0x80, now);
	assert_int_equal(take(), 0x80);
	assert_int_equal(take(), BASE);
	platform_apic_write(&board, 0, LAPIC_EOI, 0, now);
	assert_int_equal(platform_apic_read(&board, 0, LAPIC_ISR + 0x40, now), 0);
}

/* What Linux does to find out how fast the local APIC's timer is: ten ticks of the one on the clock
 * of the other; and how fast the TSC is, by counter 2. All agree. */
static void test_clocks_agree(void **state)
{
	u32 first, counts;
	u64 start;

	(void)state;
	power_on(0);
	set_up_pics(0xfffe);
	program_pit(2, 11932);                                /* 100 Hz */
	platform_apic_write(&board, 0, LAPIC_DIVIDE, 3, now); /* by 16 */
	platform_apic_write(&board, 0, LAPIC_LVT_TIMER, LAPIC_MASKED | TIMER, now);
	platform_apic_write(&board, 0, LAPIC_INITIAL, ~(u32)0, now);
	now = board.cpu[0].deadline;
	assert_int_equal(take(), BASE);
	end_of_interrupt(BASE);
	first = platform_apic_read(&board, 0, LAPIC_CURRENT, now);
	start = now;
	for (u32 n = 0; n < 10; n++) {
		now = board.cpu[0].deadline;
		assert_int_equal(take(), BASE);
		end_of_interrupt(BASE);
	}
	counts = first - platform_apic_read(&board, 0, LAPIC_CURRENT, now);
	assert_in_range(counts, BUS_HZ / 16 / 10 - 20, BUS_HZ / 16 / 10 + 20);
	assert_in_range(now - start, TSC_HZ / 10 - 2000, TSC_HZ / 10 + 2000);

	out(PIT_GATE, (in(PIT_GATE)&0xfc) | 1);
	out(PIT_CONTROL, 0xb0);
	out(PIT_COUNTER + 2, 11932 & 0xff);
	out(PIT_COUNTER + 2, 11932 >> 8);
	start = now;
	while ((in(PIT_GATE)&0x20) == 0)
		now += 997;
	assert_in_range(now - start, 10 * MILLI - 2000, 10 * MILLI + 4000);
}

static void test_apic_timer(void **state)
{
	(void)state;
	power_on(0);
	platform_apic_write(&board, 0, LAPIC_DIVIDE, 0xb, now); /* by 1 */
	platform_apic_write(&board, 0, LAPIC_LVT_TIMER, TIMER, now);
	platform_apic_write(&board, 0, LAPIC_INITIAL, BUS_HZ / 1000, now);
	assert_in_range(board.cpu[0].deadline, now + MILLI - 64, now + MILLI + 64);
	now = board.cpu[0].deadline;
	platform_advance(&board, 0, now);
	assert_int_equal(take(), TIMER);
	assert_int_equal(board.cpu[0].deadline, CLOCK_NEVER);
	platform_apic_write(&board, 0, LAPIC_EOI, 0, now);
	/* periodic: what is not taken is not looked at again */
	platform_apic_write(&board, 0, LAPIC_LVT_TIMER, 0x20000 | TIMER, now);
	platform_apic_write(&board, 0, LAPIC_INITIAL, BUS_HZ / 1000, now);
	now = board.cpu[0].deadline;
	platform_advance(&board, 0, now);
	assert_true(board.cpu[0].waits);
	assert_int_equal(board.cpu[0].deadline, CLOCK_NEVER);
	now += 10 * MILLI;
	assert_int_equal(take(), TIMER);
	assert_true(board.cpu[0].deadline > now && board.cpu[0].deadline <= now + MILLI);
	platform_apic_write(&board, 0, LAPIC_EOI, 0, now);
	assert_false(board.cpu[0].waits);
	/* deadline mode */
	platform_apic_write(&board, 0, LAPIC_LVT_TIMER, 0x40000 | TIMER, now);
	platform_write_deadline(&board, 0, now + 777, now);
	assert_int_equal(platform_read_deadline(&board, 0, now), now + 777);
	assert_int_equal(board.cpu[0].deadline, now + 777);
	now += 777;
	assert_int_equal(take(), TIMER);
	assert_int_equal(platform_read_deadline(&board, 0, now), 0);
}

static void test_own_messages(void **state)
{
	(void)state;
	power_on(0);
	platform_apic_write(&board, 0, LAPIC_ICR, 0x40000 | 0xfd, now); /* to itself */
	assert_int_equal(take(), 0xfd);
	/* held back until its end, but for what is above it */
	platform_raise(&board, 0, 0x40, now);
	assert_false(board.cpu[0].waits);
	assert_false(platform_apic_write_is_plain(&board, 0, LAPIC_EOI));
	platform_apic_write(&board, 0, LAPIC_EOI, 0, now);
	assert_true(board.cpu[0].waits);
	assert_int_equal(take(), 0x40);
	assert_true(platform_apic_write_is_plain(&board, 0, LAPIC_EOI));
	assert_false(platform_apic_write_is_plain(&board, 0, LAPIC_TPR));
	platform_apic_write(&board, 0, LAPIC_EOI, 0, now);
	assert_false(board.cpu[0].waits);
	/* an NMI is no interrupt that waits */
	platform_apic_write(&board, 0, LAPIC_ICR_HIGH, 0, now);
	platform_apic_write(&board, 0, LAPIC_ICR, 0x4400, now);
	assert_true(board.cpu[0].nmi);
	assert_false(board.cpu[0].waits);
	board.cpu[0].nmi = false;
	platform_advance(&board, 0, now);
	assert_false(board.cpu[0].nmi);
	/* INIT and SIPI to nobody */
	platform_apic_write(&board, 0, LAPIC_ICR_HIGH, 1u << 24, now);
	platform_apic_write(&board, 0, LAPIC_ICR, 0xc500, now);
	platform_apic_write(&board, 0, LAPIC_ICR, 0x4608, now);
	assert_false(board.cpu[0].waits);
}

static void set_up_uart(u8 ier)
{
	out(PLATFORM_UART + UART_LCR, 0x83);
	out(PLATFORM_UART + UART_DATA, 1);
	out(IER, 0);
	out(PLATFORM_UART + UART_LCR, 0x03);
	out(PLATFORM_UART + UART_FCR, 0x01);
	out(PLATFORM_UART + UART_MCR, 0x0b);
	out(IER, ier);
}

static void check_printed(u64 from, const char *text)
{
	char got[64] = {0};
	u64 pos = from;

	assert_int_equal(ring_read(&board.out, &pos, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static void test_serial_output(void **state)
{
	(void)state;
	power_on(0);
	for (const char *c = "polled"; *c != 0; c++) {
		assert_true(in(LSR)&0x20);
		out(PLATFORM_UART, (u8)*c);
	}
	check_printed(0, "polled");
	set_up_pics(0xffef);
	set_up_uart(UART_IER_SEND);
	for (const char *c = "by interrupt"; *c != 0; c++) {
		assert_int_equal(take(), BASE + 4);
		assert_int_equal(in(IIR)&0x0f, UART_IIR_SEND);
		assert_int_equal(in(IIR)&0x0f, UART_IIR_NONE);
		end_of_interrupt(BASE + 4);
		assert_false(board.cpu[0].waits);
		out(PLATFORM_UART, (u8)*c);
	}
	check_printed(6, "by interrupt");
	platform_print(&board, (const u8 *)", by a call", 11);
	check_printed(18, ", by a call");
	/* An interrupt a byte, also if the guest writes without waiting for them. */
	assert_int_equal(take(), BASE + 4);
	out(PLATFORM_UART, 'x');
	out(PLATFORM_UART, 'y');
	end_of_interrupt(BASE + 4);
	assert_int_equal(take(), BASE + 4);
	in(IIR);
	end_of_interrupt(BASE + 4);
	assert_false(board.cpu[0].waits);
	check_printed(29, "xy");
}

static void test_serial_input(void **state)
{
	u8 text[64];

	(void)state;
	power_on(0);
	/* by calls: nothing goes to the port */
	assert_int_equal(platform_type(&board, (const u8 *)"abc", 3, now), 3);
	assert_int_equal(platform_get(&board, text, 2), 2);
	assert_memory_equal(text, "ab", 2);
	/* polled */
	out(PLATFORM_UART + UART_LCR, 0x03);
	assert_int_equal(in(LSR)&UART_LSR_READY, UART_LSR_READY);
	assert_int_equal(in(PLATFORM_UART), 'c');
	assert_int_equal(in(LSR)&UART_LSR_READY, 0);
	/* by interrupt, in more than the port has room for */
	set_up_pics(0xffef);
	set_up_uart(UART_IER_RECEIVE);
	memset(text, 'm', sizeof(text));
	assert_int_equal(platform_type(&board, text, sizeof(text), now), sizeof(text));
	for (u32 got = 0; got < sizeof(text);) {
		assert_int_equal(take(), BASE + 4);
		while (in(LSR)&UART_LSR_READY) {
			assert_int_equal(in(PLATFORM_UART), 'm');
			got++;
		}
		assert_int_equal(in(LSR)&UART_LSR_OVERRUN, 0);
		end_of_interrupt(BASE + 4);
	}
	assert_false(board.cpu[0].waits);
	/* a driver that tests the port by its loop does not get what was typed */
	out(PLATFORM_UART + UART_MCR, 0x1b);
	assert_int_equal(platform_type(&board, (const u8 *)"z", 1, now), 1);
	assert_int_equal(in(LSR)&UART_LSR_READY, 0);
	out(PLATFORM_UART + UART_MCR, 0x0b);
	assert_int_equal(in(PLATFORM_UART), 'z');
}

static void test_console_is_bounded(void **state)
{
	u8 byte;
	u64 pos = 0;

	(void)state;
	power_on(0);
	for (u32 i = 0; i < 3 * PLATFORM_OUT_SIZE + 7; i++) {
		byte = (u8)(i % 251);
		if (i % 2)
			out(PLATFORM_UART, byte);
		else
			platform_print(&board, &byte, 1);
	}
	assert_int_equal(board.out.end, 3 * PLATFORM_OUT_SIZE + 7);
	assert_int_equal(ring_read(&board.out, &pos, &byte, 1), 1);
	assert_int_equal(pos, 2 * PLATFORM_OUT_SIZE + 7);
	assert_int_equal(byte, pos % 251);
	pos = board.out.end;
	assert_int_equal(ring_read(&board.out, &pos, &byte, 1), 0);
	for (u32 i = 0; i < PLATFORM_IN_SIZE; i++) {
		byte = (u8)i;
		assert_int_equal(platform_type(&board, &byte, 1, now), 1);
	}
	assert_int_equal(platform_type(&board, &byte, 1, now), 0);
	for (u32 i = 0; i < PLATFORM_IN_SIZE; i++) {
		assert_int_equal(platform_get(&board, &byte, 1), 1);
		assert_int_equal(byte, (u8)i);
	}
	assert_int_equal(platform_get(&board, &byte, 1), 0);
}

static u8 clock_register(u8 reg)
{
	out(RTC_INDEX, reg);
	return in(RTC_DATA);
}

static void test_clock(void **state)
{
	(void)state;
	power_on(1700000000); /* 2023-11-14 22:13:20 UTC, a Tuesday */
	now += 5ull * TSC_HZ + 1000;
	assert_int_equal(clock_register(RTC_SECONDS), 25);
	assert_int_equal(clock_register(RTC_MINUTES), 13);
	assert_int_equal(clock_register(RTC_HOURS), 22);
	assert_int_equal(clock_register(RTC_DAY), 14);
	assert_int_equal(clock_register(RTC_MONTH), 11);
	assert_int_equal(clock_register(RTC_YEAR), 23);
	assert_int_equal(clock_register(RTC_CENTURY), 20);
	assert_int_equal(clock_register(RTC_WEEKDAY), 3);
	set_up_pics(0xfefb);
	clock_register(RTC_C);
	out(RTC_INDEX, RTC_B);
	out(RTC_DATA, RTC_B_24H | RTC_B_BINARY | RTC_B_UPDATE);
	assert_in_range(board.cpu[0].deadline, now + TSC_HZ - MILLI, now + TSC_HZ);
	for (u32 second = 26; second < 30; second++) {
		now = board.cpu[0].deadline;
		assert_int_equal(take(), BASE + 8);
		assert_int_equal(clock_register(RTC_C) & 0x90, 0x90);
		assert_int_equal(clock_register(RTC_SECONDS), second);
		end_of_interrupt(BASE + 8);
		assert_false(board.cpu[0].waits);
	}
	out(0x21, 0xff);
	assert_int_equal(board.cpu[0].deadline, CLOCK_NEVER);
}

/* What is no device reads as ones, in any width; PCI's configuration is none. */
static void test_absent(void **state)
{
	static const u16 ports[] = {0x64, 0x80, 0x2f8, 0x3d4, 0x3f0, 0x1f7, 0xcfc, 0xb008};

	(void)state;
	power_on(0);
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		out(ports[i], 0);
		assert_int_equal(in(ports[i]), 0xff);
		platform_out(&board, ports[i], 4, 0, now);
		assert_int_equal(platform_in(&board, ports[i], 2, now), 0xffff);
		assert_int_equal(platform_in(&board, ports[i], 4, now), 0xffffffff);
	}
	platform_out(&board, 0xcf8, 4, 0x8000fffc, now); /* would be a reset, byte by byte */
	assert_int_equal(platform_in(&board, 0xcf8, 4, now), 0xffffffff);
	platform_out(&board, 0xffff, 4, ~(u32)0, now);
	assert_int_equal(platform_in(&board, 0xffff, 4, now) >> 8 & 0xff, 0xff);
	assert_false(board.reset);
}

static bool resets(u16 port, u8 value)
{
	power_on(0);
	out(port, value);
	return board.reset;
}

static void test_resets(void **state)
{
	(void)state;
	assert_true(resets(0x64, 0xfe));
	assert_false(resets(0x64, 0xff));
	assert_false(resets(0x64, 0xd1));
	assert_true(resets(0x92, 0x03));
	assert_false(resets(0x92, 0x02));
	assert_false(resets(0xcf9, 0x02));
	assert_int_equal(in(0xcf9), 0x02);
	out(0xcf9, 0x0e);
	assert_true(board.reset);
	assert_true(resets(0xcf9, 0x06));
	power_on(0);
	platform_out(&board, 0xcf8, 2, 0x0600, now);
	assert_true(board.reset);
}

/* A CPU whose TSC is behind: time stands still, and nothing comes twice. */
/* Devices beside the board: an edge is an interrupt, and what waits for the CPU is due at once. */
static void test_other_lines(void **state)
{
	(void)state;
	power_on(0);
	set_up_pics(0xffff & ~(1u << PIC_CASCADE | 1u << 11));
	assert_false(board.cpu[0].waits);
	platform_set_line(&board, 11, true, now);
	assert_true(board.cpu[0].waits);
	assert_int_equal(take(), BASE + 11);
	end_of_interrupt(BASE + 11);
	platform_set_line(&board, 11, true, now);
	assert_false(board.cpu[0].waits);
	platform_set_line(&board, 11, false, now);
	platform_set_line(&board, 11, true, now);
	assert_int_equal(take(), BASE + 11);
	platform_set_line(&board, 10, true, now); /* masked */
	assert_false(board.cpu[0].waits);

	assert_true(board.cpu[0].deadline > now);
	platform_set_work(&board, now, now);
	assert_true(board.cpu[0].deadline == now);
	now += MILLI;
	platform_advance(&board, 0, now);
	assert_true(board.cpu[0].deadline <= now);
	platform_set_work(&board, CLOCK_NEVER, now);
	assert_true(board.cpu[0].deadline > now);
}

static void test_time_never_goes_back(void **state)
{
	(void)state;
	power_on(0);
	set_up_pics(0xfffe);
	program_pit(2, 1193);
	now = board.cpu[0].deadline;
	assert_int_equal(take(), BASE);
	end_of_interrupt(BASE);
	now -= MILLI;
	platform_advance(&board, 0, now);
	assert_false(board.cpu[0].waits);
	assert_int_equal(take(), -1);
	assert_true(board.cpu[0].deadline > board.now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_firmware_leaves_it),
		cmocka_unit_test(test_timer_interrupts),
		cmocka_unit_test(test_late_ticks),
		cmocka_unit_test(test_virtual_wire),
		cmocka_unit_test(test_clocks_agree),
		cmocka_unit_test(test_apic_timer),
		cmocka_unit_test(test_own_messages),
		cmocka_unit_test(test_serial_output),
		cmocka_unit_test(test_serial_input),
		cmocka_unit_test(test_console_is_bounded),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_other_lines),
		cmocka_unit_test(test_time_never_goes_back),
	};

	return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
