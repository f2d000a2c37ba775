// SPDX-License-Identifier: MIT
/*
 * Later guests of several vcpus, from outside: each way in which they end, pauses,
 * their destruction while all run, and that no frame is lost.
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define LIMIT  30000u /* ms */
#define MOMENT 60u    /* ms */
#define ROUNDS 4u

static struct vl_sched_info sched __attribute__((aligned(64)));

static u64 run_time(const struct other *g)
{
	s64 answer = vl_call_domain_sched_info(hypercall_page, g->domid, ptr_to_pa(&sched).v,
					       sizeof(sched));

	CHECK(answer > 0, "domain_sched_info answered %ld", answer);
	return sched.run;
}

static u32 begin(void)
{
	u64 vcpus = 2, cpus = 1;

	cmdline_get_hex("vcpus", &vcpus);
	if (cmdline_get_hex("cpus", &cpus) && cpus > 1) {
		smp_start();
		CHECK(smp_change_all(true) == 0, "no transition");
		smp_rest_others();
	}
	other_vcpus((u32)vcpus);
	return (u32)vcpus;
}

static void end(void)
{
	s64 answer;

	if (smp_count() > 1)
		smp_rouse_others();
	answer = smp_count() > 1 ? smp_change_all(false) : devirtualize();
	CHECK(answer == 0, "devirtualize answered %ld", answer);
	other_vcpus(1);
}

static void start(struct other *g, const char *then)
{
	char words[64] = "role=crowd then=";

	memcpy(words + strlen(words), then, strlen(then) + 1);
	other_start(g, "crowd", words);
	other_await_text(g, "a crowd of", LIMIT);
}

/* One of them ends the domain, or all do at the same time; the others stop with it. */
TEST_ON_REQUEST(company_vcpus_end, "U2 U7 I4")
{
	static const struct {
		const char *then;
		u32 state;
	} ways[] = {{"crash", VL_STATE_CRASHED},
		    {"end", VL_STATE_SHUTDOWN},
		    {"fall", VL_STATE_CRASHED}};
	u64 frames = frames_free(), ran;
	struct other *g = other(0);

	begin();
	for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
		start(g, ways[i].then);
		other_await(g, ways[i].state, LIMIT);
		delay_ms(MOMENT);
		ran = run_time(g);
		delay_ms(MOMENT);
		CHECK(run_time(g) == ran, "%s: it runs on", ways[i].then);
		other_destroy(g);
	}
	end();
	CHECK(frames_free() == frames, "%lu frames are free, not %lu", frames_free(), frames);
}

TEST_ON_REQUEST(company_vcpus_pause, "U2 U7")
{
	struct other *g = other(0);
	s64 answer;

	begin();
	start(g, "spin");
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 ran;

		answer = vl_call_domain_pause(hypercall_page, g->domid);
		ran = run_time(g);
		CHECK(answer == 0, "pause answered %ld", answer);
		delay_ms(MOMENT);
		CHECK(run_time(g) == ran, "paused, it ran on");
		answer = vl_call_domain_unpause(hypercall_page, g->domid);
		CHECK(answer == 0, "unpause answered %ld", answer);
		delay_ms(MOMENT);
		CHECK(run_time(g) > ran, "it does not go on");
	}
	answer = vl_call_hand_over(hypercall_page, g->domid, 0);
	CHECK(answer == -VL_EOPNOTSUPP, "hand_over answered %ld", answer);
	CHECK(other_state(g) == VL_STATE_RUNNING, "it does not go on");
	other_destroy(g);
	end();
}

/* In whatever they are doing; and the partition has all back. */
TEST_ON_REQUEST(company_vcpus_destroy, "U2 U7 I9 M4")
{
	static const char *const ways[] = {"spin", "halt", "park"};
	struct other *g = other(0);
	u32 vcpus = begin();
	u64 free = 0;

	for (u32 i = 0; i < ROUNDS * ARRAY_SIZE(ways); i++) {
		start(g, ways[i % ARRAY_SIZE(ways)]);
		CHECK(guest_ask(g->domid) == sizeof(guest_info) && guest_info.nr_vcpus == vcpus,
		      "%u vcpus", guest_info.nr_vcpus);
		delay_ms(i % 5);
		other_destroy(g);
		if (i == 0)
			free = guests_partition_free();
	}
	CHECK(guests_free_settles(free), "%lu bytes free, there were %lu", guests_partition_free(),
	      free);
	end();
}
