// SPDX-License-Identifier: MIT
/*
 * Later guests of several vcpus, from outside: each way in which they end, pauses,
 * their destruction while all run, that no frame is lost, and what is told of each
 * vcpu.
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
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
static struct vl_vcpu_status status __attribute__((aligned(64)));

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
	CHECK(answer == -VL_EAGAIN, "hand_over answered %ld", answer);
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

static s64 ask(u64 domid, u64 vcpu)
{
	return vl_call_vcpu_status(hypercall_page, domid, vcpu, ptr_to_pa(&status).v,
				   sizeof(status));
}

/* Its flags; the rest is in `status`. */
static u32 flags_of(u64 domid, u32 vcpu)
{
	s64 answer = ask(domid, vcpu);

	CHECK(answer == sizeof(status), "vcpu_status answered %ld", answer);
	return status.flags;
}

static void await_flags(const struct other *g, u32 vcpu, u32 flags)
{
	u64 end = rdtsc() + LIMIT * tsc_per_ms();

	while (flags_of(g->domid, vcpu) != flags) {
		CHECK(rdtsc() < end, "vcpu %u has flags %#x, not %#x", vcpu, status.flags, flags);
		other_pass_time();
	}
}

/* Each burns `unit` more than the one before it, since `begin`, and halts then. On several CPUs the
 * clock goes on for all of them while one burns. */
static void check_burners(const struct other *g, u32 vcpus, u64 unit, u64 begin)
{
	u64 sum = 0, before = 0, most;

	for (u32 i = 0; i < vcpus; i++)
		await_flags(g, i, VL_VCPU_ONLINE | VL_VCPU_HALTED);
	most = rdtsc() - begin;
	for (u32 i = 0; i < vcpus; i++) {
		flags_of(g->domid, i);
		print("# vcpu %u on CPU %u ran %lu ticks, waited %lu\n", i, status.cpu, status.run,
		      status.waited);
		CHECK(status.cpu < smp_count(), "vcpu %u is on CPU %u", i, status.cpu);
		sum += status.run;
		if (i == 0)
			continue;
		CHECK(smp_count() > 1 || status.run > before,
		      "vcpu %u ran %lu, the one before it %lu", i, status.run, before);
		CHECK(status.run > i * unit * 3 / 4 && status.run < most,
		      "vcpu %u ran %lu, not %lu, of %lu", i, status.run, i * unit, most);
		before = status.run;
	}
	CHECK(run_time(g) == sum, "the domain ran %lu, its vcpus %lu", sched.run, sum);
}

/* Ours, alone on its CPU or while the others are halted: it has all the time. */
static void check_own(void)
{
	u64 begin = rdtsc(), ran, took;

	flags_of(VL_DOMID_SELF, 0);
	ran = status.run;
	other_burn(1);
	CHECK(flags_of(VL_DOMID_SELF, 0) == (VL_VCPU_ONLINE | VL_VCPU_RUNNING) && status.cpu == 0,
	      "flags %#x on CPU %u", status.flags, status.cpu);
	ran = status.run - ran;
	took = rdtsc() - begin;
	CHECK(ran <= took && ran > took - took / 4, "of %lu ticks we ran %lu", took, ran);
}

static void check_refusals(const struct other *g, u32 vcpus)
{
	s64 answer = ask(g->domid, vcpus);

	CHECK(answer == -VL_ENOENT, "one more than there are: %ld", answer);
	answer = ask(g->domid, (u64)1 << 32);
	CHECK(answer == -VL_ENOENT, "2^32: %ld", answer);
	answer = ask(VL_DOMID_SELF, smp_count());
	CHECK(answer == -VL_ENOENT, "one more than CPUs: %ld", answer);
	answer = ask(g->domid + 1, 0);
	CHECK(answer == -VL_ENOENT, "no such domain: %ld", answer);
	answer = vl_call_vcpu_status(hypercall_page, g->domid, 0, ptr_to_pa(&status).v, 0);
	CHECK(answer == -VL_EINVAL, "no buffer: %ld", answer);
	answer = vl_call_vcpu_status(hypercall_page, g->domid, 0, ~(u64)0 << 12, sizeof(status));
	CHECK(answer == -VL_EFAULT, "no memory: %ld", answer);
}

/* Where each vcpu is, what it does and what it has run. */
TEST_ON_REQUEST(company_status, "U2 U4 U7")
{
	struct other *g = other(0);
	u32 vcpus = begin();
	u64 unit = rdtsc(), since;

	CHECK(flags_of(VL_DOMID_SELF, 0) == (VL_VCPU_ONLINE | VL_VCPU_RUNNING), "flags %#x",
	      status.flags); /* in passthrough, on one CPU */
	other_burn(1);
	unit = rdtsc() - unit;
	other_make(g, "crowd", "role=crowd then=burn");
	CHECK(flags_of(g->domid, 0) == VL_VCPU_ONLINE && status.run == 0, "flags %#x, %lu",
	      status.flags, status.run);
	CHECK(flags_of(g->domid, 1) == 0 && status.run == 0, "flags %#x, %lu", status.flags,
	      status.run);
	since = rdtsc();
	CHECK(vl_call_domain_unpause(hypercall_page, g->domid) == 0, "unpause");
	other_await_text(g, "a crowd of", LIMIT);
	check_burners(g, vcpus, unit, since);
	check_own();
	check_refusals(g, vcpus);
	other_destroy(g);
	start(g, "spin");
	for (u32 i = 0; i < vcpus; i++) {
		u32 flags = flags_of(g->domid, i);

		CHECK(flags == VL_VCPU_ONLINE ||
			      (status.cpu != 0 && flags == (VL_VCPU_ONLINE | VL_VCPU_RUNNING)),
		      "vcpu %u spins on CPU %u, flags %#x", i, status.cpu, flags);
	}
	other_destroy(g);
	end();
}
