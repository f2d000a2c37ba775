// SPDX-License-Identifier: MIT
/*
 * Fuzzer of a later domain's board: any access to any port and register, any
 * time between, interrupts taken or not. What the board says is true: nothing
 * waits for the CPU before its deadline that does not wait now, what waits can
 * be taken, and the console's rings stay what they are.
 */
/* shows: I4 I8 */
#include "tests/fuzz/damage.h"

#include <string.h>

#include "irq/platform.h"

#define TSC_HZ 3000000
#define CPUS   2u

static struct platform board, copy;

/* Half of the accesses go where the devices are, and their interrupts are let through. */
static u16 port_of(u8 a, u8 b)
{
	static const u16 ports[] = {0x20, 0x21, 0xa0,  0xa1,  0x4d0, 0x4d1, 0x40,  0x41,  0x42,
				    0x43, 0x61, 0x70,  0x71,  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc,
				    0x64, 0x92, 0xcf8, 0xcf9, 0x3fd, 0x3fe, 0x3ff, 0x40,  0x43};

	return a & 1 ? ports[b % ARRAY_SIZE(ports)] : (u16)(a << 8 | b);
}

/* For a CPU that did not look at this time, time passes when it does. */
static void check_time(u32 cpu, bool looked)
{
	const struct platform_cpu *c = &copy.cpu[cpu];

	memcpy(&copy, &board, sizeof(copy));
	copy.out.byte = copy.out_byte;
	copy.in.byte = copy.in_byte;
	if (!looked)
		platform_advance(&copy, cpu, copy.now);
	must(c->deadline > copy.now);
	if (c->waits || c->deadline == CLOCK_NEVER)
		return;
	platform_advance(&copy, cpu, c->deadline - 1);
	must(!c->waits && !c->nmi);
}

/* What is new for a CPU that did not make the access is told. */
static void check_cpu(u32 cpu, bool waited, bool looked)
{
	struct platform_cpu *c = &board.cpu[cpu];

	must(!c->lapic.nmi);
	must(!c->waits || waited || (board.changed >> cpu & 1));
	must(!c->nmi || (board.changed >> cpu & 1));
	c->nmi = false;
	check_time(cpu, looked);
}

static void check(const bool waited[CPUS], u32 who)
{
	must(board.out.end - board.out.start <= PLATFORM_OUT_SIZE);
	must(board.in.end - board.in.start <= PLATFORM_IN_SIZE);
	must(board.out.byte == board.out_byte && board.in.byte == board.in_byte);
	must(board.uart.out.count == 0);
	board.reset = false;
	for (u32 i = 0; i < CPUS; i++)
		check_cpu(i, waited[i], i == who);
	must(board.changed >> CPUS == 0);
	board.changed = 0;
}

/* Which CPU has looked by that; CPUS: none. */
static u32 step(const u8 *d, u64 now)
{
	static const u8 sizes[] = {1, 2, 4, 1};
	u32 value = d[2] | (u32)d[3] << 8 | (u32)d[2] << 16 | (u32)d[3] << 24;
	u8 text[4] = {d[1], d[2], d[3], d[1]};
	u32 cpu = d[0] & 1;
	bool waits = board.cpu[cpu].waits;
	int vector;

	switch (d[0] >> 4) {
	case 0:
	case 1:
	case 2:
	case 3:
		platform_out(&board, port_of(d[0], d[1]), sizes[d[0] >> 1 & 3], value, now);
		return 0;
	case 4:
	case 5:
	case 6:
		platform_in(&board, port_of(d[0], d[1]), sizes[d[0] >> 1 & 3], now);
		return 0;
	case 7:
	case 8:
		platform_apic_write(&board, cpu, (u32)d[1] << 4, value, now);
		break;
	case 9:
		platform_apic_read(&board, cpu, (u32)d[1] << 4, now);
		break;
	case 10:
		platform_raise(&board, cpu, d[1], now);
		break;
	case 11:
		platform_write_deadline(&board, cpu, now + value % 100000, now);
		break;
	case 12:
		must(platform_type(&board, text, d[0] & 3, now) <= (d[0] & 3u));
		must(platform_get(&board, text, d[1] & 3) <= (d[1] & 3u));
		return 0;
	case 13:
		platform_print(&board, text, d[0] & 3);
		return CPUS;
	default:
		vector = platform_take(&board, cpu, now);
		must(!waits || vector >= 0);
		must(vector < NR_LAPIC_VECTORS);
		break;
	}
	return cpu;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct platform_kind kind = {.pit = clock_of(PIT_HZ, TSC_HZ),
					   .rtc = clock_of(RTC_HZ, TSC_HZ),
					   .bus = clock_of(TSC_HZ / 16, TSC_HZ),
					   .has_deadline = true};
	u64 now = 1000;

	platform_init(&board, &kind, CPUS, 0, now);
	platform_out(&board, PIC_MASTER + 1, 1, 0, now);
	platform_out(&board, PIC_SLAVE + 1, 1, 0, now);
	for (; size >= 5; data += 5, size -= 5) {
		const bool waited[CPUS] = {board.cpu[0].waits, board.cpu[1].waits};

		now += (u64)data[4] << (data[3] % 16);
		check(waited, step(data, now));
	}
	return 0;
}
