// SPDX-License-Identifier: MIT
/*
 * Other guests with virtio devices: two that exchange frames, one with disks,
 * and one that does with its devices what no driver may do beside the first two.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/role_io.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define LIMIT        120000u /* ms */
#define SHARE_MS     300u
#define DISK_SECTORS 165u /* no multiple of a page, nor of what a request has */

static struct vl_device device __attribute__((aligned(128)));
static u8 page[PAGE_SIZE] __attribute__((aligned(4096)));

static s64 add(u64 domid)
{
	return vl_call_device_add(hypercall_page, domid, ptr_to_pa(&device).v, sizeof(device));
}

static const struct vl_device *info(u64 domid, u64 index)
{
	s64 answer = vl_call_device_info(hypercall_page, domid, index, ptr_to_pa(&device).v,
					 sizeof(device));

	CHECK(answer == sizeof(device), "device_info answered %ld", answer);
	return &device;
}

static void want_net(u8 who, const char *bridge)
{
	static const u8 prefix[] = MAC_PREFIX;

	device = (struct vl_device){.kind = VL_DEVICE_NET};
	memcpy(device.mac, prefix, sizeof(prefix));
	device.mac[5] = who;
	memcpy(device.bridge, bridge, strlen(bridge));
}

static void want_disk(u64 sectors, u32 flags)
{
	device = (struct vl_device){
		.kind = VL_DEVICE_BLOCK, .flags = flags, .size = sectors * VL_SECTOR_SIZE};
}

static void add_at(u64 domid, s64 index)
{
	s64 answer = add(domid);

	CHECK(answer == index, "device_add answered %ld", answer);
}

static void fill_disk(u64 domid, u64 index, u64 bytes)
{
	for (u64 at = 0; at < bytes; at += sizeof(page)) {
		u64 size = bytes - at < sizeof(page) ? bytes - at : sizeof(page);
		s64 answer;

		for (u64 i = 0; i < size; i++)
			page[i] = DISK_BYTE(at + i);
		answer = vl_call_disk_write(hypercall_page, domid, index, at, ptr_to_pa(page).v,
					    size);
		CHECK(answer == (s64)size, "disk_write answered %ld", answer);
	}
}

static void go(struct other *g)
{
	s64 answer = vl_call_domain_unpause(hypercall_page, g->domid);

	CHECK(answer == 0, "domain_unpause answered %ld", answer);
}

static u64 partition_free(void)
{
	static struct vl_hv_info hv __attribute__((aligned(256)));

	vl_call_hv_info(hypercall_page, ptr_to_pa(&hv).v, sizeof(hv));
	return hv.partition_free;
}

/* Each argument, and that what was refused has left nothing. */
TEST_ON_REQUEST(company_io_calls, "U3 I4")
{
	struct other *g = other(0);
	u64 free_before, domid;

	other_make(g, "devices", "role=hello");
	domid = g->domid;
	free_before = partition_free();
	want_net(1, "one");
	CHECK(add(0) == -VL_ENOENT && add(domid + 1) == -VL_ENOENT, "no such domain");
	device.kind = 3;
	CHECK(add(domid) == -VL_EINVAL, "a kind that is none");
	want_net(1, "");
	CHECK(add(domid) == -VL_EINVAL, "a bridge without a name");
	want_net(1, "one");
	device.mac[0] = 1;
	CHECK(add(domid) == -VL_EINVAL, "a group's address");
	want_net(1, "one");
	device.flags = VL_DEVICE_READ_ONLY;
	CHECK(add(domid) == -VL_EINVAL, "a disk's flag");
	want_net(1, "one");
	device.refused = 1;
	CHECK(add(domid) == -VL_EINVAL, "an out field is set");
	want_disk(0, 0);
	CHECK(add(domid) == -VL_EINVAL, "no sectors");
	want_disk(8, VL_DEVICE_ANY_MAC);
	CHECK(add(domid) == -VL_EINVAL, "a network device's flag");
	want_disk(8, 0);
	device.size++;
	CHECK(add(domid) == -VL_EINVAL, "half a sector");
	want_disk(VL_DISK_MOST / VL_SECTOR_SIZE, 0);
	CHECK(add(domid) == -VL_ENOMEM, "as large as the partition");
	CHECK(partition_free() == free_before, "%lu bytes are free, not %lu", partition_free(),
	      free_before);
	want_net(1, "one");
	add_at(domid, 0);
	want_net(1, "one");
	CHECK(add(domid) == -VL_EEXIST, "the same address");
	want_net(1, "two");
	add_at(domid, 1);
	want_disk(8, VL_DEVICE_READ_ONLY);
	for (s64 i = 2; i < VL_MAX_DEVICES; i++)
		add_at(domid, i);
	CHECK(add(domid) == -VL_ENOSPC, "one too many");
	CHECK(vl_call_disk_write(hypercall_page, domid, 0, 0, ptr_to_pa(page).v, 1) == -VL_ENOENT,
	      "a network device is no disk");
	CHECK(vl_call_disk_write(hypercall_page, domid, 2, 4000, ptr_to_pa(page).v, 97) ==
		      -VL_EINVAL,
	      "behind the disk");
	CHECK(vl_call_disk_write(hypercall_page, domid, 2, 0, ~(u64)0, 1) == -VL_EFAULT,
	      "nobody's memory");
	CHECK(info(domid, 1)->kind == VL_DEVICE_NET && strcmp(device.bridge, "two") == 0 &&
		      device.mac[5] == 1 && device.status == 0,
	      "device 1 is told of as kind %u", device.kind);
	CHECK(info(domid, 7)->size == 4096 && device.flags == VL_DEVICE_READ_ONLY,
	      "device 7 is told of as %lu bytes", device.size);
	CHECK(vl_call_device_info(hypercall_page, domid, 8, ptr_to_pa(&device).v, 8) == -VL_ENOENT,
	      "device 8");
	other_destroy(g);
	/* Its addresses are free, too. */
	other_make(g, "devices", "role=hello");
	want_net(1, "one");
	add_at(g->domid, 0);
	other_destroy(g);
	devirtualize();
}

