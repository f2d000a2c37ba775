// SPDX-License-Identifier: MIT
/*
 * Guests that share several CPUs: the first guest's CPU 0 makes, pauses and ends
 * them on whichever CPU they are, and asks another CPU's vcpu for things, which
 * may not be running at that moment.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/other.h"
#include "mini/paging.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/tests/domains.h"
#include "mini/tests/later.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define GUESTS  5u
#define ROUNDS  6u
#define FLUSHES 50u
#define SHORT   2000000u /* TSC ticks */

static bool over;

static void work(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		smp_relax();
}

static u64 ran(u64 domid)
{
	return later_info(domid)->run;
}

static void flush_others(void)
{
	u64 cpus = ((u64)1 << smp_count()) - 2;

	for (u32 i = 0; i < FLUSHES; i++) {
		s64 absent = vl_call_mmu_flush_remote(hypercall_page, cpus,
						      kernel_space.root.v | VL_MMU_FLUSH_ASID, 0);

		CHECK(absent == 0, "mmu_flush_remote answered %ld", absent);
	}
}

static void pause_each(const u64 *domid)
{
	for (u32 i = 0; i < GUESTS; i++) {
		s64 answer = vl_call_domain_pause(hypercall_page, domid[i]);
		u64 before = ran(domid[i]);

		if (answer != 0)
			other_print_log();
		CHECK(answer == 0, "pause answered %ld", answer);
		later_spend(SHORT);
		CHECK(ran(domid[i]) == before, "it runs while it is paused");
		answer = vl_call_domain_unpause(hypercall_page, domid[i]);
		CHECK(answer == 0, "unpause answered %ld", answer);
	}
}

static void one_round(u32 round)
{
	static const u32 what[GUESTS] = {LATER_SPINS, LATER_CHECKS, LATER_CALLS, LATER_FLUSHES,
					 LATER_SPINS};
	u64 domid[GUESTS], before[GUESTS];

	for (u32 i = 0; i < GUESTS; i++)
		domid[i] = later_begin_many(what[(i + round) % GUESTS], i * LATER_PAGES,
					    VL_WEIGHT_USUAL, 1 + (i + round) % 3);
	flush_others();
	pause_each(domid);
	for (u32 i = 0; i < GUESTS; i++)
		before[i] = ran(domid[i]);
	for (u32 i = 0; i < GUESTS; i++)
		for (u64 start = rdtsc(); ran(domid[i]) == before[i];)
			CHECK(rdtsc() - start < (u64)1 << 34, "guest %u does not run", i);
	for (u32 i = 0; i < GUESTS; i++) {
		CHECK(later_state(domid[i]) == VL_STATE_RUNNING, "guest %u is %u", i,
		      guest_info.state);
		guest_destroy(domid[i]);
	}
}

TEST_ON_REQUEST(smp_sched, "U7 I4 U4")
{
	u64 rounds = ROUNDS, free;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	smp_start();
	CHECK(smp_change_all(true) == 0, "no transition");
	cmdline_get_hex("rounds", &rounds);
	guests_take_frames(GUESTS * LATER_PAGES);
	over = false;
	for (u32 i = 1; i < smp_count(); i++)
		smp_begin(i, work, NULL);
	one_round(0);
	free = guests_partition_free();
	for (u32 i = 1; i < rounds; i++)
		one_round(i);
	CHECK(guests_free_settles(free), "%lu bytes free, there were %lu", guests_partition_free(),
	      free);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	for (u32 i = 1; i < smp_count(); i++)
		smp_wait(i);
	guests_free_frames(GUESTS * LATER_PAGES);
	CHECK(smp_change_all(false) == 0, "no transition");
	CHECK(!is_virtualized(), "not devirtualized");
}
