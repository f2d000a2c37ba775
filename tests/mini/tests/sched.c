// SPDX-License-Identifier: MIT
/*
 * Guests that share a CPU: what each gets, who is woken how soon, that nobody
 * finds the processor changed, and how they end.
 */
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/later.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define SLICE     slice()
#define MIN_SLICE ((u64)1 << 18)
#define USUAL     VL_WEIGHT_USUAL
#define MANY      4u
#define TICKS     60u
#define ROUNDS    5u
#define YIELDS    1000u

/* TSC ticks: Vellum's, 5 ms, but not less than it is worth. */
static u64 slice(void)
{
	u64 ticks = 5 * tsc_per_ms();

	return ticks < MIN_SLICE ? MIN_SLICE : ticks;
}

static void begin(u32 guests)
{
	tsc_per_ms();
	guests_go_in();
	guests_take_frames(guests * LATER_PAGES);
}

static void end(u32 guests)
{
	s64 answer;

	guests_free_frames(guests * LATER_PAGES);
	guests_read_hv();
	CHECK(guests_hv.nr_domains == 1, "%u domains", guests_hv.nr_domains);
	answer = devirtualize();
	CHECK(answer == 0, "devirtualize answered %ld", answer);
}

static u64 ran(u64 domid)
{
	return later_info(domid)->run;
}

/* Whether each of the domains gets its share, but for the slice that it has had or not. */
static void check_shares(const u64 *domid, const u64 *weight, u32 count, u64 slices, u64 percent)
{
	u64 before[MANY + 1], got[MANY + 1], all = 0, weights = 0;

	for (u32 i = 0; i < count; i++)
		before[i] = ran(domid[i]);
	later_spend(slices * SLICE);
	for (u32 i = 0; i < count; i++) {
		got[i] = ran(domid[i]) - before[i];
		all += got[i];
		weights += weight[i];
	}
	for (u32 i = 0; i < count; i++) {
		u64 want = all * weight[i] / weights,
		    off = got[i] > want ? got[i] - want : want - got[i];

		print("# domain %lu of weight %lu: %lu of 1000, by its weight %lu\n", domid[i],
		      weight[i], got[i] * 1000 / all, weight[i] * 1000 / weights);
		CHECK(off <= want * percent / 100 + SLICE, "domain %lu ran %lu, its share is %lu",
		      domid[i], got[i], want);
	}
}

TEST_ON_REQUEST(sched_shares, "U2 U4")
{
	u64 domid[3] = {0}, weight[3] = {USUAL, USUAL, 3 * USUAL};
	s64 answer;

	begin(2);
	domid[1] = later_begin(LATER_SPINS, 0, USUAL);
	domid[2] = later_begin(LATER_SPINS, LATER_PAGES, 3 * USUAL);
	check_shares(domid, weight, 3, 120, 5);
	answer = vl_call_domain_weight(hypercall_page, domid[1], 2 * USUAL);
	CHECK(answer == 2 * USUAL, "domain_weight answered %ld", answer);
	answer = vl_call_domain_weight(hypercall_page, VL_DOMID_SELF, 0);
	CHECK(answer == USUAL, "domain_weight of 0 answered %ld", answer);
	weight[1] = 2 * USUAL;
	check_shares(domid, weight, 3, 120, 5);
	guest_destroy(domid[1]);
	guest_destroy(domid[2]);
	end(2);
}

/* The vcpus of a domain have its share together, whatever they do; and what one leaves the others
 * have. */
TEST_ON_REQUEST(sched_shares_of_several, "U2 U4 U7")
{
	static const u32 how[] = {LATER_SPINS, LATER_FLUSHES};
	static const u64 weight[3] = {USUAL, USUAL, USUAL};
	u64 domid[3] = {0};

	begin(2);
	for (u32 i = 0; i < ARRAY_SIZE(how); i++) {
		domid[1] = later_begin(LATER_SPINS, 0, USUAL);
		domid[2] = later_begin_many(how[i], LATER_PAGES, USUAL, 2 + i);
		check_shares(domid, weight, 3, 90, 5);
		guest_destroy(domid[1]);
		guest_destroy(domid[2]);
	}
	end(2);
}

/* Those that do other things than spin get no more than their share, and take nothing from the
 * others; who yields has less. */
