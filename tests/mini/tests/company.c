// SPDX-License-Identifier: MIT
/*
 * Other guests that run: made from the initrd, a mini guest each in a role
 * (mini/role.c), while this one goes on. Only for those who ask for them, with
 * that initrd.
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/other.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define LIMIT    20000u /* ms */
#define MOMENT   100u   /* ms */
#define SELDOM   500u   /* ms */
#define ROUNDS   12u
#define OWN_SIZE 4096u

static struct vl_sched_info sched __attribute__((aligned(64)));
static u64 own[OWN_SIZE];

/* TSC ticks that it ran so far. */
static u64 run_time(const struct other *g)
{
	s64 answer = vl_call_domain_sched_info(hypercall_page, g->domid, ptr_to_pa(&sched).v,
					       sizeof(sched));

	CHECK(answer > 0, "domain_sched_info answered %ld", answer);
	return sched.run;
}

/* With the others gone this kernel is what it was: it can leave. */
static void all_are_gone(u64 frames)
{
	s64 answer = devirtualize();

	CHECK(answer == 0, "devirtualize answered %ld", answer);
	CHECK(frames_free() == frames, "%lu frames are free, not %lu", frames_free(), frames);
}

TEST_ON_REQUEST(company_hello, "U1 U2 U3 I1 I2 I9")
{
	struct other *g = other(0);
	u64 frames = frames_free();
	s64 answer;

	other_make(g, "hello", "role=hello");
	CHECK(other_state(g) == VL_STATE_PAUSED, "it begins in state %u", other_state(g));
	other_let_run(MOMENT);
	CHECK(other_state(g) == VL_STATE_PAUSED && run_time(g) == 0, "state %u, it ran %lu",
	      other_state(g), sched.run);
	answer = devirtualize_layers(VL_LAYER_ALL);
	CHECK(answer == -VL_EBUSY, "devirtualize answered %ld", answer);
	answer = vl_call_domain_unpause(hypercall_page, g->domid);
	CHECK(answer == 0, "domain_unpause answered %ld", answer);
	other_await(g, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(g, "hello from domain"), "it said \"%s\"", g->text);
	other_destroy(g);
	all_are_gone(frames);
}

TEST_ON_REQUEST(company_paused, "U2")
{
	struct other *g = other(0);
	u64 ran;
	s64 answer;

	other_start(g, "spin", "role=spin");
	other_await_text(g, "spinning", LIMIT);
	answer = vl_call_domain_pause(hypercall_page, g->domid);
	CHECK(answer == 0 && other_state(g) == VL_STATE_PAUSED, "pause answered %ld, state %u",
	      answer, other_state(g));
	ran = run_time(g);
	other_let_run(MOMENT);
	CHECK(run_time(g) == ran, "paused, it ran on");
	answer = vl_call_domain_unpause(hypercall_page, g->domid);
	CHECK(answer == 0 && other_state(g) == VL_STATE_RUNNING, "unpause answered %ld, state %u",
	      answer, other_state(g));
	other_let_run(MOMENT);
	CHECK(run_time(g) > ran, "it does not go on");
	other_destroy(g);
}

/* It is looked at seldom: a look each millisecond is half of a processor of 50 MIPS (Bochs), and of
 * the other half a test with 2000 ticks a second leaves nothing, each of which Vellum catches up
 * with. */
TEST_ON_REQUEST(company_suite, "U1 I1 I2 I3 I8 M5")
{
	struct other *g = other(0);
	char words[256] = "test=";
	bool passed = false, over;
	u64 begin, vcpus = 1, cpus = 1;

	if (!cmdline_get("suite", words + 5, sizeof(words) - 5))
		test_fail("suite= is to name the tests that the other guest runs");
	cmdline_get_hex("vcpus", &vcpus);
	other_vcpus((u32)vcpus);
	if (cmdline_get_hex("cpus", &cpus) && cpus > 1) {
		smp_start();
		CHECK(smp_change_all(true) == 0, "no transition");
		smp_rest_others();
	}
	begin = rdtsc();
	other_start(g, "suite", words);
	do {
		CHECK(rdtsc() - begin < 3 * LIMIT * tsc_per_ms(), "it does not end");
		other_let_run(SELDOM);
		over = other_state(g) != VL_STATE_RUNNING;
		other_listen(g);
		passed |= other_said(g, " 0 failed");
		other_print_lines(g);
	} while (!over);
	CHECK(passed && other_state(g) == VL_STATE_SHUTDOWN, "not all passed, state %u",
	      other_state(g));
	other_destroy(g);
	other_vcpus(1);
	if (cpus > 1)
		smp_rouse_others();
}

/* One spins, one halts and ticks, and so does this one. */
TEST_ON_REQUEST(company_two, "U2 I8")
{
	struct other *spinner = other(0), *ticker = other(1);
	u64 ticks, want = OTHER_HZ * MOMENT / 1000;

	other_start(spinner, "spin", "role=spin");
	other_start(ticker, "tick", "role=tick");
	other_await_text(spinner, "spinning", LIMIT);
	other_await_text(ticker, "tick 20", LIMIT);
	ticks = other_let_run(MOMENT);
	CHECK(ticks + ticks / 4 >= want, "of %lu ticks %lu came", want, ticks);
	other_destroy(spinner);
	other_destroy(ticker);
}

