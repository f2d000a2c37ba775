// SPDX-License-Identifier: MIT
/*
 * MONITOR and MWAIT: a CPU that nothing interrupts wakes by another one's store, as
 * Linux wakes idle ones, in both modes, with interrupts on and off.
 */
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/timer.h"

#define CPUID1_MONITOR (1u << 3)
#define ROUNDS         20u
#define MS_LIMIT       20000u

static struct {
	volatile u32 rung;
	u32 rest[15];
} bell __attribute__((aligned(64)));
static volatile u32 answered __attribute__((aligned(64)));
static volatile u32 naps;

static void nap(bool on)
{
	asm volatile("monitor" : : "a"(&bell), "c"(0), "d"(0) : "memory");
	if (bell.rung != answered)
		return;
	if (on)
		asm volatile("sti; mwait; cli" : : "a"(0), "c"(0) : "memory");
	else
		asm volatile("mwait" : : "a"(0), "c"(0) : "memory");
	naps++;
}

static void answer(void *arg)
{
	bool on = arg != NULL;

	for (u32 round = 1; round <= ROUNDS; round++) {
		while (bell.rung < round)
			nap(on);
		answered = round;
	}
}

static void ring(u32 cpu, bool on)
{
	bell.rung = answered = naps = 0;
	smp_begin(cpu, answer, on ? &bell : NULL);
	for (u32 round = 1; round <= ROUNDS; round++) {
		u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

		smp_delay(1); /* it sleeps by then, as a rule */
		bell.rung = round;
		while (answered != round) {
			CHECK(rdtsc() < limit, "CPU %u sleeps over store %u, interrupts %s", cpu,
			      round, on ? "on" : "off");
			smp_relax();
		}
	}
	smp_wait(cpu);
	print("# CPU %u, interrupts %s: %u naps in %u rounds\n", cpu, on ? "on" : "off", naps,
	      ROUNDS);
}

static void ring_all(void)
{
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		ring(cpu, true);
		ring(cpu, false);
	}
}

TEST_ON_REQUEST(smp_mwait, "U7 I2")
{
	s64 err;

	smp_start();
	CHECK(cpuid(1).ecx & CPUID1_MONITOR, "the CPU has no MONITOR");
	ring_all();
	err = smp_change_all(true);
	CHECK(err == 0, "virtualize answered %ld", err);
	ring_all();
	err = smp_change_all(false);
	CHECK(err == 0, "devirtualize answered %ld", err);
	ring_all();
}
