// SPDX-License-Identifier: MIT
/*
 * What timer, clock and serial port show for everything that can be written to
 * them, as far as it does not depend on the moment. The serial port is the
 * console: what it showed is kept, and printed in the end.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/rtc.h"
#include "mini/tap.h"
#include "mini/tests/io.h"
#include "mini/timer.h"

#define ROWS     160
#define ROW      32
#define IDLE     0x60
#define MS_LIMIT 2000u

static struct {
	const char *what;
	u32 first, count;
	u8 value[ROW];
} rows[ROWS];
static u32 nr_rows;

/* Rows of what `what` shows, from its value `first` on. */
static void begin_row(const char *what, u32 first)
{
	CHECK(nr_rows < ROWS, "too many rows");
	rows[nr_rows].what = what;
	rows[nr_rows].first = first;
	rows[nr_rows++].count = 0;
}

static void note(u8 value)
{
	u32 i = nr_rows - 1;

	if (rows[i].count == ROW)
		begin_row(rows[i].what, rows[i].first + ROW);
	i = nr_rows - 1;
	rows[i].value[rows[i].count++] = value;
}

static void print_rows(void)
{
	for (u32 i = 0; i < nr_rows; i++) {
		print("= %s %#x:", rows[i].what, rows[i].first);
		for (u32 k = 0; k < rows[i].count; k++)
			print(" %x", rows[i].value[k]);
		print("\n");
	}
	nr_rows = 0;
}

static u8 get(u16 reg)
{
	return in8((u16)(UART + reg));
}

static void put(u16 reg, u8 value)
{
	out8((u16)(UART + reg), value);
}

static void wait_idle(void)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	while ((get(LSR) & IDLE) != IDLE && rdtsc() < limit)
		;
}

/* Each value in each register, and what the others are then. */
static void uart_register(const char *what, u16 reg, u8 lcr)
{
	begin_row(what, 0);
	for (u32 value = 0; value < 256; value++) {
		put(LCR, lcr);
		put(reg, (u8)(reg == MCR ? value | MCR_LOOP : value));
		note(get(reg));
		if (reg == MCR)
			note(get(MSR));
		put(LCR, 0x03);
	}
}

static void uart_formats(void)
{
	begin_row("bytes by format", 0);
	put(MCR, MCR_LOOP);
	for (u32 lcr = 0; lcr < 0x40; lcr++) {
		wait_idle();
		put(LCR, (u8)lcr);
		put(0, 0xa5);
		wait_idle();
		for (u32 tries = 0; tries < 100000 && !(get(LSR) & 1); tries++)
			;
		note(get(0));
		note(get(LSR) & 0xe1);
	}
	put(LCR, 0x03);
}

/* Why it would interrupt, with its pin off. */
static void uart_reasons(void)
{
	begin_row("reasons", 0);
	for (u32 ier = 0; ier < 16; ier++) {
		put(IER, 0);
		put(FCR, 0x07);
		wait_idle();
		get(IIR);
		get(MSR);
		put(IER, (u8)ier);
		note(get(IIR));
		note(get(IIR));
		put(MCR, MCR_LOOP | (u8)(ier & 7));
		note(get(IIR));
		note(get(MSR));
		note(get(IIR));
	}
	put(IER, 0);
}

TEST_ON_REQUEST(exact_io_uart, "I8 I2")
{
	u8 divisor[2];

	wait_idle();
	put(MCR, MCR_LOOP);
	put(LCR, LCR_DIVISOR);
	divisor[0] = get(0);
	divisor[1] = get(IER);
	put(LCR, 0x03);
	uart_register("MCR, MSR", MCR, 0x03);
	uart_register("IER", IER, 0x03);
	put(IER, 0);
	uart_register("SCR", SCRATCH, 0x83);
	uart_register("LCR", LCR, 0x03);
	uart_register("DLL", 0, LCR_DIVISOR);
	uart_register("DLM", IER, LCR_DIVISOR);
	put(LCR, LCR_DIVISOR);
	put(0, 1);
	put(IER, 0);
	put(LCR, 0x03);
	put(FCR, 0x07);
	uart_formats();
	uart_reasons();
	put(FCR, 0x07);
	put(LCR, LCR_DIVISOR);
	put(0, divisor[0]);
	put(IER, divisor[1]);
	put(LCR, 0x03);
	put(MCR, 0x03);
	get(MSR);
	print_rows();
}

TEST_ON_REQUEST(exact_io_rtc, "I8 I2")
{
	u8 b = rtc_read(RTC_B), a = rtc_read(RTC_A) & 0x7f;

	begin_row("registers", 0);
	for (u32 reg = 14; reg < 128; reg++)
		note(rtc_read((u8)reg));
	begin_row("by any index", 0);
	for (u32 index = 0; index < 256; index++)
		if ((index & 0x7f) > RTC_C || (index & 0x7f) == RTC_B) {
			out8(RTC_INDEX, (u8)index);
			note(in8(RTC_DATA));
			note(in8(RTC_INDEX));
		}
	begin_row("alarm and memory", 0);
	for (u32 value = 0; value < 256; value++) {
		rtc_write(1, (u8)value);
		note(rtc_read(1));
		rtc_write(0x60, (u8)~value);
		note(rtc_read(0x60));
	}
	rtc_write(1, 0);
	begin_row("A", 0);
	for (u32 value = 0; value < 16; value++) {
		rtc_write(RTC_A, (u8)(0x20 | value));
		note(rtc_read(RTC_A) & 0x7f);
	}
	rtc_write(RTC_A, a);
	begin_row("B", 0);
	for (u32 value = 0; value < 8; value++) {
		rtc_write(RTC_B, (u8)(0x80 | value));
		note(rtc_read(RTC_B));
	}
	rtc_write(RTC_B, b);
	rtc_read(RTC_C);
	print_rows();
}

static u8 status(u32 counter)
{
	out8(0x43, (u8)(0xe0 | 2u << counter));
	return in8((u16)(0x40 + counter)) & 0x3f;
}

TEST_ON_REQUEST(exact_io_pit, "I8 I2")
{
	u8 gate = in8(0x61);

	out8(0x61, gate & 0xfc);
	begin_row("modes", 0x80);
	for (u32 control = 0x90; control < 0xc0; control++) {
		out8(0x43, (u8)control);
		note(status(2));
		note(in8(0x43));
	}
	begin_row("a second status before the first is read", 0);
	for (u32 mode = 0; mode < 6; mode++) {
		out8(0x43, (u8)(0xb0 | mode << 1));
		out8(0x43, 0xe8);
		out8(0x43, (u8)(0x90 | (5 - mode) << 1));
		out8(0x43, 0xe8);
		note(in8(0x42) & 0x3f);
	}
	begin_row("gate", 0);
	for (u32 i = 0; i < 4; i++) {
		out8(0x61, (u8)((gate & 0xfc) | i));
		note(in8(0x61) & 0x0f);
	}
	out8(0x61, gate);
	print_rows();
}
