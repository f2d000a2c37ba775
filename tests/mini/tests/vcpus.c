// SPDX-License-Identifier: MIT
/*
 * What a later guest of several vcpus finds: how they are started, what they send
 * each other, memory and page tables that they share. For such a guest
 * (company_suite, suite=vcpus*), with cpus= on its command line; on the bare
 * machine they are the tests smp_*.
 */
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define VECTOR     0x58u
#define APIC_ID    0x020u
#define APIC_LDR   0x0d0u
#define ICR_NMI    0x400u
#define ICR_LOGIC  0x800u
#define TO_ALL     0x80000u
#define TO_OTHERS  0xc0000u
#define SVR_ON     0x1ffu
#define LIMIT_MS   20000u
#define MANY       300u
#define EACH       8u
#define NMIS       8u
#define TURNS      1500u
#define ROUNDS     20u
#define VA         0x0000200000000000ul
#define BASE_IS_BP 0x100u
#define MONITORS   (1u << 3) /* CPUID 1, ECX */

static volatile u32 arrived[SMP_MAX_CPUS], nmis[SMP_MAX_CPUS];
static volatile bool stop;

static void note(const struct trap_frame *frame)
{
	(void)frame;
	arrived[smp_index()]++;
	apic_write(APIC_EOI, 0);
}

static void note_nmi(const struct trap_frame *frame)
{
	(void)frame;
	nmis[smp_index()]++;
}

static void wait_for(volatile u32 *counter, u32 want, const char *what)
{
	u64 limit = rdtsc() + tsc_per_ms() * LIMIT_MS;

	while (*counter < want) {
		CHECK(rdtsc() < limit, "%s: %u came, wanted %u", what, *counter, want);
		smp_relax();
	}
}

static void set_up_one(void *arg)
{
	(void)arg;
	apic_write(APIC_SVR, SVR_ON);
	apic_write(APIC_LDR, 1u << (24 + smp_index()));
}

static u32 begin(void)
{
	u32 count = smp_start();

	CHECK(is_virtualized(), "not virtualized");
	tsc_per_ms();
	smp_run_all(set_up_one, NULL);
	trap_set_handler(VECTOR, note);
	trap_set_handler(TRAP_NMI, note_nmi);
	stop = false;
	return count;
}

static void listen(void *arg)
{
	(void)arg;
	interrupts_on();
	while (!stop)
		smp_relax();
	interrupts_off();
}

static void listen_halted(void *arg)
{
	(void)arg;
	while (!stop) {
		interrupts_on_and_halt();
		interrupts_off();
	}
}

static void begin_others(void (*fn)(void *))
{
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_begin(cpu, fn, NULL);
}

/* One that was awake may have seen that before its interrupt, which is not to count later. */
static void end_others(void)
{
	stop = true;
	if (smp_count() > 1)
		apic_send(0, TO_OTHERS | VECTOR);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_wait(cpu);
	smp_let_interrupts_in(smp_count());
}

static void check_id(void *arg)
{
	u64 base = read_msr(MSR_APIC_BASE);

	(void)arg;
	CHECK(apic_read(APIC_ID) >> 24 == smp_index(), "APIC id %#x", apic_read(APIC_ID));
	CHECK(((base & BASE_IS_BP) != 0) == (smp_index() == 0), "APIC_BASE %#lx", base);
	CHECK(!interrupts_are_on(), "interrupts are on");
}

TEST_ON_REQUEST(vcpus_start, "U1 U7")
{
	static const u32 wrong[] = {VL_MAX_CPUS, ~0u};
	u32 count = begin();
	s64 answer;

	smp_run_all(check_id, NULL);
	for (u32 i = 0; i < count; i++) {
		answer = smp_start_vcpu(VL_DOMID_SELF, i);
		CHECK(answer == -VL_EBUSY, "the second start of %u answered %ld", i, answer);
		answer = smp_start_vcpu(start_info->domid, i);
		CHECK(answer == -VL_EBUSY, "by its id it answered %ld", answer);
	}
	answer = smp_start_vcpu(VL_DOMID_SELF, count);
	CHECK(answer == -VL_ENOENT, "a vcpu too many: %ld", answer);
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		answer = smp_start_vcpu(VL_DOMID_SELF, wrong[i]);
		CHECK(answer == -VL_ENOENT, "vcpu %#x: %ld", wrong[i], answer);
	}
	answer = smp_start_vcpu(0, 0);
	CHECK(answer == -VL_EPERM, "of the first guest: %ld", answer);
}