TEST_ON_REQUEST(sched_shares_of_the_hostile, "I4 U4")
{
	static const u32 how[] = {LATER_CALLS, LATER_FLUSHES, LATER_YIELDS};
	static const u64 weight[3] = {USUAL, USUAL, USUAL};
	u64 domid[3] = {0};

	begin(2);
	for (u32 i = 0; i < ARRAY_SIZE(how); i++) {
		domid[1] = later_begin(LATER_SPINS, 0, USUAL);
		domid[2] = later_begin(how[i], LATER_PAGES, USUAL);
		check_shares(domid, weight, how[i] == LATER_YIELDS ? 2 : 3, 60, 10);
		CHECK(later_state(domid[2]) == VL_STATE_RUNNING, "it has ended");
		guest_destroy(domid[1]);
		guest_destroy(domid[2]);
	}
	end(2);
}

/* Each interrupt is the first guest's, and makes it ready. */
TEST_ON_REQUEST(sched_shares_in_a_storm, "I3 I4 U4")
{
	static const u64 weight[2] = {USUAL, USUAL};
	u64 domid[2] = {0}, ticks;

	begin(1);
	domid[1] = later_begin(LATER_SPINS, 0, USUAL);
	timer_start(10000);
	interrupts_on();
	check_shares(domid, weight, 2, 60, 10);
	interrupts_off();
	timer_stop();
	ticks = timer_ticks();
	print("# %lu interrupts came in %u slices\n", ticks, 60);
	CHECK(ticks > 60, "%lu interrupts", ticks);
	guest_destroy(domid[1]);
	end(1);
}

/* --- sleep and interrupts --- */

