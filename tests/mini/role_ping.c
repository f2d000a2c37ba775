// SPDX-License-Identifier: MIT
#include "mini/role_ping.h"

#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/role_io.h"
#include "mini/timer.h"
#include "mini/virtio.h"
#include "public/calls.h"

#define HEADER   12u /* of a network device's chains */
#define BUFFERS  8u
#define ROOM     1526u
#define PATIENCE 10000u /* ms */
#define ETHERNET 14u
#define IP       20u
#define ICMP     8u
#define DATA     (ETHERNET + IP + ICMP)
#define LARGEST  1514u

#define ARP_REPLY  2u
#define ECHO       8u
#define ECHO_REPLY 0u
#define IP_ICMP    1u

static u8 own_mac[6] = MAC_PREFIX;
static u8 gateway_mac[6];
static const u8 own_ip[4] = {10, 0, 2, 77}, gateway_ip[4] = {10, 0, 2, 2};
static u8 sent[HEADER + LARGEST] __attribute__((aligned(64)));
static u8 got[BUFFERS][HEADER + ROOM] __attribute__((aligned(64)));

static u8 *const frame = sent + HEADER;

static void give_buffer(struct virtio *v, u16 i)
{
	virtio_describe(v, 0, i, got[i], sizeof(got[i]), D_WRITE, 0);
	virtio_offer(v, 0, i);
	virtio_kick(v, 0);
}

static void send(struct virtio *v, u32 size)
{
	u32 ignored;

	while (virtio_used(v, 1, &ignored) >= 0)
		;
	virtio_describe(v, 1, 0, sent, HEADER + size, 0, 0);
	virtio_offer(v, 1, 0);
	virtio_kick(v, 1);
}

/* Wait for a frame that `is` one; in `copy`. Its size. */
static u32 await(struct virtio *v, u8 *copy, bool (*is)(const u8 *frame, u32 size))
{
	u32 size;

	for (;;) {
		int i = virtio_used(v, 0, &size);
		bool found;

		if (i < 0) {
			if (!virtio_wait(v, PATIENCE))
				panic("no answer");
			continue;
		}
		size -= HEADER;
		memcpy(copy, got[i] + HEADER, size);
		found = is(copy, size);
		give_buffer(v, (u16)i);
		if (found)
			return size;
	}
}

static void put16(u8 *at, u32 value)
{
	at[0] = (u8)(value >> 8);
	at[1] = (u8)value;
}

static u32 get16(const u8 *at)
{
	return (u32)at[0] << 8 | at[1];
}

static u32 checksum(const u8 *at, u32 size)
{
	u32 sum = 0;

	for (u32 i = 0; i < size; i++)
		sum += i % 2 == 0 ? (u32)at[i] << 8 : at[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* --- who has 10.0.2.2 --- */

static bool is_arp_reply(const u8 *f, u32 size)
{
	return size >= 42 && get16(f + 12) == 0x0806 && get16(f + 20) == ARP_REPLY &&
	       memcmp(f + 28, gateway_ip, 4) == 0 && memcmp(f, own_mac, 6) == 0;
}

static void resolve(struct virtio *v)
{
	static const u8 arp[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	static u8 answer[ROOM];

	memset(frame, 0xff, 6);
	memcpy(frame + 6, own_mac, 6);
	put16(frame + 12, 0x0806);
	memcpy(frame + 14, arp, sizeof(arp));
	memcpy(frame + 22, own_mac, 6);
	memcpy(frame + 28, own_ip, 4);
	memset(frame + 32, 0, 6);
	memcpy(frame + 38, gateway_ip, 4);
	send(v, 42);
	await(v, answer, is_arp_reply);
	memcpy(gateway_mac, answer + 22, 6);
}

/* --- echo --- */

static bool is_echo_reply(const u8 *f, u32 size)
{
	return size >= DATA && get16(f + 12) == 0x0800 && f[23] == IP_ICMP &&
	       memcmp(f + 26, gateway_ip, 4) == 0 && f[34] == ECHO_REPLY;
}

static void make_echo(u32 number, u32 size)
{
	memcpy(frame, gateway_mac, 6);
	memcpy(frame + 6, own_mac, 6);
	put16(frame + 12, 0x0800);
	memset(frame + ETHERNET, 0, IP + ICMP);
	frame[14] = 0x45;
	put16(frame + 16, size - ETHERNET);
	frame[22] = 64;
	frame[23] = IP_ICMP;
	memcpy(frame + 26, own_ip, 4);
	memcpy(frame + 30, gateway_ip, 4);
	put16(frame + 24, checksum(frame + ETHERNET, IP));
	frame[34] = ECHO;
	put16(frame + 38, 0x4d69);
	put16(frame + 40, number);
	for (u32 i = DATA; i < size; i++)
		frame[i] = (u8)(i * 5 + number);
	put16(frame + 36, checksum(frame + ETHERNET + IP, size - ETHERNET - IP));
}

/* Short ones are filled up on the way. */
static void ping(struct virtio *v, u32 number, u32 size)
{
	static u8 answer[ROOM];
	u32 came;

	make_echo(number, size);
	send(v, size);
	came = await(v, answer, is_echo_reply);
	if (came < size || get16(answer + 40) != number ||
	    memcmp(answer + DATA, frame + DATA, size - DATA) != 0 ||
	    checksum(answer + ETHERNET + IP, size - ETHERNET - IP) != 0)
		panic("echo %u of %u bytes came as %u", number, size, came);
}

void role_ping(void)
{
	struct virtio *v = virtio_find(0, VL_DEVICE_NET);
	u64 longest = 0, total = 0;

	if (v == NULL)
		panic("there is no network device");
	own_mac[5] = PING_MAC;
	virtio_start(v, 1u << 5);
	for (u16 i = 0; i < BUFFERS; i++)
		give_buffer(v, i);
	resolve(v);
	for (u32 i = 0; i < PING_COUNT; i++) {
		u64 start = rdtsc(), took;

		ping(v, i, DATA + i * (LARGEST - DATA) / (PING_COUNT - 1));
		took = rdtsc() - start;
		total += took;
		longest = took > longest ? took : longest;
	}
	print("pinged %u times, %lu us each, %lu us at most\n", PING_COUNT,
	      total * 1000 / PING_COUNT / tsc_per_ms(), longest * 1000 / tsc_per_ms());
	vl_call_shutdown(hypercall_page, VL_SHUTDOWN_POWEROFF);
	panic("a guest that ended itself goes on");
}