/* One that sleeps most of the time has a timer of its own, while another takes all that it gets. */
TEST_ON_REQUEST(company_latency, "I3 I8 U4")
{
	struct other *spinner = other(0), *sleeper = other(1);

	other_start(spinner, "spin", "role=spin");
	other_await_text(spinner, "spinning", LIMIT);
	other_start(sleeper, "late", "role=late");
	other_await(sleeper, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(sleeper, "late by "), "it said \"%s\"", sleeper->text);
	other_print_lines(sleeper);
	other_destroy(sleeper);
	other_destroy(spinner);
}

/* How a guest can end or get stuck is its own affair. */
TEST_ON_REQUEST(company_stuck, "I4 U2")
{
	static const struct {
		const char *role;
		u32 state;
	} ways[] = {
		{"role=reboot", VL_STATE_SHUTDOWN}, {"role=triple", VL_STATE_CRASHED},
		{"role=none", VL_STATE_CRASHED},    {"role=calls", VL_STATE_SHUTDOWN},
		{"role=dead", VL_STATE_RUNNING},    {"role=deaf", VL_STATE_RUNNING},
		{"role=halt", VL_STATE_RUNNING},    {"role=flood", VL_STATE_RUNNING},
	};
	struct other *ticker = other(0), *g = other(1);
	u64 frames, ticks, want = OTHER_HZ * MOMENT / 1000;

	other_start(ticker, "tick", "role=tick");
	other_await_text(ticker, "tick 2", LIMIT);
	frames = frames_free();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		print("# %s\n", ways[i].role);
		other_start(g, "other", ways[i].role);
		other_await_text(g, "MiB free", LIMIT);
		other_await(g, ways[i].state, LIMIT);
		ticks = other_let_run(MOMENT);
		CHECK(ticks + ticks / 4 >= want, "%s: of %lu ticks %lu came", ways[i].role, want,
		      ticks);
		CHECK(other_state(g) == ways[i].state, "%s: state %u", ways[i].role,
		      other_state(g));
		CHECK(other_state(ticker) == VL_STATE_RUNNING, "%s: the other one is in state %u",
		      ways[i].role, other_state(ticker));
		other_destroy(g);
		CHECK(frames_free() == frames, "%s: frames are lost", ways[i].role);
	}
	ticker->length = 0;
	ticker->text[0] = 0;
	other_await_text(ticker, "tick", LIMIT);
	other_destroy(ticker);
}

static void check_own(u64 seed)
{
	for (u32 i = 0; i < OWN_SIZE; i++)
		CHECK(own[i] == (seed ^ i), "our memory has %#lx at %u", own[i], i);
}

/* What a hostile guest reaches by ports would be ours. */
static u64 machine_state(void)
{
	timer_stop(); /* whose line is masked then */
	return in8(0x21) | (u64)in8(0xa1) << 8 | (u64)in8(0x4d0) << 16 | (u64)in8(0x4d1) << 24 |
	       read_msr(0x2ff) << 32 | read_msr(MSR_APIC_BASE) << 48;
}

TEST_ON_REQUEST(company_hostile, "I4 M10")
{
	struct other *victim = other(0), *hostile = other(1);
	u64 seed = rdtsc(), frames = frames_free(), before;

	for (u32 i = 0; i < OWN_SIZE; i++)
		own[i] = seed ^ i;
	other_start(victim, "victim", "role=victim seed=5eed");
	other_await_text(victim, "it sang", LIMIT);
	before = machine_state();
	other_start(hostile, "hostile", "role=hostile");
	other_await(hostile, VL_STATE_SHUTDOWN, 20 * LIMIT);
	CHECK(other_said(hostile, "nothing worked"), "it said \"%s\"", hostile->text);
	CHECK(machine_state() == before, "the machine was %#lx and is %#lx", before,
	      machine_state());
	check_own(seed);
	victim->length = 0;
	victim->text[0] = 0;
	other_await_text(victim, "it sang", LIMIT);
	CHECK(other_state(victim) == VL_STATE_RUNNING, "the victim is in state %u",
	      other_state(victim));
	other_destroy(hostile);
	other_destroy(victim);
	all_are_gone(frames);
}

/* Any moment may be the last one of a guest. */
TEST_ON_REQUEST(company_rounds, "I4 I9 U2")
{
	static const char *const roles[] = {"role=hello",  "role=spin",  "role=tick",
					    "role=triple", "role=calls", "role=deaf"};
	u64 frames = frames_free(), state = 11;

	for (u32 round = 0; round < ROUNDS; round++) {
		u32 count = 1 + (u32)(random_next(&state) % NR_OTHERS);

		for (u32 i = 0; i < count; i++)
			other_start(other(i),
				    i == 0   ? "a"
				    : i == 1 ? "b"
					     : "c",
				    roles[random_next(&state) % ARRAY_SIZE(roles)]);
		other_let_run((u32)(random_next(&state) % 60) + 1);
		for (u32 i = count; i-- > 0;)
			other_destroy(other(i));
		all_are_gone(frames);
	}
}