/* --- messages --- */

/* As long as one is on its way a second of the same vector is one with it; so each is waited for.
 */
static void send_one(u32 destination, u32 command, u32 set, const char *what)
{
	u32 before[SMP_MAX_CPUS];

	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		before[i] = arrived[i];
	apic_send(destination, command | VECTOR);
	for (u32 i = 0; i < smp_count(); i++)
		if (set >> i & 1)
			wait_for(&arrived[i], before[i] + 1, what);
	for (u32 i = 0; i < smp_count(); i++)
		CHECK(arrived[i] == before[i] + (set >> i & 1), "%s: vcpu %u got %u", what, i,
		      arrived[i] - before[i]);
}

static void send_each(u32 rounds)
{
	u32 all = (1u << smp_count()) - 1;

	interrupts_on();
	for (u32 i = 0; i < rounds; i++) {
		u32 to = i % smp_count();

		send_one(to, 0, 1u << to, "physical");
		send_one(1u << to, ICR_LOGIC, 1u << to, "logical");
		send_one(0, APIC_ICR_SELF, 1, "self");
		send_one(0, TO_OTHERS, all & ~1u, "others");
		send_one(0, TO_ALL, all, "all");
	}
	interrupts_off();
}

TEST_ON_REQUEST(vcpus_ipi, "I3 I8 U7")
{
	u64 start, each;

	begin();
	begin_others(listen);
	send_each(EACH);
	end_others();
	stop = false;
	begin_others(listen_halted);
	send_each(EACH);
	start = rdtsc();
	for (u32 i = 0; smp_count() > 1 && i < MANY; i++) {
		u32 before = arrived[1];

		apic_send(1, VECTOR);
		wait_for(&arrived[1], before + 1, "to one that halts");
	}
	each = (rdtsc() - start) / MANY;
	print("# %u messages, %lu ns each\n", MANY, each * 1000000 / tsc_per_ms());
	end_others();
}

static void pass_on(const struct trap_frame *frame)
{
	u32 cpu = smp_index(), next = (cpu + 1) % smp_count();

	(void)frame;
	apic_write(APIC_EOI, 0);
	if (++arrived[cpu] < MANY || next != 0)
		apic_send(next, VECTOR);
}

static void halt_until_done(void *arg)
{
	(void)arg;
	while (arrived[smp_index()] < MANY) {
		interrupts_on_and_halt();
		interrupts_off();
	}
}

/* One message goes round, and nobody is awake but its receiver. */
TEST_ON_REQUEST(vcpus_ring, "I3 I8 U7")
{
	begin();
	trap_set_handler(VECTOR, pass_on);
	memset((void *)arrived, 0, sizeof(arrived));
	begin_others(halt_until_done);
	apic_send(0, VECTOR);
	halt_until_done(NULL);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_wait(cpu);
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		CHECK(arrived[cpu] == MANY, "vcpu %u got %u of %u", cpu, arrived[cpu], MANY);
}

static volatile bool awake[SMP_MAX_CPUS];

static void sleep_deaf(void *arg)
{
	(void)arg;
	interrupts_off();
	while (!stop)
		asm volatile("hlt");
	awake[smp_index()] = true;
}

static void listen_for_nmis(void *arg)
{
	listen(arg);
	awake[smp_index()] = true;
}

/* One NMI may come just before a HLT. Each is waited for: none is under way when the next count
 * begins. */
