// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the ports of interval timer, real-time clock and serial port: any
 * byte to any port, at any time. What a model says about its next interrupt is
 * true, unless somebody writes to it before.
 */
#include "tests/fuzz/damage.h"

#include <string.h>

#include "irq/pit.h"
#include "irq/rtc.h"
#include "irq/uart16550.h"

#define TSC_HZ 3000000

static void check_pit(struct pit *p, u64 now)
{
	struct pit copy = *p;
	u64 next;

	pit_ticks(&copy, now);
	next = pit_deadline(&copy, now);
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
		must(p->counter[i].count >= 1 && p->counter[i].count <= 65536);
	if (next == CLOCK_NEVER)
		return;
	must(next > now);
	must(pit_ticks(&copy, next - 1) == 0);
	must(pit_ticks(&copy, next) == 1);
}

static void check_rtc(struct rtc *r, u64 now)
{
	struct rtc copy = *r;
	u64 next = rtc_deadline(&copy, now);

	if (next == CLOCK_NEVER || rtc_line(&copy, now))
		return;
	must(next > now);
	must(!rtc_line(&copy, next - 1));
	rtc_line(&copy, next);
}

static void check_uart(struct uart16550 *u)
{
	must(u->in.count <= UART_FIFO_SIZE && u->out.count <= UART_FIFO_SIZE);
	must(((u->lsr & UART_LSR_READY) != 0) == (u->in.count > 0));
	must(((u->lsr & UART_LSR_SENDER) != 0) == (u->out.count == 0));
}

static void uart_step(struct uart16550 *u, u8 what, u8 value)
{
	switch (what % 4) {
	case 0:
		uart16550_write(u, what / 4 % 8, value);
		break;
	case 1:
		uart16550_read(u, what / 4 % 8);
		break;
	case 2:
		uart16550_give(u, value);
		break;
	default:
		uart16550_take(u);
		break;
	}
	check_uart(u);
}

static void timer_step(struct pit *p, struct rtc *r, u8 what, u8 value, u64 now)
{
	static const u16 ports[] = {0x40, 0x41, 0x42, 0x43, 0x61, 0x40, 0x43, 0x40};

	if (what < 100)
		pit_write(p, ports[what % 8], value, now);
	else if (what < 140)
		pit_read(p, ports[what % 8], now);
	else if (what < 220)
		rtc_write(r, what & 1 ? RTC_INDEX : RTC_DATA, value, now);
	else
		rtc_read(r, RTC_DATA, now);
	check_pit(p, now);
	check_rtc(r, now);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct uart16550 u;
	struct pit p;
	struct rtc r;
	u64 now = 1000;

	uart16550_reset(&u);
	pit_reset(&p, clock_of(PIT_HZ, TSC_HZ), now);
	rtc_reset(&r, clock_of(RTC_HZ, TSC_HZ), 0, now);
	for (; size >= 4; data += 4, size -= 4) {
		now += (u64)data[2] << (data[3] % 22);
		timer_step(&p, &r, data[0], data[1], now);
		uart_step(&u, data[0], data[1]);
	}
	return 0;
}
