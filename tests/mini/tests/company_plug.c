// SPDX-License-Identifier: MIT
/*
 * Devices that come to a guest that runs, and go from it: asked, by force, in
 * the middle of its requests, and with too little memory. The guest is one that
 * keeps each of them busy (mini/role_busy.c).
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/role_busy.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define LIMIT      30000u /* ms */
#define ROUNDS     12u
#define DISK_PAGES 300u
#define RUNS       4u /* of a race */
#define BUFFERS    2u /* CPUs that make calls */

static union {
	struct vl_device device;
	u8 bytes[PAGE_SIZE];
} buffer[BUFFERS] __attribute__((aligned(4096)));

static u64 buffer_pa(void)
{
	return ptr_to_pa(&buffer[smp_index()]).v;
}

static struct vl_device *wish(void)
{
	struct vl_device *w = &buffer[smp_index()].device;

	*w = (struct vl_device){0};
	return w;
}

static s64 add_net(u64 domid, u8 who)
{
	struct vl_device *w = wish();

	w->kind = VL_DEVICE_NET;
	w->mac[0] = 2;
	w->mac[5] = who;
	w->bridge[0] = 'p';
	return vl_call_device_add(hypercall_page, domid, buffer_pa(), sizeof(*w));
}

static s64 add_disk(u64 domid, u64 pages)
{
	struct vl_device *w = wish();

	w->kind = VL_DEVICE_BLOCK;
	w->flags = VL_DEVICE_HELD;
	w->size = pages * PAGE_SIZE;
	return vl_call_device_add(hypercall_page, domid, buffer_pa(), sizeof(*w));
}

static s64 fill_page(u64 domid, u64 index, u64 number)
{
	u8 *bytes = buffer[smp_index()].bytes;

	for (u64 i = 0; i < PAGE_SIZE; i++)
		bytes[i] = BUSY_BYTE((number * PAGE_SIZE + i) / VL_SECTOR_SIZE);
	return vl_call_disk_write(hypercall_page, domid, index, number * PAGE_SIZE, buffer_pa(),
				  PAGE_SIZE);
}

static s64 show(u64 domid, u64 index)
{
	s64 left;

	do
		left = vl_call_device_show(hypercall_page, domid, index);
	while (left > 0);
	return left;
}

static u32 flags_of(u64 domid, u64 index)
{
	struct vl_device *info = wish();
	s64 answer = vl_call_device_info(hypercall_page, domid, index, buffer_pa(), sizeof(*info));

	CHECK(answer == sizeof(*info), "device_info answered %ld", answer);
	return info->flags;
}

static u64 partition_free(void)
{
	static struct vl_hv_info hv __attribute__((aligned(256)));

	vl_call_hv_info(hypercall_page, ptr_to_pa(&hv).v, sizeof(hv));
	return hv.partition_free;
}

/* What it has said is as good as forgotten. */
static void forget(struct other *g)
{
	other_listen(g);
	g->length = 0;
	g->text[0] = 0;
}

static void attach(struct other *g)
{
	s64 index = add_net(g->domid, 1);

	CHECK(index == 0, "device_add answered %ld", index);
	index = add_disk(g->domid, DISK_PAGES);
	CHECK(index == 1, "device_add answered %ld", index);
	CHECK(flags_of(g->domid, 1) == VL_DEVICE_HELD, "it is not held");
	for (u64 i = 0; i < DISK_PAGES; i++)
		CHECK(fill_page(g->domid, 1, i) == PAGE_SIZE, "disk_write of page %lu failed", i);
	other_await_text(g, "device 0 begun", LIMIT);
	other_listen(g);
	CHECK(!other_said(g, "device 1"), "it sees a device that is held");
	CHECK(show(g->domid, 1) == 0 && flags_of(g->domid, 1) == 0, "it is held still");
	other_await_text(g, "device 1 begun", LIMIT);
}

/* Until it is gone; how many calls that took in which the guest had nothing to do with it. */
static u64 remove(u64 domid, u64 index, u64 how)
{
	u64 end = rdtsc() + LIMIT * tsc_per_ms(), pieces = 0;
	s64 left;

	while (left = vl_call_device_remove(hypercall_page, domid, index, how), left > 0) {
		CHECK(rdtsc() < end, "it waits for ever");
		if (left != VL_REMOVE_WAITS) {
			pieces++;
			continue;
		}
		CHECK(how == VL_REMOVE_ASK, "it waits for the guest");
		CHECK(flags_of(domid, index) & VL_DEVICE_LEAVING, "nothing tells the guest");
		other_let_run(5);
	}
	CHECK(left == 0, "device_remove answered %ld", left);
	return pieces;
}

