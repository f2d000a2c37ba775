// SPDX-License-Identifier: MIT
/*
 * What CPUs send each other: each kind of message of the local APIC, in both
 * modes; flushes by hypercall, of CPUs that never leave their loop; and pages
 * that move meanwhile.
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
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define VECTOR      0x58u
#define APIC_LDR    0x0d0u
#define APIC_IRR_OF 0x200u
#define ICR_LOWEST  0x100u
#define ICR_NMI     0x400u
#define ICR_LOGICAL 0x800u
#define ICR_BUSY    0x1000u
#define ICR_ASSERT  0x4000u
#define TO_ALL      0x80000u
#define TO_OTHERS   0xc0000u
#define SVR_ON      0x1ffu
#define MS_LIMIT    20000u
#define ROUNDS      20u

static volatile u32 arrived[SMP_MAX_CPUS], nmis[SMP_MAX_CPUS];
static volatile bool stop;
static u8 ids[SMP_MAX_CPUS];

static s64 answers[SMP_MAX_CPUS];

static void leave_one(void *arg)
{
	(void)arg;
	answers[smp_index()] = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, smp_count());
}

static void go(bool in)
{
	s64 answer = smp_change_all(in);

	CHECK(answer == 0, "the transition answered %ld", answer);
}

static void wait_until(volatile u32 *counter, u32 want, const char *what)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	while (*counter < want) {
		CHECK(rdtsc() < limit, "%s: %u came, wanted %u", what, *counter, want);
		smp_relax();
	}
}

/* --- messages --- */

static void note(const struct trap_frame *frame)
{
	(void)frame;
	arrived[smp_index()]++;
	apic_write(APIC_EOI, 0);
}

/* On a stack of its own, which does not tell the CPU. */
static void note_nmi(const struct trap_frame *frame)
{
	u8 id = (u8)(cpuid(1).ebx >> 24);

	(void)frame;
	for (u32 i = 0; i < smp_count(); i++)
		nmis[i] += ids[i] == id;
}

static void set_up_one(void *arg)
{
	u32 cpu = smp_index();

	(void)arg;
	ids[cpu] = (u8)(cpuid(1).ebx >> 24);
	apic_write(APIC_SVR, SVR_ON);
	if (!apic_is_x2apic()) /* there it follows from the id */
		apic_write(APIC_LDR, 1u << (24 + cpu));
}

static u32 logical(u32 cpu)
{
	return apic_is_x2apic() ? (u32)ids[cpu] >> 4 << 16 | 1u << (ids[cpu] & 15) : 1u << cpu;
}

/* Until it is told to stop, with interrupts on and never in Vellum but for what comes. */
static void listen(void *arg)
{
	(void)arg;
	interrupts_on();
	while (!stop)
		smp_relax();
	interrupts_off();
}

static void listen_all(void)
{
	stop = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_begin(cpu, listen, NULL);
}

static void stop_all(void)
{
	stop = true;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_wait(cpu);
}

static void send(u32 destination, u32 command)
{
	apic_send(destination, command);
	if (apic_is_x2apic()) /* Bochs shows the one before that mode */
		return;
	CHECK((apic_read(APIC_ICR) & ~ICR_BUSY) == command, "ICR reads as %#x, not %#x",
	      apic_read(APIC_ICR), command);
	CHECK(apic_read(APIC_ICR_HIGH) == destination << 24, "its upper half as %#x",
	      apic_read(APIC_ICR_HIGH));
}

/* To CPU `to` alone, in `counter`. */
static void send_to(u32 destination, u32 command, volatile u32 *counter, u32 to, const char *what)
{
	u32 before[SMP_MAX_CPUS];

	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		before[i] = counter[i];
	send(destination, command);
	wait_until(&counter[to], before[to] + 1, what);
	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		CHECK(counter[i] == before[i] + (i == to), "%s: CPU %u got %u", what, i,
		      counter[i] - before[i]);
}

