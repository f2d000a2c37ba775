// SPDX-License-Identifier: MIT
/*
 * Transitions whose CPUs come when they like, and do between them whatever makes
 * CPUs meet: each takes its own way through the round, by its own random
 * numbers, with waits of its own. On a debug build with delays= Vellum waits at
 * each lock and meeting, too, and steps of transitions fail.
 *
 * Nobody waits for anybody here: it is Vellum that brings them together.
 */
#include "mini/apic.h"
#include "mini/cmdline.h"
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

#define VECTOR     0x58u
#define SVR_ON     0x1ffu
#define NMI        0x4400u
#define FIXED      (0x4000u | VECTOR)
#define TO_OTHERS  0xc0000u
#define MOST_OPS   6u
#define MOST_WAITS 2000u
#define MOST_STEPS 12u
#define TRIES      1000u

/* Of each CPU. */
struct runner {
	u64 random;
	u64 rounds;
	u64 *page; /* its own, which moves: a number in each word */
	u64 value;
	u64 again, late, failed; /* transitions that answered so */
	u64 moves, flushes;
	volatile u32 arrived, nmis;
	u8 id;
};

static struct runner runners[SMP_MAX_CPUS];

static void note(const struct trap_frame *frame)
{
	(void)frame;
	runners[smp_index()].arrived++;
	apic_write(APIC_EOI, 0);
}

/* On a stack of its own, which does not tell the CPU. */
static void note_nmi(const struct trap_frame *frame)
{
	u8 id = (u8)(cpuid(1).ebx >> 24);

	(void)frame;
	for (u32 i = 0; i < smp_count(); i++)
		runners[i].nmis += runners[i].id == id;
}

static void wait_a_while(struct runner *r)
{
	for (u64 n = random_below(&r->random, MOST_WAITS); n != 0; n--)
		smp_relax();
}

static void let_in(void)
{
	interrupts_on();
	smp_relax(); /* the processor takes none right after STI */
	interrupts_off();
}

/* --- between transitions --- */

static void flush_some(struct runner *r)
{
	u64 cpus = random_below(&r->random, (u64)1 << smp_count());
	u64 space = kernel_space.root.v | VL_MMU_FLUSH_ASID;
	s64 answer;

	if (random_below(&r->random, 2) != 0)
		space = (u64)r->page % 3 == 0 ? VL_MMU_FLUSH_ALL : VL_MMU_FLUSH_PAGE;
	answer = vl_call_mmu_flush_remote(hypercall_page, cpus, space, (u64)r->page);
	r->flushes++;
	CHECK(answer == (is_virtualized() ? 0 : -VL_EPERM), "CPU %u: mmu_flush_remote answered %ld",
	      smp_index(), answer);
}

static void move_page(struct runner *r)
{
	u64 pfn = ptr_to_pa(r->page).v / PAGE_SIZE;

	for (u64 away = 2; away-- > 0;) {
		s64 answer = vl_call_test_move_page(hypercall_page, pfn, away);

		CHECK(answer == (s64)pfn || (away != 0 && answer > 0) || answer == -VL_EOPNOTSUPP,
		      "CPU %u: test_move_page answered %ld", smp_index(), answer);
		r->moves += answer > 0;
		if (random_below(&r->random, 4) == 0)
			break; /* it stays there: a transition brings it home */
	}
}

static void ask(void)
{
	static struct vl_domain_counters counters[SMP_MAX_CPUS] __attribute__((aligned(4096)));
	struct vl_domain_counters *mine = &counters[smp_index()];
	s64 answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(mine).v,
					     sizeof(*mine));

	CHECK(answer == sizeof(*mine), "CPU %u: domain_counters answered %ld", smp_index(), answer);
}

static void use_page(struct runner *r)
{
	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		CHECK(((volatile u64 *)r->page)[i] == r->value, "CPU %u: word %u is %#lx, not %#lx",
		      smp_index(), i, r->page[i], r->value);
	r->value++;
	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		((volatile u64 *)r->page)[i] = r->value;
}