static void detach(struct other *g, bool by_force)
{
	u64 how = by_force ? VL_REMOVE_NOW : VL_REMOVE_ASK, pieces;

	pieces = remove(g->domid, 1, how);
	CHECK(pieces >= DISK_PAGES / 64, "the disk went in %lu pieces", pieces);
	remove(g->domid, 0, how);
	other_await_text(g, by_force ? "device 0 is gone" : "device 0 let go", LIMIT);
	other_await_text(g, by_force ? "device 1 is gone" : "device 1 let go", LIMIT);
	CHECK(vl_call_device_remove(hypercall_page, g->domid, 0, how) == -VL_ENOENT, "device 0");
}

/* A guest that runs still, as often as its shadow got more tables by what it did: free memory is
 * what it was a round before. */
static void check_memory(u64 *before, u32 round)
{
	static u32 same;
	u64 now = partition_free();

	same = round == 0 || now != *before ? 0 : same + 1;
	*before = now;
	CHECK(round < ROUNDS - 1 || same > 0, "%lu bytes are free, and less each round", now);
}

static void rounds(struct other *g, bool by_force)
{
	u64 random = 5 + by_force, before = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		forget(g);
		attach(g);
		other_let_run(1 + (u32)random_below(&random, 20));
		detach(g, by_force);
		check_memory(&before, i);
	}
}

TEST_ON_REQUEST(company_plug, "I4 U2 U3")
{
	struct other *g = other(0);
	u64 frames = frames_free(), free;

	other_make(g, "warm", "role=busy");
	other_destroy(g);
	free = partition_free();
	other_start(g, "busy", "role=busy");
	other_await_text(g, "busy", LIMIT);
	rounds(g, false);
	rounds(g, true);
	forget(g);
	attach(g);
	CHECK(other_state(g) == VL_STATE_RUNNING, "state %u: \"%s\"", other_state(g), g->text);
	other_destroy(g);
	CHECK(partition_free() == free, "%lu bytes are free, not %lu", partition_free(), free);
	CHECK(devirtualize() == 0 && frames_free() == frames, "frames are missing");
}

static s64 call_remove(u64 domid, u64 index, u64 how)
{
	return vl_call_device_remove(hypercall_page, domid, index, how);
}

/* Each argument; and a device that nobody drives goes as soon as it is asked to. */
TEST_ON_REQUEST(company_plug_calls, "U3 I4")
{
	struct other *g = other(0);
	u64 domid, free;

	other_make(g, "calls", "role=hello");
	domid = g->domid;
	free = partition_free();
	CHECK(call_remove(domid, 0, VL_REMOVE_ASK) == -VL_ENOENT, "no device");
	CHECK(call_remove(domid, VL_MAX_DEVICES, VL_REMOVE_NOW) == -VL_ENOENT, "no index");
	CHECK(call_remove(domid, 0, 2) == -VL_EINVAL, "no way to remove");
	CHECK(call_remove(0, 0, VL_REMOVE_NOW) == -VL_ENOENT, "the first guest");
	CHECK(call_remove(domid + 1, 0, VL_REMOVE_NOW) == -VL_ENOENT, "nobody");
	CHECK(vl_call_device_show(hypercall_page, domid, 0) == -VL_ENOENT, "no device");
	CHECK(vl_call_device_show(hypercall_page, domid, ~(u64)0) == -VL_ENOENT, "no index");
	CHECK(vl_call_device_show(hypercall_page, 0, 0) == -VL_ENOENT, "the first guest");
	wish()->kind = VL_DEVICE_NET;
	buffer[0].device.flags = VL_DEVICE_LEAVING;
	CHECK(vl_call_device_add(hypercall_page, domid, buffer_pa(), sizeof(struct vl_device)) ==
		      -VL_EINVAL,
	      "one that is to go at once");
	CHECK(add_net(domid, 1) == 0 && add_disk(domid, 70) == 1 && add_net(domid, 2) == 2, "add");
	CHECK(call_remove(domid, 0, VL_REMOVE_ASK) == 0, "a network device in several pieces");
	CHECK(add_net(domid, 2) == -VL_EEXIST && add_net(domid, 1) == 0, "its window is not free");
	CHECK(remove(domid, 1, VL_REMOVE_ASK) <= 3, "a held disk of 70 pages");
	CHECK(add_disk(domid, 70) == 1 && show(domid, 1) == 0 && show(domid, 1) == 0, "show");
	CHECK(call_remove(domid, 1, VL_REMOVE_ASK) == 38, "of 70 pages, 32 at a time");
	CHECK(vl_call_device_show(hypercall_page, domid, 1) == -VL_ENOENT, "it is going");
	CHECK(fill_page(domid, 1, 0) == -VL_ENOENT, "it is going");
	CHECK(vl_call_device_info(hypercall_page, domid, 1, buffer_pa(), 8) == -VL_ENOENT, "it");
	CHECK(remove(domid, 1, VL_REMOVE_NOW) == 1, "38 pages");
	CHECK(call_remove(domid, 0, 0) == 0 && call_remove(domid, 2, 1) == 0, "the others");
	CHECK(partition_free() == free, "%lu bytes are free, not %lu", partition_free(), free);
	other_destroy(g);
	devirtualize();
}

