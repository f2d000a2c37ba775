// SPDX-License-Identifier: MIT
#include "mini/role_io.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tests/random.h"
#include "mini/virtio.h"
#include "public/calls.h"

#define HEADER     12u /* of a network device's chains */
#define FRAME_MOST 1518u
#define BUFFERS    VIRTIO_ENTRIES
#define FRAMES     300u
#define WINDOW     6u     /* frames under way */
#define PATIENCE   10000u /* ms */
#define PAYLOAD    14u    /* where it begins in a frame: */
#define MOST_ROOM  (FRAME_MOST - PAYLOAD)

struct payload {
	u32 magic;
	u32 number;
	u32 size; /* of the frame */
	u32 sum;  /* of the bytes behind */
};

#define MAGIC 0x6f6c6c65u

static u8 sent[BUFFERS][HEADER + FRAME_MOST] __attribute__((aligned(64)));
static u8 got[BUFFERS][HEADER + FRAME_MOST] __attribute__((aligned(64)));

static void __attribute__((noreturn)) end(void)
{
	vl_call_shutdown(hypercall_page, VL_SHUTDOWN_POWEROFF);
	panic("a guest that ended itself goes on");
}

static u32 sum_of(const u8 *p, u32 size)
{
	u32 sum = 2166136261u;

	while (size-- > 0)
		sum = (sum ^ *p++) * 16777619u;
	return sum;
}

/* --- network --- */

static void give_buffer(struct virtio *v, u16 i)
{
	virtio_describe(v, 0, i, got[i], sizeof(got[i]), D_WRITE, 0);
	virtio_offer(v, 0, i);
}

static struct virtio *start_net(u32 index)
{
	struct virtio *v = virtio_find(index, VL_DEVICE_NET);

	if (v == NULL)
		panic("there is no network device");
	virtio_start(v, 1u << 5);
	for (u16 i = 0; i < BUFFERS; i++)
		give_buffer(v, i);
	virtio_kick(v, 0);
	return v;
}

static void send(struct virtio *v, u16 i, u32 size)
{
	virtio_describe(v, 1, i, sent[i], HEADER + size, 0, 0);
	virtio_offer(v, 1, i);
	virtio_kick(v, 1);
}

static void set_mac(u8 *at, u8 who)
{
	static const u8 prefix[] = MAC_PREFIX;

	memcpy(at, prefix, sizeof(prefix));
	at[5] = who;
}

static u32 make_frame(u8 *frame, u32 number, u64 *state)
{
	u32 size = PAYLOAD + (u32)sizeof(struct payload) +
		   (u32)random_below(state, MOST_ROOM - sizeof(struct payload) + 1);
	u8 *bytes = frame + PAYLOAD + sizeof(struct payload);
	struct payload p = {.magic = MAGIC, .number = number, .size = size};

	set_mac(frame, MAC_ECHO);
	set_mac(frame + 6, MAC_TALK);
	frame[12] = 0x88;
	frame[13] = 0xb5; /* for experiments */
	for (u32 i = 0; bytes + i < frame + size; i++)
		bytes[i] = (u8)random_next(state);
	p.sum = sum_of(bytes, (u32)(frame + size - bytes));
	memcpy(frame + PAYLOAD, &p, sizeof(p));
	return size;
}

static bool check_frame(const u8 *frame, u32 size, u32 number)
{
	struct payload p;

	if (size < PAYLOAD + sizeof(p))
		panic("a frame of %u bytes", size);
	memcpy(&p, frame + PAYLOAD, sizeof(p));
	if (frame[0] & 1)
		return false; /* to everybody: noise of somebody else's */
	if (p.magic != MAGIC || p.number != number || p.size != size ||
	    p.sum != sum_of(frame + PAYLOAD + sizeof(p), size - PAYLOAD - (u32)sizeof(p)))
		panic("frame %u came as %u of %u bytes, with %u", number, p.number, p.size, size);
	return true;
}

/* How many came. */
static u32 look(struct virtio *v, u32 expected)
{
	u32 size, n = 0;
	int i;

	while ((i = virtio_used(v, 0, &size)) >= 0) {
		n += check_frame(got[i] + HEADER, size - HEADER, expected + n);
		give_buffer(v, (u16)i);
		virtio_kick(v, 0);
	}
	return n;
}

void role_talk(void)
{
	struct virtio *v = start_net(0);
	u64 state = 0x7a1b;
	u32 next = 0, back = 0, size;

	print("talking\n");
	while (back < FRAMES) {
		for (; next < FRAMES && next < back + WINDOW; next++)
			send(v, next % BUFFERS,
			     make_frame(sent[next % BUFFERS] + HEADER, next, &state));
		if (!virtio_wait(v, PATIENCE))
			panic("%u frames of %u came back", back, next);
		back += look(v, back);
		while (virtio_used(v, 1, &size) >= 0)
			;
	}
	print("talked of %u frames\n", back);
	end();
}