static void make_net(struct other *g, const char *name, const char *cmdline, u8 who)
{
	other_make(g, name, cmdline);
	want_net(who, "one");
	add_at(g->domid, 0);
}

/* Two on one bridge: the second is let go when the first is ready, and ends. */
static void make_pair(const char *first, const char *ready, const char *second)
{
	make_net(other(0), "one", first, MAC_ECHO);
	make_net(other(1), "two", second, MAC_TALK);
	go(other(0));
	other_await_text(other(0), ready, LIMIT);
	go(other(1));
	other_await(other(1), VL_STATE_SHUTDOWN, LIMIT);
}

static void destroy_pair(u64 frames)
{
	other_destroy(other(1));
	other_destroy(other(0));
	CHECK(devirtualize() == 0 && frames_free() == frames, "frames are missing");
}

TEST_ON_REQUEST(company_io_net, "U3")
{
	struct other *echo = other(0), *talker = other(1);
	u64 frames = frames_free();

	make_pair("role=echo", "listening", "role=talk");
	CHECK(other_said(talker, "talked of 300 frames"), "it said \"%s\"", talker->text);
	CHECK(info(echo->domid, 0)->reads == 300 && device.writes == 300 && device.dropped == 0 &&
		      device.refused == 0 && device.faults == 0,
	      "%lu frames to the one that echoes, %lu back, %lu dropped", device.reads,
	      device.writes, device.dropped);
	destroy_pair(frames);
}

static s64 share(u64 how, u64 rate)
{
	static struct vl_share_info shares __attribute__((aligned(128)));
	s64 answer = vl_call_share(hypercall_page, how, rate, ptr_to_pa(&shares).v, sizeof(shares));

	return answer < 0 || how != VL_SHARE_KEEP ? answer : (s64)shares.broken;
}

/* Vellum has looked at all that they have, which are zeros for the most part. */
/* Buffers of devices are pages that share their frames, as often as Vellum gets to it. */
TEST_ON_REQUEST(company_io_shared, "U3 U8")
{
	struct other *talker = other(0), *echo = other(1), *disks = other(2);
	s64 broken;

	make_net(echo, "echo", "role=echo", MAC_ECHO);
	make_net(talker, "talk", "role=talk", MAC_TALK);
	other_make(disks, "disk", "role=disk");
	for (u32 i = 0; i < 2; i++) {
		want_disk(DISK_SECTORS, i == 1 ? VL_DEVICE_READ_ONLY : 0);
		add_at(disks->domid, i);
		fill_disk(disks->domid, i, DISK_SECTORS * VL_SECTOR_SIZE);
	}
	CHECK(share(VL_SHARE_ON, VL_SHARE_RATE_MOST) == 0, "sharing is not on");
	broken = share(VL_SHARE_KEEP, 0);
	go(echo);
	other_await_text(echo, "listening", LIMIT);
	other_let_run(SHARE_MS);
	go(talker);
	go(disks);
	other_await(talker, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(talker, "talked of 300 frames"), "it said \"%s\"", talker->text);
	other_await(disks, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(disks, "disks of 165 sectors hold"), "it said \"%s\"", disks->text);
	broken = share(VL_SHARE_KEEP, 0) - broken;
	print("# %ld pages were parted\n", broken);
	CHECK(broken > 0, "no page was shared");
	while (share(VL_SHARE_OFF, 0) > 0)
		;
	other_destroy(talker);
	other_destroy(echo);
	other_destroy(disks);
	devirtualize();
}