/* Each allocation of it fails once: nothing is left, and the guest sees nothing. */
static u64 attach_failing(u64 domid, s64 (*step)(u64 domid))
{
	u64 failed = 0;
	s64 answer;

	for (u64 at = 1;; at++) {
		CHECK(vl_call_set_failpoint(hypercall_page, at) == 0, "set_failpoint");
		answer = step(domid);
		vl_call_set_failpoint(hypercall_page, 0);
		if (answer != -VL_ENOMEM)
			break;
		failed++;
	}
	CHECK(answer >= 0, "it answered %ld", answer);
	return failed;
}

static s64 step_net(u64 domid)
{
	return add_net(domid, 9);
}

static s64 step_disk(u64 domid)
{
	return add_disk(domid, 20);
}

static s64 step_write(u64 domid)
{
	return fill_page(domid, 1, 3);
}

static s64 step_show(u64 domid)
{
	s64 answer = vl_call_device_show(hypercall_page, domid, 1);

	/* Some pages have got frames before one had none: the next call begins with that. */
	return answer > 0 ? -VL_ENOMEM : answer;
}

TEST_ON_REQUEST(company_plug_failing, "I4 U3")
{
	u64 net, disk, write, shown;
	struct other *g = other(0);

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("not a debug build");
	other_start(g, "busy", "role=busy");
	other_await_text(g, "busy", LIMIT);
	net = attach_failing(g->domid, step_net);
	disk = attach_failing(g->domid, step_disk);
	write = attach_failing(g->domid, step_write);
	shown = attach_failing(g->domid, step_show);
	print("# failed: %lu, %lu, %lu, %lu\n", net, disk, write, shown);
	CHECK(net == 2 && disk == 2 && write == 1 && shown > 0, "not each allocation failed");
	other_await_text(g, "device 0 begun", LIMIT);
	other_await_text(g, "device 1 begun", LIMIT);
	remove(g->domid, 0, VL_REMOVE_NOW);
	remove(g->domid, 1, VL_REMOVE_NOW);
	other_destroy(g);
	devirtualize();
}

/* --- how long a call takes --- */

#define LARGE_PAGES 4096u
#define CALL_MOST   20000u /* instructions, which the TSC counts */

static u64 longest;

static void took(u64 ticks)
{
	longest = ticks > longest ? ticks : longest;
}

static void told_longest(const char *what, u64 calls, u64 most)
{
	print("# %s: %lu calls, the longest took %lu\n", what, calls, longest);
	CHECK(longest <= most, "%s: a call took %lu instructions", what, longest);
	longest = 0;
}

static void show_large(u64 domid, u64 index)
{
	u64 calls = 0;
	s64 left = 1;

	for (; left > 0; calls++) {
		u64 start = rdtsc();

		left = vl_call_device_show(hypercall_page, domid, index);
		took(rdtsc() - start);
	}
	CHECK(left == 0 && calls >= LARGE_PAGES / 64, "%lu calls, the last said %ld", calls, left);
	told_longest("device_show", calls, CALL_MOST);
}

static void remove_large(u64 domid, u64 index)
{
	u64 calls = 0;
	s64 left = 1;

	for (; left > 0; calls++) {
		u64 start = rdtsc();

		left = call_remove(domid, index, VL_REMOVE_ASK);
		took(rdtsc() - start);
	}
	CHECK(left == 0 && calls >= LARGE_PAGES / 64, "%lu calls, the last said %ld", calls, left);
	told_longest("device_remove", calls, CALL_MOST);
}