static void send_to_all(u32 command, bool self, volatile u32 *counter, const char *what)
{
	u32 before[SMP_MAX_CPUS];

	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		before[i] = counter[i];
	send(0, command);
	for (u32 i = 0; i < smp_count(); i++)
		if (i != 0 || self)
			wait_until(&counter[i], before[i] + 1, what);
	CHECK(counter[0] == before[0] + self, "%s: the sender got %u", what,
	      counter[0] - before[0]);
}

static void each_kind(void)
{
	u32 n = smp_count();

	smp_run_all(set_up_one, NULL);
	listen_all();
	interrupts_on();
	for (u32 i = 0; i < ROUNDS; i++) {
		for (u32 cpu = 1; cpu < n; cpu++) {
			send_to(ids[cpu], ICR_ASSERT | VECTOR, arrived, cpu, "fixed");
			send_to(logical(cpu), ICR_ASSERT | ICR_LOGICAL | VECTOR, arrived, cpu,
				"logical");
			send_to(logical(cpu), ICR_ASSERT | ICR_LOGICAL | ICR_LOWEST | VECTOR,
				arrived, cpu, "lowest");
			send_to(ids[cpu], ICR_ASSERT | ICR_NMI, nmis, cpu, "NMI");
			send_to(logical(cpu), ICR_ASSERT | ICR_LOGICAL | ICR_NMI, nmis, cpu,
				"logical NMI");
		}
		send_to(ids[0], ICR_ASSERT | VECTOR, arrived, 0, "fixed to oneself");
		send_to(0, APIC_ICR_SELF | ICR_ASSERT | VECTOR, arrived, 0, "self");
		send_to_all(TO_OTHERS | ICR_ASSERT | VECTOR, false, arrived, "others");
		send_to_all(TO_ALL | ICR_ASSERT | VECTOR, true, arrived, "all");
		send_to_all(TO_OTHERS | ICR_ASSERT | ICR_NMI, false, nmis, "NMI to others");
	}
	interrupts_off();
	stop_all();
}

TEST_ON_REQUEST(smp_ipi_kinds, "U7 I3")
{
	smp_start();
	trap_set_handler(VECTOR, note);
	trap_set_handler(TRAP_NMI, note_nmi);
	each_kind();
	go(true);
	each_kind();
	go(false);
	each_kind();
	trap_set_handler(TRAP_NMI, NULL);
	trap_set_handler(VECTOR, NULL);
}

/* A CPU that sleeps is woken. It looks with interrupts off, or what tells it to stop might come
 * between the look and the HLT. What it is sent when it has seen that already waits. */
static void sleep_and_count(void *arg)
{
	(void)arg;
	while (!stop) {
		interrupts_on_and_halt();
		interrupts_off();
	}
}

static void wake_each(void)
{
	stop = false;
	smp_run_all(set_up_one, NULL);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_begin(cpu, sleep_and_count, NULL);
	for (u32 i = 0; i < 200; i++) {
		u32 cpu = 1 + i % (smp_count() - 1);

		send_to(ids[cpu], ICR_ASSERT | (i % 3 == 0 ? ICR_NMI : VECTOR),
			i % 3 == 0 ? nmis : arrived, cpu, "to a sleeper");
	}
	stop = true;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		send(ids[cpu], ICR_ASSERT | VECTOR);
		smp_wait(cpu);
	}
}

TEST_ON_REQUEST(smp_ipi_wakes, "U7 I3")
{
	smp_start();
	trap_set_handler(VECTOR, note);
	trap_set_handler(TRAP_NMI, note_nmi);
	wake_each();
	go(true);
	wake_each();
	go(false);
	trap_set_handler(TRAP_NMI, NULL);
	trap_set_handler(VECTOR, NULL);
}

/*
 * What comes while the receiver's flag is off keeps nobody from leaving, nor from entering: it is
 * there when that CPU lets it in, once, as on the bare machine.
 */
