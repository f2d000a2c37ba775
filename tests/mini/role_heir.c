// SPDX-License-Identifier: MIT
/*
 * A guest that outlives the one that made it (mini/role_heir.h). What it counts
 * and keeps has to be right whoever has the machine.
 */
#include "mini/role_heir.h"

#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/irq.h"
#include "mini/live.h"
#include "mini/memory.h"
#include "mini/role_io.h"
#include "mini/smp.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define HZ 100

static bool owns_machine; /* by now */

bool role_heir_owns_machine(void)
{
	return owns_machine;
}

#define HEIR_TICKS 30u /* in each state */

/* What this kernel has in memory, other than its text: all frames that it has taken. */
static void live_on(u64 seed, u32 ticks)
{
	u64 end = timer_ticks() + ticks;

	while (timer_ticks() < end) {
		canary_check(seed);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

static u64 ticks_before; /* those that count */

/* Right behind a tick. */
static u64 count_ticks(u64 seed, u32 wait)
{
	live_on(seed, wait);
	ticks_before = timer_ticks();
	return rdtsc();
}

/* The first one may be of the timer's start. */
static u64 begin_ticks(u64 seed)
{
	timer_start(HZ);
	return count_ticks(seed, 2);
}

/* Those that should have come since then, and that have: right behind a tick, too. One that is late
 * because others ran comes as soon as it can. */
static void check_ticks(u64 begin, u64 late)
{
	u64 tick = tsc_per_ms_told() * 1000 / HZ, want = (rdtsc() - begin + tick / 2) / tick;
	u64 got = timer_ticks() - ticks_before;

	if (got > want + (late != 0) || got + late < want)
		panic("%lu ticks have come, not %lu", got, want);
}

/* Single ticks, each programmed anew as the one before comes; Vellum's answer to a call of the
 * first guest's alone says when the machine is ours. */
static void live_by_single_ticks(u64 seed)
{
	u64 more = HEIR_TICKS;

	while (more > 0) {
		u64 limit = rdtsc() + tsc_per_ms_told() * 1000;

		timer_start_once(5000);
		while (timer_ticks() == 0 && rdtsc() < limit) {
			canary_check(seed);
			interrupts_on_and_halt();
			interrupts_off();
		}
		if (timer_ticks() != 1)
			panic("%lu ticks for one, %lu to come", timer_ticks(), more);
		more -= vl_call_verify_image(hypercall_page) != -VL_EPERM;
	}
	timer_stop();
}

static void let_interrupts_in(void)
{
	interrupts_on();
	interrupts_off();
}

/* Each step and each allocation of the first calls fails in turn, in a debug build; our memory is
 * what it was after each. */
static s64 devirtualize_in_spite_of_failures(u64 seed)
{
	u64 failed = 0;

	for (u64 step = 1;; step++) {
		s64 answer = vl_call_set_failpoint(hypercall_page, step);

		if (answer < 0)
			return answer == -VL_EPERM ? answer : devirtualize();
		answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
		canary_check(seed);
		failed += answer == -VL_EIO || answer == -VL_ENOMEM;
		if (answer == 0)
			print("# heir: %lu of %lu calls failed\n", failed, step);
		else if (answer == -VL_EAGAIN)
			let_interrupts_in();
		if (answer != -VL_EAGAIN && answer != -VL_EIO && answer != -VL_ENOMEM)
			return answer;
	}
}

/* Its other vcpus, as long as it has them; each lets the others have the CPU. */
static volatile bool they_work = true;
static volatile u64 work_done;
static u32 vcpus_left;

static void work(void *arg)
{
	(void)arg;
	while (they_work) {
		work_done++;
		vl_call_yield(hypercall_page);
	}
}

static void start_vcpus(void)
{
	char one[2];
	u32 count = cmdline_get("vcpus", one, sizeof(one)) ? smp_start_so_many("vcpus") : 1;

	for (u32 cpu = 1; cpu < count; cpu++)
		smp_begin(cpu, work, NULL);
}

static void leave_vcpus(void)
{
	they_work = false;
	vcpus_left = smp_count();
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_wait(cpu);
	smp_leave();
}

/* For a tick, and what it is asked for then. */
static void serve_on(u64 seed)
{
	live_on(seed, 1);
	if (smp_count() > 1 && vl_call_control_read(hypercall_page) == VL_ASKED_FOR_ONE_VCPU)
		leave_vcpus();
}

/* A page of the guest's that is gone. */
#define NOT_GIVEN 0x200000u

static bool has_page(u64 pa)
{
	return vl_call_hv_info(hypercall_page, pa, 64) == 64;
}

static s64 claim(void)
{
	static struct vl_memory_range map[20] __attribute__((aligned(512)));

	return vl_call_memory_claim(hypercall_page, ptr_to_pa(map).v, sizeof(map));
}

/* What else there is of the machine. */
static void claim_memory(void)
{
	s64 count;

	if (has_page(NOT_GIVEN))
		panic("it has another's memory");
	count = claim();
	if (count < 1 || !has_page(NOT_GIVEN))
		panic("memory_claim answered %ld", count);
}

/* --- a tick that came before the machine was ours, and is taken when it is bare --- */

#define LINE_SERIAL 4
#define HELD_LIMIT  20000u /* ms */

static u32 taken;

static void take_it(const struct trap_frame *frame)
{
	(void)frame;
	taken++;
}

/* Its own ticks are nothing to this guest, which uses another line. */
static void hold_a_tick(void)
{
	timer_start_once(1000);
	irq_set_handler(IRQ_TIMER, NULL);
	irq_set_handler(LINE_SERIAL, take_it);
	while (!irq_is_pending(IRQ_TIMER))
		vl_call_yield(hypercall_page);
	print("the heir waits\n");
}

static s64 devirtualize_with_a_tick(u64 seed)
{
	u64 limit = 0;
	s64 answer;

	do {
		canary_check(seed);
		let_interrupts_in();
		answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
		if (answer == -VL_EPERM || limit == 0)
			limit = rdtsc() + HELD_LIMIT * tsc_per_ms_told();
	} while ((answer == -VL_EPERM || answer == -VL_EAGAIN) && rdtsc() < limit);
	irq_set_handler(LINE_SERIAL, NULL);
	if (answer == 0) {
		irq_set_handler(IRQ_TIMER, take_it);
		interrupts_on();
		asm volatile("nop; nop");
		interrupts_off();
		irq_set_handler(IRQ_TIMER, NULL);
		print("# heir: ticks that were held back: %u\n", taken);
	}
	return answer;
}

/* Virtualized by now or not, its ticks go on. At the end it is the only guest of a bare machine,
 * and runs tests. */
void role_heir(void)
{
	u64 seed = canary_begin(), start = 0;
	char word[2];
	bool live, claims, held = cmdline_get("held", word, sizeof(word));
	bool keeper = cmdline_get("keeper", word, sizeof(word));
	s64 answer;

	if (keeper)
		keeper_write();
	if (cmdline_get("single", word, sizeof(word))) {
		print("the heir waits\n");
		live_by_single_ticks(seed);
	}
	live = cmdline_get("live", word, sizeof(word));
	if (live)
		live_begin();
	start_vcpus();
	if (held) {
		hold_a_tick();
	} else {
		start = begin_ticks(seed);
		print("the heir waits\n");
	}
	if (live || smp_count() > 1) {
		while (vl_call_verify_image(hypercall_page) == -VL_EPERM)
			serve_on(seed);
		/* Until here others had the CPU, too, in Bochs for more ticks at a time than a PIC
		 * can keep. */
		start = count_ticks(seed, 1);
	}
	if (live) {
		live_home();
		live_on(seed, 1);
		check_ticks(start, 1);
		live_check();
		start = count_ticks(seed, 2);
	}
	answer = held ? devirtualize_with_a_tick(seed) : -VL_EPERM;
	while (answer == -VL_EPERM) {
		serve_on(seed);
		check_ticks(start, 1);
		answer = devirtualize_in_spite_of_failures(seed);
	}
	owns_machine = answer == 0;
	if (!owns_machine)
		panic("devirtualize answered %ld", answer);
	print("\n# heir: the machine is mine, after %lu ticks\n", timer_ticks());
	if (work_done > 0)
		print("# heir: vcpus that have worked: %u, now: %u\n", vcpus_left, smp_count());
	if (is_virtualized())
		panic("at ring 3");
	claims = cmdline_get("claim", word, sizeof(word));
	if (claims)
		claim_memory();
	start = begin_ticks(seed);
	live_on(seed, HEIR_TICKS);
	check_ticks(start, 1);
	answer = virtualize(0);
	if (answer != 0)
		panic("virtualize answered %ld", answer);
	if (claims != has_page(NOT_GIVEN) || claim() != -VL_EBUSY)
		panic("its memory is not what it was in passthrough");
	live_on(seed, HEIR_TICKS);
	check_ticks(start, 1);
	answer = devirtualize();
	if (answer != 0)
		panic("devirtualize answered %ld", answer);
	live_on(seed, HEIR_TICKS);
	check_ticks(start, 1);
	timer_stop();
	if (keeper)
		keeper_check();
}