/* What is for everybody is nobody's to answer. */
static void answer(struct virtio *v, const u8 *frame, u32 size, u16 slot)
{
	u8 *to = sent[slot] + HEADER;

	if (frame[0] & 1)
		return;
	memcpy(to, frame, size);
	memcpy(to, frame + 6, 6);
	memcpy(to + 6, frame, 6);
	send(v, slot, size);
}

void role_echo(void)
{
	struct virtio *v = start_net(0);
	u32 size, ignored;
	u16 slot = 0;
	int i;

	print("listening\n");
	for (;;) {
		virtio_wait(v, PATIENCE);
		while ((i = virtio_used(v, 0, &size)) >= 0) {
			answer(v, got[i] + HEADER, size - HEADER, slot);
			slot = (u16)((slot + 1) % BUFFERS);
			give_buffer(v, (u16)i);
			virtio_kick(v, 0);
		}
		while (virtio_used(v, 1, &ignored) >= 0)
			;
	}
}

/* --- disk --- */

#define SECTOR 512u
#define PIECE  8192u /* of a request, in two parts */

static struct virtio_blk_request request;
static u8 data[PIECE] __attribute__((aligned(4096)));

static void offer(struct virtio *v, u32 type, u64 sector, u32 size)
{
	u16 flags = type == BLK_IN ? D_WRITE | D_NEXT : D_NEXT;

	request.type = type;
	request.sector = sector;
	request.status = 0xee;
	virtio_describe(v, 0, 0, &request, 16, D_NEXT, size > 0 ? 1 : 3);
	virtio_describe(v, 0, 1, data, size / 2, flags, 2);
	virtio_describe(v, 0, 2, data + size / 2, size - size / 2, flags, 3);
	virtio_describe(v, 0, 3, &request.status, 1, D_WRITE, 0);
	virtio_offer(v, 0, 0);
	virtio_kick(v, 0);
}

static u8 ask(struct virtio *v, u32 type, u64 sector, u32 size)
{
	u32 used;

	offer(v, type, sector, size);
	if (!virtio_wait(v, PATIENCE) || virtio_used(v, 0, &used) != 0)
		panic("no answer to a request of type %u", type);
	return *(volatile u8 *)&request.status;
}

static struct virtio *start_disk(u32 index)
{
	struct virtio *v = virtio_find(index, VL_DEVICE_BLOCK);

	if (v == NULL)
		panic("there is no disk");
	virtio_start(v, 1u << 9);
	return v;
}

static void read_disk(struct virtio *v, u32 seed)
{
	u64 sectors = virtio_get(v, VR_CONFIG);

	for (u64 s = 0; s < sectors; s += PIECE / SECTOR) {
		u32 size = (u32)(sectors - s < PIECE / SECTOR ? (sectors - s) * SECTOR : PIECE);

		if (ask(v, BLK_IN, s, size) != 0)
			panic("sector %lu cannot be read", s);
		for (u32 i = 0; i < size; i++)
			if (data[i] != (u8)(DISK_BYTE(s * SECTOR + i) + seed))
				panic("sector %lu, byte %u: %#x", s, i, data[i]);
	}
}

static void write_disk(struct virtio *v, u32 seed)
{
	u64 sectors = virtio_get(v, VR_CONFIG);

	for (u64 s = 0; s < sectors; s += PIECE / SECTOR) {
		u32 size = (u32)(sectors - s < PIECE / SECTOR ? (sectors - s) * SECTOR : PIECE);

		for (u32 i = 0; i < size; i++)
			data[i] = (u8)(DISK_BYTE(s * SECTOR + i) + seed);
		if (ask(v, BLK_OUT, s, size) != 0)
			panic("sector %lu cannot be written", s);
	}
	if (ask(v, BLK_FLUSH, 0, 0) != 0)
		panic("a flush failed");
}

void role_disk(void)
{
	struct virtio *v = start_disk(0), *constant = start_disk(1);
	u64 sectors = virtio_get(v, VR_CONFIG);

	if (*(volatile u64 *)(v->window + VR_CONFIG) != sectors)
		panic("read as 64 bits it has %lu sectors",
		      *(volatile u64 *)(v->window + VR_CONFIG));
	read_disk(v, 0);
	read_disk(constant, 0);
	write_disk(v, 91);
	read_disk(v, 91);
	if (ask(v, BLK_IN, sectors, SECTOR) != 1 || ask(v, BLK_OUT, sectors - 1, 2 * SECTOR) != 1)
		panic("a sector behind the disk is there");
	if (ask(constant, BLK_OUT, 0, SECTOR) != 1 ||
	    !(virtio_get(constant, VR_FEATURES) & 1u << 5))
		panic("a read-only disk is none");
	read_disk(v, 91);
	read_disk(constant, 0);
	print("both disks of %lu sectors hold\n", sectors);
	end();
}