static void wake(u32 cpu)
{
	stop = true;
	while (!awake[cpu]) {
		u32 before = nmis[cpu];

		apic_send(cpu, ICR_NMI);
		wait_for(&nmis[cpu], before + 1, "to wake it");
		smp_delay(1);
	}
	smp_wait(cpu);
}

static void send_nmis(void (*how)(void *), const char *what)
{
	u32 before[SMP_MAX_CPUS];

	for (u32 i = 0; i < SMP_MAX_CPUS; i++) {
		before[i] = nmis[i];
		awake[i] = false;
	}
	stop = false;
	begin_others(how);
	for (u32 i = 1; i <= NMIS; i++) {
		for (u32 cpu = 1; cpu < smp_count(); cpu++) {
			apic_send(cpu, ICR_NMI);
			wait_for(&nmis[cpu], before[cpu] + i, what);
		}
	}
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		CHECK(nmis[cpu] == before[cpu] + NMIS, "%s: vcpu %u got %u", what, cpu,
		      nmis[cpu] - before[cpu]);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		wake(cpu);
	CHECK(nmis[0] == before[0], "the sender got %u", nmis[0] - before[0]);
}

/* To those that halt without interrupts, too. */
TEST_ON_REQUEST(vcpus_nmi, "I3 U7")
{
	begin();
	send_nmis(listen_for_nmis, "to one that spins");
	send_nmis(sleep_deaf, "to one that is deaf");
}

/* --- memory --- */

static u32 lock;
static volatile u64 guarded[2];

/* Some of which lose the CPU while they have it. */
static void take_turns(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < TURNS; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0)
			smp_relax();
		CHECK(guarded[0] == guarded[1], "%lu and %lu", guarded[0], guarded[1]);
		guarded[0]++;
		if (i % 64 == 0)
			vl_call_yield(hypercall_page);
		guarded[1]++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
}

TEST_ON_REQUEST(vcpus_lock, "I2 U7")
{
	u32 count = begin();

	guarded[0] = guarded[1] = 0;
	smp_run_all(take_turns, NULL);
	CHECK(guarded[0] == (u64)count * TURNS && guarded[1] == guarded[0], "%lu turns",
	      guarded[0]);
}

/* What all but one do all the time: read a page, or write to it, of which the one says which it is
 * at least. It is 0 as long as the page is not there. */
static volatile u64 version, faults;
static struct space space;

static void load_space(void *arg)
{
	space_load(arg);
}

static void read_page(void *arg)
{
	*(u64 *)arg = *(volatile u64 *)VA;
}

static void write_page(void *arg)
{
	((volatile u64 *)VA)[1 + smp_index()] = *(u64 *)arg;
}

static void use_page(void *arg)
{
	struct trap_info info;

	(void)arg;
	while (!stop) {
		u64 least = __atomic_load_n(&version, __ATOMIC_SEQ_CST), seen = least;

		if (trap_catch(smp_index() % 2 != 0 ? read_page : write_page, &seen, &info)) {
			CHECK(info.vector == TRAP_PF, "vector %lu", info.vector);
			__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
		} else if (seen < least) {
			test_fail("a page of before is used");
		}
	}
}

static void flush_everywhere(void)
{
	u64 cpus = ((u64)1 << smp_count()) - 1;
	s64 absent = vl_call_mmu_flush_remote(hypercall_page, cpus,
					      space.root.v | VL_MMU_FLUSH_PAGE, VA);

	CHECK(absent == 0, "mmu_flush_remote answered %#lx", absent);
}

/* Some turns for the others, by whose slices it is. */
static void let_others_run(void)
{
	u64 before = faults, limit = rdtsc() + 20 * tsc_per_ms();

	while (faults == before && rdtsc() < limit)
		smp_relax();
}

/* Another frame for the page, then for a while none: what was written to the old frame once nobody
 * can reach it any more would show. */
