// SPDX-License-Identifier: MIT
/*
 * The clocks of later domains. All that tells a guest of time (TSC, interval
 * timer, timer of the local APIC, real-time clock) runs at rates that were
 * measured once against each other, so that a guest which compares them again
 * finds no contradiction.
 *
 * The time of day is the machine's as it was at boot, and the TSC since then:
 * the real clock is the first guest's, which may be between its index port and
 * its data port. So what that guest corrects later does not show, nor does time
 * in which the TSC stood still.
 */
#include "cpu/domain_platform.h"

#include "cpu/apic.h"
#include "cpu/ports.h"
#include "lib/log.h"

#define MEASURE_TICKS   23864u /* of the interval timer: 20 ms */
#define MEASUREMENTS    32u    /* at most */
#define GOOD_ENOUGH     5000u  /* of a measurement, its error */
#define MEASURE_LIMIT   ((u64)1 << 33)
#define COUNTER_2       (PIT_COUNTER + 2)
#define ONE_SHOT_2      0xb0 /* counter 2, both bytes, mode 0 */
#define GATE_ON         0x01
#define GATE_SPEAKER    0x02
#define GATE_OUTPUT     0x20
#define SLOWEST_KHZ     1000u /* a measurement below that is none */
#define GUESSED_KHZ     1000000u
#define CPUID_FREQUENCY 0x16
#define CPUID1_DEADLINE ((u32)1 << 24)
#define UPDATE_LIMIT    100000u /* reads of the real-time clock, some 100 ms */
#define BUS_TICKS       1       /* unmeasured, of the local APIC's clock in so many of the TSC: */
#define BUS_TSC         16

static struct {
	struct platform_kind kind;
	struct rtc rtc; /* as the machine's was */
	u32 tsc_khz;
} clocks; /* written at boot only */

/* TSC ticks while counter 2 counts down, and by how much that may be wrong: on a machine that is
 * one of several on another, time passes between any two instructions. */
struct measurement {
	u64 tsc, error;
};

static struct measurement measure(void)
{
	u64 begin, start, before, now;

	outb(PIT_CONTROL, ONE_SHOT_2);
	outb(COUNTER_2, (u8)MEASURE_TICKS);
	begin = rdtsc();
	outb(COUNTER_2, (u8)(MEASURE_TICKS >> 8));
	start = now = rdtsc();
	do {
		before = now;
		now = rdtsc();
	} while (!(inb(PIT_GATE) & GATE_OUTPUT) && now - start < MEASURE_LIMIT);
	now = rdtsc();
	return (struct measurement){.tsc = (before + now) / 2 - (begin + start) / 2,
				    .error = (start - begin + now - before) / 2};
}

/* The best of some: the first that is good enough, which on a machine of its own is the first. */
static u64 measure_well(void)
{
	struct measurement best = {.error = ~(u64)0}, m;
	u8 gate = inb(PIT_GATE);

	outb(PIT_GATE, (u8)((gate & ~GATE_SPEAKER) | GATE_ON));
	for (u32 i = 0; i < MEASUREMENTS && best.error > best.tsc / GOOD_ENOUGH; i++) {
		m = measure();
		if (m.error < best.error)
			best = m;
	}
	outb(PIT_GATE, gate);
	return best.tsc;
}

static u32 measure_khz(void)
{
	u64 khz = measure_well() * PIT_HZ / MEASURE_TICKS / 1000;

	if (khz >= SLOWEST_KHZ && khz <= ~(u32)0)
		return (u32)khz;
	if (cpuid(0, 0).eax >= CPUID_FREQUENCY && (cpuid(CPUID_FREQUENCY, 0).eax & 0xffff) != 0)
		return (cpuid(CPUID_FREQUENCY, 0).eax & 0xffff) * 1000;
	return GUESSED_KHZ;
}

static void wait_for_update(void)
{
	u32 n = 0;

	do
		outb(RTC_INDEX, RTC_A);
	while ((inb(RTC_DATA) & RTC_A_UPDATING) && ++n < UPDATE_LIMIT);
}

/* A device that makes `hz` ticks a second. */
static struct clock clock_at(u32 hz)
{
	return clock_of(hz, (u64)clocks.tsc_khz * 1000);
}

/* The machine's own, so that a guest which gets that finds its timer as fast as before. */
static struct clock bus_clock(void)
{
	struct clock machine = apic_bus_clock();

	return machine.rate != 0 ? machine : clock_of(BUS_TICKS, BUS_TSC);
}

/* Behind apic_init(), which measures one of them. */
void domain_clocks_init(void)
{
	clocks.tsc_khz = measure_khz();
	clocks.kind = (struct platform_kind){
		.pit = clock_at(PIT_HZ),
		.rtc = clock_at(RTC_HZ),
		.bus = bus_clock(),
		.has_deadline = (cpuid(1, 0).ecx & CPUID1_DEADLINE) != 0,
	};
	clocks.rtc.clock = clocks.kind.rtc;
	wait_for_update();
	rtc_capture(&clocks.rtc, &machine_ports, 0, rdtsc());
	log_print("vellum: TSC %u kHz, clock %lu\n", clocks.tsc_khz,
		  rtc_seconds(&clocks.rtc, rdtsc()));
}

u32 domain_clocks_tsc_khz(void)
{
	return clocks.tsc_khz;
}

u32 domain_clocks_lapic_khz(void)
{
	return (u32)clock_ticks(&clocks.kind.bus, clocks.tsc_khz);
}

void domain_clocks_start(struct platform *p, u32 nr_cpus)
{
	struct rtc rtc = clocks.rtc;
	u64 now = rdtsc();

	platform_init(p, &clocks.kind, nr_cpus, rtc_seconds(&rtc, now), now);
}