_Static_assert(LOG_BYTES == PIECE, "one request each");

static u64 fill_piece(const struct virtio *v, u64 n)
{
	u64 places = virtio_get(v, VR_CONFIG) / (PIECE / SECTOR);

	for (u32 i = 0; i < PIECE; i++)
		data[i] = LOG_BYTE(n * PIECE + i);
	return n % places * (PIECE / SECTOR);
}

void role_log(void)
{
	struct virtio *v = start_disk(0);

	for (u64 n = 0;; n++) {
		if (ask(v, BLK_OUT, fill_piece(v, n), PIECE) != 0)
			panic("piece %lu cannot be written", n);
		if (ask(v, BLK_FLUSH, 0, 0) != 0)
			panic("flush %lu failed", n);
		print("flushed %lu\n", n);
	}
}

struct virtio *role_log_start(void)
{
	return start_disk(0);
}

void role_log_offer(struct virtio *v, u64 n)
{
	offer(v, BLK_OUT, fill_piece(v, n), PIECE);
}

void role_flush_offer(struct virtio *v)
{
	offer(v, BLK_FLUSH, 0, 0);
}

void role_log_check(void)
{
	if (*(volatile u8 *)&request.status != 0)
		panic("a request of type %u failed", request.type);
}

/* --- what no driver may do --- */

#define STEPS 4000u

static void random_descriptor(struct virtio *v, u64 *state)
{
	u32 queue = (u32)random_below(state, 2);
	u64 pa = ptr_to_pa(data).v + random_below(state, 3 * PIECE);
	u32 size = (u32)random_below(state, 5000);

	if (random_below(state, 8) == 0)
		pa = random_next(state);
	if (random_below(state, 8) == 0)
		size = (u32)random_next(state);
	v->queue[queue].descriptor[random_below(state, VIRTIO_ENTRIES)] =
		(struct virtio_descriptor){pa, size, (u16)random_below(state, 6),
					   (u16)random_below(state, 20)};
}

static void random_register(struct virtio *v, u64 *state)
{
	u32 offset = (u32)random_below(state, 0x200), value = (u32)random_below(state, 20);

	if (random_below(state, 4) == 0)
		value = (u32)random_next(state);
	switch (random_below(state, 5)) {
	case 0:
		*(volatile u8 *)(v->window + offset) = (u8)value;
		break;
	case 1:
		*(volatile u16 *)(v->window + (offset & ~1u)) = (u16)value;
		break;
	case 2:
		value = *(volatile u8 *)(v->window + offset);
		break;
	default:
		virtio_set(v, offset & ~3u, value);
	}
}

static void storm(struct virtio *v, u64 *state)
{
	for (u32 i = 0; i < 50; i++)
		virtio_kick(v, (u32)random_below(state, 3));
}

/* To everybody, as fast as it goes. */
static void flood(struct virtio *v)
{
	virtio_start(v, 0);
	memset(sent[0] + HEADER, 0xff, 6);
	set_mac(sent[0] + HEADER + 6, MAC_BAD);
	for (u32 i = 0; i < 100; i++)
		send(v, 0, FRAME_MOST);
}

static void misbehave(struct virtio *v, u64 *state)
{
	switch (random_below(state, 16)) {
	case 0:
		virtio_start(v, 0);
		break;
	case 1:
		storm(v, state);
		break;
	case 2:
		v->queue[random_below(state, 2)].avail.idx = (u16)random_next(state);
		break;
	case 3:
		if (v->index == 0)
			flood(v);
		break;
	case 4:
	case 5:
		random_register(v, state);
		break;
	case 6:
	case 7:
		virtio_offer(v, (u32)random_below(state, 2), (u16)random_below(state, 17));
		virtio_kick(v, (u32)random_below(state, 2));
		break;
	default:
		random_descriptor(v, state);
	}
}

/* The devices' windows that are empty, too. */
static void touch_all(void)
{
	for (u32 i = 0; i < VL_MAX_DEVICES; i++)
		virtio_find(i, 99);
}

void role_badio(void)
{
	struct virtio *net = virtio_find(0, VL_DEVICE_NET), *disk = virtio_find(1, VL_DEVICE_BLOCK);
	u64 state = 1;

	if (net == NULL || disk == NULL)
		panic("it has no devices");
	cmdline_get_hex("seed", &state);
	print("misbehaving\n");
	touch_all();
	for (u32 i = 0; i < STEPS; i++)
		misbehave(i & 1 ? net : disk, &state);
	virtio_set(net, VR_STATUS, 0);
	virtio_start(disk, 1u << 9);
	virtio_wait(disk, 1);
	if (ask(disk, BLK_FLUSH, 0, 0) != 0)
		panic("after a reset it does not work");
	print("it works again\n");
	end();
}