TEST_ON_REQUEST(smp_ipi_waits, "U7 I3")
{
	u32 last = smp_start() - 1, before;

	trap_set_handler(VECTOR, note);
	smp_run_all(set_up_one, NULL);
	before = arrived[last];
	send(ids[last], ICR_ASSERT | VECTOR);
	for (u32 i = 0; i < 5; i++) {
		go(true);
		send(ids[last], ICR_ASSERT | VECTOR);
		do
			smp_run_all(leave_one, NULL);
		while (answers[0] == -VL_ETIMEDOUT);
		for (u32 cpu = 0; cpu <= last; cpu++)
			CHECK(answers[cpu] == 0, "CPU %u got %ld", cpu, answers[cpu]);
		CHECK(arrived[last] == before, "it came while interrupts were off");
	}
	smp_let_interrupts_in(smp_count());
	CHECK(arrived[last] == before + 1, "%u came", arrived[last] - before);
	trap_set_handler(VECTOR, NULL);
}

/* INIT to a CPU that runs virtualized is refused: it goes on. */
TEST_ON_REQUEST(smp_init_refused, "U7 I3")
{
	u32 n = smp_start();

	trap_set_handler(VECTOR, note);
	smp_run_all(set_up_one, NULL);
	go(true);
	listen_all();
	for (u32 cpu = 1; cpu < n; cpu++) {
		u32 before = arrived[cpu];

		smp_init(cpu);
		delay_ms(1);
		send(ids[cpu], ICR_ASSERT | VECTOR);
		wait_until(&arrived[cpu], before + 1, "after INIT");
	}
	stop_all();
	go(false);
	trap_set_handler(VECTOR, NULL);
}

/* --- flushes by hypercall --- */

#define PAGES  16u
#define BASE   0x0000210000000000ul
#define POISON 0xdeadbeefdeadbeeful
#define FRAMES (2 * PAGES)

static struct space space, other_space;
static pa_t mapped[PAGES], spare[PAGES];
static volatile u64 reads[SMP_MAX_CPUS];

static u64 va_of(u32 page)
{
	return BASE + (u64)page * PAGE_SIZE;
}

static u64 *entry_of(u32 page)
{
	int level;

	return space_entry(&space, (va_t){va_of(page)}, &level);
}

static void fill(pa_t frame, u64 value)
{
	volatile u64 *words = pa_to_ptr(frame);

	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		words[i] = value;
}

/*
 * Reads and writes without end, with interrupts off and nothing that brings it into Vellum but the
 * kicks; some go to another address space and back, some sleep a little.
 */
static void use_pages(void *arg)
{
	u64 state = 0x1234 + smp_index();
	volatile u64 *word;

	space_load(&space);
	while (!stop) {
		for (u32 i = 0; i < 2000 && !stop; i++) {
			word = (volatile u64 *)va_of((u32)random_below(&state, PAGES)) +
			       smp_index();
			CHECK(*word != POISON, "CPU %u reads a page that was taken away",
			      smp_index());
			if (i % 8 == 0)
				*word = i;
			if (i % 64 == 0)
				smp_relax(); /* lets the other have its turn */
			reads[smp_index()]++;
		}
		if (arg == NULL || random_below(&state, 4) != 0)
			continue;
		space_load(&other_space);
		space_load(&space);
	}
	space_load(&kernel_space);
}

/* Another frame for a page; the old one is somebody else's after the flush. */
static void exchange_page(u32 page, u64 kind, u64 cpus)
{
	pa_t old = mapped[page];
	u64 space_and_kind = (kind == VL_MMU_FLUSH_ALL ? 0 : space.root.v) | kind;
	s64 answer;

	fill(spare[page], 0);
	__atomic_store_n(entry_of(page), spare[page].v | PTE_P | PTE_W, __ATOMIC_SEQ_CST);
	answer = vl_call_mmu_flush_remote(hypercall_page, cpus, space_and_kind, va_of(page));
	CHECK(answer == 0, "mmu_flush_remote answered %#lx", answer);
	fill(old, POISON);
	mapped[page] = spare[page];
	spare[page] = old;
	for (u32 i = 0; i < 200; i++) /* time to read it */
		smp_relax();
	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		CHECK(((volatile u64 *)pa_to_ptr(old))[i] == POISON,
		      "CPU %u wrote to a page that was taken away", i);
}