static void wait_for_ticks(u64 count)
{
	u64 limit = rdtsc() + tsc_per_ms() * 10000;

	while (timer_ticks() < count) {
		CHECK(rdtsc() < limit, "%lu of %lu ticks", timer_ticks(), count);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

/* The first guest sleeps, but for its timer; another has nearly all of the CPU. */
TEST_ON_REQUEST(sched_sleeps, "I3 U4")
{
	u64 domid, before, start, ticks, other;

	begin(1);
	domid = later_begin(LATER_SPINS, 0, USUAL);
	before = ran(domid);
	start = rdtsc();
	timer_start(200);
	wait_for_ticks(TICKS);
	timer_stop();
	ticks = rdtsc() - start;
	other = ran(domid) - before;
	print("# %u ticks of 200 Hz: %lu ms, %lu of 1000 were the other's\n", TICKS,
	      ticks / tsc_per_ms(), other * 1000 / ticks);
	CHECK(other > ticks * 8 / 10, "the other ran %lu of %lu ticks", other, ticks);
	CHECK(later_info(0)->wakes >= TICKS - 2, "%lu wakes", later_info(0)->wakes);
	guest_destroy(domid);
	end(1);
}

/* Nobody has anything to do: the CPU halts, and the timer still wakes who waits for it. */
TEST_ON_REQUEST(sched_all_sleep, "I3 U4")
{
	u64 domid, before, start, ticks;

	begin(1);
	domid = later_begin(LATER_PARKS, 0, USUAL);
	later_spend(4 * SLICE);
	before = ran(0) + ran(domid);
	start = rdtsc();
	timer_start(200);
	wait_for_ticks(TICKS);
	timer_stop();
	ticks = rdtsc() - start;
	before = ran(0) + ran(domid) - before;
	print("# both ran %lu of 1000\n", before * 1000 / ticks);
	CHECK(before < ticks / 2, "they ran %lu of %lu ticks", before, ticks);
	CHECK(later_state(domid) == VL_STATE_RUNNING, "it is %u", guest_info.state);
	guest_destroy(domid);
	end(1);
}

/* From the time at which the PIT's one tick was asked for, to its handler. */
TEST_ON_REQUEST(sched_latency, "I3 U4")
{
	u64 domid, worst = 0, sum = 0, count = 20;

	begin(1);
	domid = later_begin(LATER_SPINS, 0, USUAL);
	for (u64 i = 0; i < count; i++) {
		u64 start = rdtsc(), late;

		timer_start_once(5000);
		wait_for_ticks(1);
		late = rdtsc() - start;
		late = late > tsc_per_ms() * 5 ? late - tsc_per_ms() * 5 : 0;
		worst = late > worst ? late : worst;
		sum += late;
	}
	timer_stop();
	print("# from the timer's expiry to the guest: %lu ns on average, %lu at worst\n",
	      sum / count * 1000000 / tsc_per_ms(), worst * 1000000 / tsc_per_ms());
	CHECK(worst < SLICE / 2, "it takes %lu TSC ticks", worst);
	guest_destroy(domid);
	end(1);
}

/* Two that do nothing but yield: what is left is Vellum's. */
TEST_ON_REQUEST(sched_cost, "U4")
{
	u64 domid, start, switches;

	begin(1);
	domid = later_begin(LATER_YIELDS, 0, USUAL);
	later_spend(4 * SLICE);
	switches = later_info(domid)->switches + later_info(0)->switches;
	start = rdtsc();
	for (u32 i = 0; i < YIELDS; i++)
		CHECK(vl_call_yield(hypercall_page) == 0, "yield");
	start = rdtsc() - start;
	switches = later_info(domid)->switches + later_info(0)->switches - switches;
	CHECK(switches > YIELDS / 2, "%lu switches", switches);
	print("# a yield and a switch to another domain cost %lu ticks\n", start / switches);
	guest_destroy(domid);
	end(1);
}

/* --- the processor --- */

static void check_own_registers(u64 turns)
{
	u64 a = 0x1111111122222222, b = 0x3333333344444444, c, d;

	for (u64 i = 0; i < turns; i++, a += 3, b += 5) {
		asm volatile("movq %2, %%mm1\n\t"
			     "movq %3, %%db1\n\t"
			     "pause\n\tpause\n\tpause\n\tpause\n\t"
			     "movq %%mm1, %0\n\t"
			     "movq %%db1, %1"
			     : "=&r"(c), "=&r"(d)
			     : "r"(a), "r"(b & 0xffff000));
		CHECK(c == a, "MM1 is %#lx, not %#lx", c, a);
		CHECK(d == (b & 0xffff000), "DR1 is %#lx, not %#lx", d, b & 0xffff000);
	}
}

TEST_ON_REQUEST(sched_registers, "I2 I4")
{
	u64 domid[2], start;

	begin(2);
	domid[0] = later_begin(LATER_CHECKS, 0, USUAL);
	domid[1] = later_begin(LATER_CHECKS, LATER_PAGES, USUAL);
	for (start = rdtsc(); rdtsc() - start < 30 * (u64)SLICE;)
		check_own_registers(100);
	asm volatile("movq %0, %%db1; emms" : : "r"((u64)0));
	for (u32 i = 0; i < 2; i++) {
		CHECK(later_state(domid[i]) == VL_STATE_RUNNING, "domain %lu is %u", domid[i],
		      guest_info.state);
		CHECK(later_info(domid[i])->switches > 5, "it ran %lu times",
		      later_info(domid[i])->switches);
		guest_destroy(domid[i]);
	}
	end(2);
}

/* --- pauses and ends --- */

TEST_ON_REQUEST(sched_pause, "U4")
{
	u64 domid, before;
	s64 answer;

	begin(1);
	domid = later_begin(LATER_SPINS, 0, USUAL);
	for (u32 i = 0; i < ROUNDS; i++) {
		later_spend(3 * SLICE);
		answer = vl_call_domain_pause(hypercall_page, domid);
		CHECK(answer == 0 && later_state(domid) == VL_STATE_PAUSED, "pause answered %ld",
		      answer);
		before = ran(domid);
		later_spend(3 * SLICE);
		CHECK(ran(domid) == before, "it runs while it is paused");
		CHECK(vl_call_domain_pause(hypercall_page, domid) == 0, "a second pause");
		answer = vl_call_domain_unpause(hypercall_page, domid);
		CHECK(answer == 0 && later_state(domid) == VL_STATE_RUNNING, "unpause answered %ld",
		      answer);
		later_spend(3 * SLICE);
		CHECK(ran(domid) > before, "it does not go on");
	}
	guest_destroy(domid);
	end(1);
}

static void check_end(u32 what, u32 state, u32 why)
{
	u64 free = guests_partition_free(), spinner, domid, before;
	s64 answer;

	spinner = later_begin(LATER_SPINS, 0, USUAL);
	domid = later_begin(what, LATER_PAGES, USUAL);
	later_spend(8 * SLICE);
	CHECK(later_state(domid) == state, "its state is %u", guest_info.state);
	CHECK(guest_info.shutdown == why, "the reason is %u", guest_info.shutdown);
	before = ran(spinner);
	later_spend(4 * SLICE);
	CHECK(ran(spinner) > before, "the other one does not go on");
	answer = vl_call_domain_unpause(hypercall_page, domid);
	CHECK(answer == -VL_EBUSY, "unpause answered %ld", answer);
	answer = vl_call_domain_pause(hypercall_page, domid);
	CHECK(answer == -VL_EBUSY, "pause answered %ld", answer);
	guest_destroy(domid);
	guest_destroy(spinner);
	CHECK(guests_partition_free() == free, "%lu bytes free, there were %lu",
	      guests_partition_free(), free);
}

TEST_ON_REQUEST(sched_ends, "M18 U4")
{
	begin(2);
	for (u32 i = 0; i < 3; i++) {
		check_end(LATER_ENDS, VL_STATE_SHUTDOWN, VL_SHUTDOWN_POWEROFF);
		check_end(LATER_CRASHES, VL_STATE_CRASHED, VL_SHUTDOWN_CRASH);
	}
	end(2);
}

/* It does not come back: the machine is the other guest's, and Vellum's. */
TEST_ON_REQUEST(first_crashes_alone, "I4 I2")
{
	static const struct table_register none = {0};

	begin(1);
	later_begin(LATER_SPINS, 0, USUAL);
	later_spend(3 * SLICE);
	print("# the first guest crashes\n");
	asm volatile("lidt %0; int3" ::"m"(none) : "memory");
	test_fail("it went on");
}

TEST_ON_REQUEST(sched_refused, "U3")
{
	u64 none = 999, domid;
	s64 answer;

	begin(1);
	guest_want("bare", LATER_PAGES);
	domid = (u64)guest_create();
	answer = vl_call_domain_unpause(hypercall_page, domid);
	CHECK(answer == -VL_EINVAL, "unpause of one that was not started: %ld", answer);
	guest_destroy(domid);
	domid = later_make(LATER_SPINS, 0, USUAL);
	CHECK(later_state(domid) == VL_STATE_PAUSED, "it is %u", guest_info.state);
	later_spend(2 * SLICE);
	CHECK(ran(domid) == 0, "it runs");
	CHECK(vl_call_domain_pause(hypercall_page, none) == -VL_ENOENT, "pause");
	CHECK(vl_call_domain_unpause(hypercall_page, none) == -VL_ENOENT, "unpause");
	CHECK(vl_call_domain_weight(hypercall_page, none, 1) == -VL_ENOENT, "weight");
	CHECK(vl_call_domain_pause(hypercall_page, start_info->domid) == -VL_EPERM, "pause of 0");
	CHECK(vl_call_domain_unpause(hypercall_page, start_info->domid) == -VL_EPERM,
	      "unpause of 0");
	CHECK(vl_call_domain_shutdown(hypercall_page, start_info->domid, VL_SHUTDOWN_POWEROFF) ==
		      -VL_EPERM,
	      "shutdown of 0");
	CHECK(vl_call_domain_shutdown(hypercall_page, domid, VL_SHUTDOWN_CRASH) == -VL_EINVAL,
	      "asked to crash");
	CHECK(vl_call_shutdown(hypercall_page, VL_SHUTDOWN_POWEROFF) == -VL_EPERM, "own shutdown");
	CHECK(vl_call_shutdown(hypercall_page, 0) == -VL_EINVAL, "shutdown without a reason");
	answer = vl_call_domain_weight(hypercall_page, domid, VL_WEIGHT_MAX + 1);
	CHECK(answer == -VL_EINVAL, "weight: %ld", answer);
	answer = vl_call_domain_weight(hypercall_page, domid, 0);
	CHECK(answer == USUAL, "weight: %ld", answer);
	CHECK(vl_call_yield(hypercall_page) == 0, "yield");
	CHECK(devirtualize() == -VL_EBUSY, "devirtualize");
	guest_destroy(domid);
	end(1);
}