static void do_something(struct runner *r)
{
	switch (random_below(&r->random, 8)) {
	case 0:
	case 1:
		flush_some(r);
		break;
	case 2:
		move_page(r);
		break;
	case 3:
		ask();
		break;
	case 4:
		apic_write(APIC_ICR, TO_OTHERS | (random_below(&r->random, 2) ? FIXED : NMI));
		break;
	case 5:
		let_in();
		break;
	default:
		use_page(r);
	}
	wait_a_while(r);
}

/* --- transitions --- */

static s64 call(bool in)
{
	u64 n = smp_count();

	if (!in)
		return vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, n);
	CHECK(verify_image() == 0, "the image cannot be verified");
	return vl_call_virtualize(hypercall_page, VL_LAYER_ALL, n);
}

static void change(struct runner *r, bool in)
{
	s64 answer;

	if (smp_index() == 0 && random_below(&r->random, 4) == 0)
		vl_call_set_failpoint(hypercall_page, random_below(&r->random, MOST_STEPS));
	for (u32 tries = 0; tries < TRIES; tries++) {
		wait_a_while(r);
		answer = call(in);
		CHECK(is_virtualized() == ((answer == 0) == in), "CPU %u: %ld, and virtualized %u",
		      smp_index(), answer, is_virtualized());
		if (answer == 0)
			return;
		r->again += answer == -VL_EAGAIN;
		r->late += answer == -VL_ETIMEDOUT;
		r->failed += answer == -VL_EIO;
		CHECK(answer == -VL_EAGAIN || answer == -VL_ETIMEDOUT || answer == -VL_EIO,
		      "CPU %u: the transition answered %ld", smp_index(), answer);
		let_in();
	}
	CHECK(false, "CPU %u: no transition in %u tries, the last answered %ld", smp_index(), TRIES,
	      answer);
}

static void run(void *arg)
{
	struct runner *r = &runners[smp_index()];

	(void)arg;
	apic_write(0x0f0, SVR_ON);
	r->id = (u8)(cpuid(1).ebx >> 24);
	for (u64 i = 0; i < 2 * r->rounds; i++) {
		change(r, i % 2 == 0);
		for (u64 n = random_below(&r->random, MOST_OPS); n != 0; n--)
			do_something(r);
	}
	/* What others sent. */
	for (u32 i = 0; i < MOST_WAITS; i++)
		let_in();
	use_page(r);
}

static void prepare(struct runner *r, u32 cpu, u64 seed, u64 rounds)
{
	pa_t page = frame_alloc_zeroed();

	CHECK(page.v != 0, "no frames");
	*r = (struct runner){.random = (seed + cpu) * 0x9e3779b97f4a7c15ull | 1,
			     .rounds = rounds,
			     .page = pa_to_ptr(page)};
}

TEST_ON_REQUEST(smp_race, "U7 M1 M8 M9 I3 I10")
{
	u64 rounds = 20, seed = 1;
	u32 n = smp_start();

	cmdline_get_hex("cycles", &rounds);
	cmdline_get_hex("seed", &seed);
	trap_set_handler(VECTOR, note);
	trap_set_handler(TRAP_NMI, note_nmi);
	for (u32 cpu = 0; cpu < n; cpu++)
		prepare(&runners[cpu], cpu, seed, rounds);
	smp_run_all(run, NULL);
	for (u32 cpu = 0; cpu < n; cpu++) {
		const struct runner *r = &runners[cpu];

		print("# CPU %u: %lu rounds; again %lu, late %lu, failed %lu; %lu flushes, %lu "
		      "moves, %lu uses; %u interrupts, %u NMIs\n",
		      cpu, rounds, r->again, r->late, r->failed, r->flushes, r->moves, r->value,
		      r->arrived, r->nmis);
		frame_free(ptr_to_pa(r->page));
	}
	smp_let_interrupts_in(smp_count()); /* the last that others sent */
	trap_set_handler(TRAP_NMI, NULL);
	trap_set_handler(VECTOR, NULL);
}