static void make_spaces(void)
{
	CHECK(space_create(&space) == 0 && space_create(&other_space) == 0, "no frames");
	for (u32 i = 0; i < PAGES; i++) {
		mapped[i] = frame_alloc_zeroed();
		spare[i] = frame_alloc_zeroed();
		CHECK(mapped[i].v != 0 && spare[i].v != 0 &&
			      space_map(&space, (va_t){va_of(i)}, mapped[i], PAGE_SIZE, PTE_W) == 0,
		      "no frames");
	}
}

static void free_spaces(void)
{
	for (u32 i = 0; i < PAGES; i++) {
		frame_free(mapped[i]);
		frame_free(spare[i]);
	}
	space_destroy(&space);
	space_destroy(&other_space);
}

static void storm(bool switching, u32 rounds)
{
	u64 state = 99, cpus = ((u64)1 << smp_count()) - 1;

	stop = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		reads[cpu] = 0;
		smp_begin(cpu, use_pages, switching ? &space : NULL);
	}
	for (u32 i = 0; i < rounds; i++)
		exchange_page((u32)random_below(&state, PAGES), random_below(&state, 3),
			      random_below(&state, 2) ? cpus : cpus & ~(u64)1);
	stop_all();
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		CHECK(reads[cpu] > rounds, "CPU %u has read %lu times only", cpu, reads[cpu]);
}

TEST_ON_REQUEST(smp_flush_remote, "U7 M5 M6")
{
	u32 n = smp_start();
	s64 answer;

	make_spaces();
	answer = vl_call_mmu_flush_remote(hypercall_page, 2, VL_MMU_FLUSH_ALL, 0);
	CHECK(answer == -VL_EPERM, "in passthrough it answered %ld", answer);
	go(true);
	storm(false, 200);
	storm(true, 200);
	answer = vl_call_mmu_flush_remote(hypercall_page, (u64)1 << n, VL_MMU_FLUSH_ALL, 0);
	CHECK(n == VL_MAX_CPUS || answer == (s64)1 << n, "for a CPU that is not there: %#lx",
	      answer);
	answer = vl_call_mmu_flush_remote(hypercall_page, 2, 3, 0);
	CHECK(answer == -VL_EINVAL, "for a kind that is not there: %ld", answer);
	answer = vl_call_mmu_flush_remote(hypercall_page, 2, VL_MMU_FLUSH_PAGE, VL_MMU_FLUSH_PAGES);
	CHECK(answer == -VL_EINVAL, "for too many pages: %ld", answer);
	go(false);
	free_spaces();
}

/* All flush all at once. */
static void flush_each_other(void *arg)
{
	u64 cpus = ((u64)1 << smp_count()) - 1, state = smp_index() + 7;
	struct smp_rounds r = {.rounds = 2000, .least = 100, .ms = 5000};

	(void)arg;
	while (smp_next_round(&r)) {
		s64 answer = vl_call_mmu_flush_remote(hypercall_page, cpus, random_below(&state, 3),
						      va_of((u32)random_below(&state, PAGES)));

		CHECK(answer == 0, "CPU %u got %#lx", smp_index(), answer);
	}
}

TEST_ON_REQUEST(smp_flush_crossed, "U7 M6")
{
	smp_start();
	go(true);
	smp_run_all(flush_each_other, NULL);
	go(false);
}

/* --- pages that move while the others use them: debug builds --- */