/* As long as it has devices: pages of the guest that come home are cleared, which takes longer. */
static void destroy_large(u64 domid, u64 calls)
{
	for (u64 i = 0; i < calls; i++) {
		u64 start = rdtsc();
		s64 left = vl_call_domain_destroy(hypercall_page, domid);

		took(rdtsc() - start);
		CHECK(left > 0, "it is gone after %lu calls", i);
	}
	told_longest("domain_destroy", calls, CALL_MOST);
}

/* On an emulator that counts time in instructions: no call takes longer for a larger disk. */
TEST_ON_REQUEST(company_plug_large, "I3 I4")
{
	struct other *g = other(0);

	other_make(g, "large", "role=hello");
	CHECK(add_disk(g->domid, LARGE_PAGES) == 0, "device_add");
	show_large(g->domid, 0);
	remove_large(g->domid, 0);
	for (u32 i = 0; i < 2; i++)
		CHECK(add_disk(g->domid, LARGE_PAGES / 2) == i && show(g->domid, i) == 0, "add");
	longest = 0;
	destroy_large(g->domid, LARGE_PAGES / 64);
	other_destroy(g);
	devirtualize();
}

/* --- several CPUs --- */

static u64 domids[2], steps;

static bool is_answer(s64 r)
{
	return r >= 0 || r == -VL_ENOENT || r == -VL_ENOSPC || r == -VL_EEXIST || r == -VL_EINVAL ||
	       r == -VL_ENOMEM;
}

/* Whatever comes: devices of both guests, by either CPU. */
static s64 any_step(u64 *random)
{
	u64 domid = domids[random_below(random, 2)], index = random_below(random, 3);

	switch (random_below(random, 8)) {
	case 0:
		return add_net(domid, (u8)(1 + random_below(random, 3)));
	case 1:
		return add_disk(domid, 1 + random_below(random, 100));
	case 2:
		return vl_call_device_remove(hypercall_page, domid, index, VL_REMOVE_NOW);
	case 3:
		return vl_call_device_remove(hypercall_page, domid, index, VL_REMOVE_ASK);
	case 4:
		return vl_call_device_info(hypercall_page, domid, index, buffer_pa(),
					   sizeof(struct vl_device));
	default:
		/* Each page of what the guest is to see says what it is. */
		for (u64 i = 0; i < 100; i++)
			if (fill_page(domid, index, i) < 0)
				break;
		return vl_call_device_show(hypercall_page, domid, index);
	}
}

static void race(void *arg)
{
	u64 random = 7 + smp_index();

	(void)arg;
	for (u64 i = 0; i < steps; i++) {
		s64 r = any_step(&random);

		CHECK(is_answer(r), "CPU %u, step %lu: %ld", smp_index(), i, r);
		if (i % 8 == 0)
			smp_delay(1);
	}
}

static struct other *start_one(u32 i)
{
	struct other *g = other(i);

	other_start(g, i == 0 ? "one" : "two", "role=busy zeros=1");
	domids[i] = g->domid;
	return g;
}

static void race_once(void)
{
	struct other *g[2] = {start_one(0), start_one(1)};

	smp_rest_others();
	for (u32 i = 0; i < 2; i++)
		other_await_text(g[i], "busy", LIMIT);
	smp_rouse_others();
	smp_begin(1, race, NULL);
	race(NULL);
	smp_wait(1);
	smp_rest_others();
	for (u32 i = 0; i < 2 * VL_MAX_DEVICES; i++)
		while (call_remove(domids[i % 2], i / 2, VL_REMOVE_NOW) > 0)
			;
	for (u32 i = 0; i < 2; i++) {
		other_let_run(100);
		forget(g[i]);
		attach(g[i]);
		detach(g[i], false);
		CHECK(other_state(g[i]) == VL_STATE_RUNNING, "state %u", other_state(g[i]));
	}
	smp_rouse_others();
	for (u32 i = 0; i < 2; i++)
		other_destroy(g[i]);
}

/* Two guests, one on each CPU, and both CPUs change their devices at random. What this guest's
 * shadow takes for what it does for the first time is no loss; what is lost is lost each time. */
TEST_ON_REQUEST(company_plug_race, "I4 U7 U3")
{
	u64 free = 0;

	steps = 200;
	cmdline_get_hex("steps", &steps);
	smp_start();
	CHECK(smp_change_all(true) == 0, "no transition");
	for (u32 runs = 0; partition_free() != free; runs++) {
		CHECK(runs < RUNS, "%lu bytes free, there were %lu", partition_free(), free);
		free = partition_free();
		race_once();
	}
	CHECK(smp_change_all(false) == 0, "no transition");
}