TEST_ON_REQUEST(company_io_disk, "U3")
{
	struct other *g = other(0);

	other_make(g, "disk", "role=disk");
	for (u32 i = 0; i < 2; i++) {
		want_disk(DISK_SECTORS, i == 1 ? VL_DEVICE_READ_ONLY : 0);
		add_at(g->domid, i);
		fill_disk(g->domid, i, DISK_SECTORS * VL_SECTOR_SIZE);
	}
	go(g);
	other_await(g, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(g, "disks of 165 sectors hold"), "it said \"%s\"", g->text);
	CHECK(info(g->domid, 0)->refused == 2 && device.faults == 0 &&
		      device.write_bytes == DISK_SECTORS * VL_SECTOR_SIZE,
	      "%lu refused, %lu bytes written", device.refused, device.write_bytes);
	CHECK(info(g->domid, 1)->refused == 1 && device.writes == 0, "it was written to");
	other_destroy(g);
	devirtualize();
}

TEST_ON_REQUEST(company_io_hostile, "I4")
{
	struct other *talker = other(0), *echo = other(1), *bad = other(2);

	make_net(echo, "echo", "role=echo", MAC_ECHO);
	make_net(bad, "bad", "role=badio seed=51", MAC_BAD);
	want_disk(64, 0);
	add_at(bad->domid, 1);
	make_net(talker, "talk", "role=talk", MAC_TALK);
	go(echo);
	other_await_text(echo, "listening", LIMIT);
	go(bad);
	other_await_text(bad, "misbehaving", LIMIT);
	go(talker);
	other_await(talker, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(talker, "talked of 300 frames"), "it said \"%s\"", talker->text);
	other_await(bad, VL_STATE_SHUTDOWN, LIMIT);
	CHECK(other_said(bad, "it works again"), "it said \"%s\"", bad->text);
	CHECK(info(bad->domid, 0)->faults > 0, "it broke no rule");
	CHECK(info(bad->domid, 1)->faults > 0, "nor one of the disk's");
	CHECK(info(echo->domid, 0)->faults == 0 && device.status == 15, "status %u", device.status);
	other_destroy(talker);
	other_destroy(bad);
	other_destroy(echo);
	devirtualize();
}

/* Two guests with lwIP, whose file is the initrd then: a stream by TCP through the switch. */
TEST_ON_REQUEST(company_lwip, "U3 U6")
{
	struct other *server = other(0), *client = other(1);
	u64 frames = frames_free();

	make_pair("ip=a00000b", "lwip: 10.0.0.11 by virtio", "ip=a00000c peer=a00000b blocks=7d0");
	other_print(client);
	CHECK(other_said(client, " 2000 out") && other_said(client, "wrong: nothing"),
	      "it said \"%s\"", client->text);
	CHECK(info(server->domid, 0)->dropped == 0 && device.refused == 0 && device.faults == 0,
	      "%lu frames were dropped, %lu refused", device.dropped, device.refused);
	destroy_pair(frames);
}

/* The server, whose twin is the machine's own card, inherits the machine: what comes then is
 * between it and the outside. */
TEST_ON_REQUEST(company_lwip_heir, "M19 U6")
{
	struct other *server = other(0), *client = other(1);
	s64 answer;

	other_scatter(rdtsc() | 1, OTHER_ANYWHERE);
	make_pair("ip=a00020f heir rounds=a stay=a", "lwip: 10.0.2.15 by virtio",
		  "ip=a000210 peer=a00020f blocks=3e8");
	other_print(client);
	CHECK(other_said(client, "wrong: nothing"), "it said \"%s\"", client->text);
	other_destroy(client);
	do
		answer = vl_call_hand_over(hypercall_page, server->domid, VL_REMAP_USUAL);
	while (answer == -VL_EAGAIN);
	test_fail("hand_over answered %ld", answer);
}