static void count_in_pages(void *arg)
{
	(void)arg;
	space_load(&space);
	for (u32 i = 0; !stop; i++) {
		((volatile u64 *)va_of(i % PAGES))[smp_index()]++;
		reads[smp_index()]++;
		if (i % 64 == 0)
			smp_relax();
	}
	space_load(&kernel_space);
}

TEST_ON_REQUEST(smp_move_pages, "U7 M4 M10")
{
	u64 state = 5;
	u32 moves = 0;

	smp_start();
	make_spaces();
	go(true);
	stop = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		reads[cpu] = 0;
		smp_begin(cpu, count_in_pages, NULL);
	}
	for (u32 i = 0; i < 500; i++) {
		u32 page = (u32)random_below(&state, PAGES);
		s64 answer = vl_call_test_move_page(hypercall_page, mapped[page].v / PAGE_SIZE,
						    random_below(&state, 2));

		if (answer == -VL_EOPNOTSUPP)
			break;
		CHECK(answer > 0, "test_move_page answered %ld", answer);
		moves++;
	}
	stop_all();
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		u64 sum = 0;

		for (u32 page = 0; page < PAGES; page++)
			sum += ((volatile u64 *)pa_to_ptr(mapped[page]))[cpu];
		CHECK(sum == reads[cpu], "CPU %u counted to %lu, %lu are left", cpu, reads[cpu],
		      sum);
	}
	print("# %u moves\n", moves);
	go(false);
	free_spaces();
}

/* It joins as soon as no page is away, and may find one moved at any time from then on. */
static void join_and_count(void *arg)
{
	s64 answer;

	do
		answer = vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 0);
	while (answer == -VL_EBUSY && !stop);
	CHECK(answer == 0 || stop, "to join got %ld", answer);
	if (answer == 0)
		count_in_pages(arg);
}

static void move_while_it_joins(u32 cpu, u64 *state)
{
	u64 sum = 0;

	stop = false;
	reads[cpu] = 0;
	for (u32 page = 0; page < PAGES; page++)
		fill(mapped[page], 0);
	smp_begin(cpu, join_and_count, NULL);
	for (u32 i = 0; i < 2000 && reads[cpu] < 5000; i++) {
		u64 pfn = mapped[random_below(state, PAGES)].v / PAGE_SIZE;

		CHECK(vl_call_test_move_page(hypercall_page, pfn, 1) > 0 &&
			      vl_call_test_move_page(hypercall_page, pfn, 0) > 0,
		      "test_move_page");
		smp_relax();
	}
	stop = true;
	smp_wait(cpu);
	for (u32 page = 0; page < PAGES; page++)
		sum += ((volatile u64 *)pa_to_ptr(mapped[page]))[cpu];
	CHECK(sum == reads[cpu], "CPU %u counted to %lu, %lu are left", cpu, reads[cpu], sum);
}

static void leave_if_in(void *arg)
{
	u64 in = *(const u64 *)arg;

	if (is_virtualized())
		answers[smp_index()] = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, in);
}

TEST_ON_REQUEST(smp_join_moves, "U7 M4 M8")
{
	u64 state = 11, in;

	smp_start();
	make_spaces();
	for (u32 i = 0; i < ROUNDS; i++) {
		CHECK(verify_image() == 0 &&
			      vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 1) == 0,
		      "one CPU alone");
		if (vl_call_test_move_page(hypercall_page, mapped[0].v / PAGE_SIZE, 0) ==
		    -VL_EOPNOTSUPP) {
			CHECK(vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 1) == 0, "out");
			free_spaces();
			test_skip("a release build");
		}
		move_while_it_joins(1, &state);
		in = reads[1] != 0 ? 2 : 1;
		do {
			smp_run_all(leave_if_in, &in);
			if (answers[0] == -VL_EAGAIN)
				smp_let_interrupts_in(smp_count());
		} while (answers[0] == -VL_EAGAIN || answers[0] == -VL_ETIMEDOUT);
		CHECK(answers[0] == 0, "out: %ld", answers[0]);
	}
	free_spaces();
}
