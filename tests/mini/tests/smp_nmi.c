// SPDX-License-Identifier: MIT
/*
 * NMIs of devices, while Vellum sends NMIs of its own: a CPU that is never in
 * Vellum but for those, and one that has it flush without end. Only somebody
 * outside can send NMIs by the line; it reads the counters, too.
 */
#include "mini/apic.h"
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/irq.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define APIC_SVR   0x0f0u
#define SVR_ON     0x1ffu
#define APIC_LINT1 0x360u
#define LVT_NMI    0x400u
#define LIMIT_MS   100000u
#define SETTLE_MS  200u
#define LATE_MS    10000u
#define CYCLES     8u

enum { PHASES = 3 };

/* For those outside: how many each CPU had in each phase, and how many phases have begun. */
volatile u32 smp_nmis[PHASES][SMP_MAX_CPUS], smp_nmi_phases;
static u8 ids[SMP_MAX_CPUS];
static volatile bool stop;

/* On a stack of its own, which does not tell the CPU. */
static void count(const struct trap_frame *frame)
{
	u8 id = (u8)(cpuid(1).ebx >> 24);

	(void)frame;
	for (u32 i = 0; i < smp_count(); i++)
		smp_nmis[smp_nmi_phases - 1][i] += ids[i] == id;
}

static void open_line(void *arg)
{
	(void)arg;
	ids[smp_index()] = (u8)(cpuid(1).ebx >> 24);
	apic_write(APIC_SVR, SVR_ON);
	apic_write(APIC_LINT1, LVT_NMI);
}

static void wait(void *arg)
{
	(void)arg;
	while (!stop)
		smp_relax();
}

static void flush_others(u32 wanted, bool flush)
{
	u64 others = ((u64)1 << smp_count()) - 2, limit = rdtsc() + tsc_per_ms() * LIMIT_MS;
	volatile u32 *nmis = smp_nmis[smp_nmi_phases++];

	while (nmis[0] < wanted) {
		s64 answer = flush ? vl_call_mmu_flush_remote(hypercall_page, others,
							      VL_MMU_FLUSH_ALL, 0)
				   : 0;

		CHECK(answer == 0, "mmu_flush_remote answered %#lx", answer);
		CHECK(rdtsc() < limit, "%u NMIs came in time", nmis[0]);
		smp_relax();
	}
}

static void run(u32 wanted, bool virtualized, bool flush)
{
	u32 n = smp_count();

	CHECK(!virtualized || smp_change_all(true) == 0, "no transition");
	stop = false;
	for (u32 cpu = 1; cpu < n; cpu++)
		smp_begin(cpu, wait, NULL);
	flush_others(wanted, flush);
	smp_delay(SETTLE_MS); /* for the others' */
	stop = true;
	for (u32 cpu = 1; cpu < n; cpu++)
		smp_wait(cpu);
	CHECK(!virtualized || smp_change_all(false) == 0, "no transition");
}

/* Two that are looked at one by one, in both modes; and one in which they come as they come. */
TEST_ON_REQUEST(smp_nmi_lines, "U7 I3")
{
	u64 wanted;

	smp_start();
	if (!cmdline_get_hex("nmis", &wanted))
		test_skip("nobody sends NMIs (no `nmis=` on the command line)");
	trap_set_handler(TRAP_NMI, count);
	smp_run_all(open_line, NULL);
	run((u32)wanted, false, false);
	run((u32)wanted, true, false);
	run((u32)wanted, true, true);
	trap_set_handler(TRAP_NMI, NULL);
}

/* --- Vellum's own, of which the guest must not see any --- */

static volatile s64 joined;

static void count_any(const struct trap_frame *frame)
{
	(void)frame;
	smp_nmis[0][0]++;
}

static void join(void *arg)
{
	(void)arg;
	joined = vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 0);
	if (joined == 0)
		wait(NULL);
}

static void flush_one(u32 cpu)
{
	u64 start = rdtsc();
	s64 answer = vl_call_mmu_flush_remote(hypercall_page, (u64)1 << cpu, VL_MMU_FLUSH_ALL, 0);

	CHECK(answer == 0 || answer == (s64)1 << cpu, "mmu_flush_remote answered %#lx", answer);
	CHECK(rdtsc() - start < tsc_per_ms() * LATE_MS, "a flush took %lu ms",
	      (rdtsc() - start) / tsc_per_ms());
}

/* CPU `cpu` joins, and is kicked from the moment on in which it can be; it makes no exit of its
 * own. */
static void flush_while_it_joins(u32 cpu)
{
	joined = 1;
	stop = false;
	smp_begin(cpu, join, NULL);
	while (joined == 1)
		flush_one(cpu);
	CHECK(joined == 0, "CPU %u got %ld", cpu, joined);
	for (u32 i = 0; i < 5; i++)
		flush_one(cpu);
	stop = true;
	smp_wait(cpu);
}

TEST_ON_REQUEST(smp_nmi_kicks, "U7 I3 M8")
{
	u32 n = smp_start();

	trap_set_handler(TRAP_NMI, count_any);
	smp_nmis[0][0] = 0;
	for (u32 i = 0; i < CYCLES; i++) {
		CHECK(verify_image() == 0 &&
			      vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 1) == 0,
		      "one CPU alone");
		for (u32 cpu = 1; cpu < n; cpu++)
			flush_while_it_joins(cpu);
		CHECK(smp_change_all(false) == 0, "no transition");
		CHECK(smp_nmis[0][0] == 0, "cycle %u: %u NMIs, none was sent", i, smp_nmis[0][0]);
	}
	trap_set_handler(TRAP_NMI, NULL);
}

/* --- and of which none waits for what it interrupts --- */

#define MASTER_MASK 0x21u
#define NO_DEVICE   5u /* a line that nothing is on */

static void ignore(const struct trap_frame *frame)
{
	(void)frame;
}

static void flush_first(void *arg)
{
	(void)arg;
	while (!stop) {
		s64 answer = vl_call_mmu_flush_remote(hypercall_page, 1, VL_MMU_FLUSH_ALL, 0);

		CHECK(answer == 0, "mmu_flush_remote answered %#lx", answer);
	}
}

/* A line of the 8259s is open, of which Vellum does not know the vectors: it may be any
 * exception's. Each access takes the lock around them. */
TEST_ON_REQUEST(smp_nmi_in_lock, "U7 I1 I3")
{
	struct smp_rounds r = {.rounds = 3000, .least = 300, .ms = 3000};
	u32 n = smp_start();

	irq_init();
	irq_set_handler(NO_DEVICE, ignore);
	CHECK(smp_change_all(true) == 0, "no transition");
	stop = false;
	for (u32 cpu = 1; cpu < n; cpu++)
		smp_begin(cpu, flush_first, NULL);
	while (smp_next_round(&r))
		CHECK(!(in8(MASTER_MASK) & 1u << NO_DEVICE), "the line is masked");
	stop = true;
	for (u32 cpu = 1; cpu < n; cpu++)
		smp_wait(cpu);
	CHECK(smp_change_all(false) == 0, "no transition");
	irq_set_handler(NO_DEVICE, NULL);
}