static void exchange(u64 *entry, pa_t from, pa_t to, u64 number)
{
	volatile u64 *old = pa_to_ptr(from), *new = pa_to_ptr(to);
	u64 was[SMP_MAX_CPUS + 1];

	*entry = 0;
	flush_everywhere();
	for (u32 i = 0; i <= SMP_MAX_CPUS; i++)
		was[i] = old[i];
	let_others_run();
	for (u32 i = 0; i <= SMP_MAX_CPUS; i++)
		CHECK(old[i] == was[i], "word %u of a page that is gone becomes %#lx", i, old[i]);
	*new = number;
	*entry = to.v | PTE_P | PTE_W;
	__atomic_store_n(&version, number, __ATOMIC_SEQ_CST);
	let_others_run();
}

/* And the right to write alone. */
static void protect(u64 *entry, pa_t frame)
{
	volatile u64 *page = pa_to_ptr(frame);
	u64 was[SMP_MAX_CPUS + 1];

	__atomic_fetch_and(entry, ~(u64)PTE_W, __ATOMIC_SEQ_CST);
	flush_everywhere();
	for (u32 i = 0; i <= SMP_MAX_CPUS; i++)
		was[i] = page[i];
	let_others_run();
	for (u32 i = 0; i <= SMP_MAX_CPUS; i++)
		CHECK(page[i] == was[i], "word %u of a page that is read only", i);
	__atomic_fetch_or(entry, PTE_W, __ATOMIC_SEQ_CST);
}

TEST_ON_REQUEST(vcpus_unmap, "M5 M6 U7")
{
	pa_t frame[2] = {frame_alloc_zeroed(), frame_alloc_zeroed()};
	u64 *entry;
	int level;
	s64 absent;

	begin();
	CHECK(frame[0].v != 0 && frame[1].v != 0 && space_create(&space) == 0 &&
		      space_map(&space, (va_t){VA}, frame[0], PAGE_SIZE, PTE_W) == 0,
	      "no frames");
	entry = space_entry(&space, (va_t){VA}, &level);
	absent = vl_call_mmu_flush_remote(hypercall_page, (u64)1 << smp_count(), VL_MMU_FLUSH_ALL,
					  0);
	CHECK(absent == (s64)1 << smp_count(), "for a vcpu that is not there: %#lx", absent);
	version = faults = 0;
	smp_run_all(load_space, &space);
	begin_others(use_page);
	for (u64 i = 1; i <= ROUNDS; i++) {
		exchange(entry, frame[(i - 1) % 2], frame[i % 2], i);
		protect(entry, frame[i % 2]);
	}
	stop = true;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_wait(cpu);
	smp_run_all(load_space, &kernel_space);
	CHECK(faults > 0 || smp_count() == 1, "nobody looked in time");
	print("# %u exchanges, %lu faults\n", ROUNDS, faults);
	frame_free(frame[0]);
	frame_free(frame[1]);
	space_destroy(&space);
}

/* --- MWAIT --- */

static volatile u64 line[64] __attribute__((aligned(64)));

static void answer_stores(void *arg)
{
	volatile u64 *own = &line[8 * smp_index()];

	(void)arg;
	for (u64 want = 1; want <= EACH; want++) {
		while (own[0] < want) {
			asm volatile("monitor" ::"a"(own), "c"(0), "d"(0) : "memory");
			if (own[0] < want)
				asm volatile("mwait" ::"a"(0), "c"(0) : "memory");
		}
		own[1] = want;
	}
}

/* A store wakes one, with no interrupt; one that nobody wakes lets the others run. */
TEST_ON_REQUEST(vcpus_mwait, "I3 U7")
{
	begin();
	if (!(cpuid(1).ecx & MONITORS))
		return;
	memset((void *)line, 0, sizeof(line));
	begin_others(answer_stores);
	for (u64 i = 1; i <= EACH; i++) {
		for (u32 cpu = 1; cpu < smp_count(); cpu++) {
			u64 limit = rdtsc() + tsc_per_ms() * LIMIT_MS;

			line[8 * cpu] = i;
			while (line[8 * cpu + 1] != i) {
				CHECK(rdtsc() < limit, "vcpu %u does not wake", cpu);
				smp_relax();
			}
		}
	}
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_wait(cpu);
}
