// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the whole devices: registers of a network device and of a disk are
 * read and written at random beside a driver that knows what it does, so that
 * deep states are reached. Nothing but the driver's memory and the disk may change,
 * work is bounded, and after a reset the device works again.
 */
#include "tests/fuzz/damage.h"

#include <stdlib.h>
#include <string.h>

#include "io/virtio_blk.h"
#include "io/virtio_net.h"
#include "tests/fuzz/input.h"
#include "tests/unit/virtio_world.h"

#define SECTORS 16u

static u8 disk_pages[2][PAGE_SIZE];
static u32 frames;

static void *disk_page(void *context, u64 index)
{
	(void)context;
	must(index < 2);
	return disk_pages[index];
}

/* The same as a device, which is done after some looks, or fails. */
static u8 buffer[VIRTIO_BLK_BYTES];
static u32 looks;

static int begin(void *context, u32 type, u64 sector, u32 sectors, bool through)
{
	(void)context;
	must(looks == 0 &&
	     (type == VIRTIO_BLK_FLUSH || (sector + sectors <= SECTORS && sectors > 0)));
	if (sector == 7 && through)
		return -1;
	looks = 3;
	return 0;
}

static bool poll(void *context, int *result)
{
	(void)context;
	looks -= looks > 0;
	*result = 0;
	memset(buffer, 0x5c, sizeof(buffer));
	return looks == 0;
}

static u32 send(void *context, const struct frame_source *f)
{
	static u8 bytes[FRAME_LONGEST];

	(void)context;
	must(f->size <= FRAME_LONGEST && f->size >= FRAME_HEADER);
	must(f->copy(f->context, bytes, f->size));
	must(memchr(bytes, 1, f->size) != bytes + f->size);
	frames++;
	return f->size % 32;
}

/* In turn: one to be cut, one whose sum is to be made, one of which nothing is to be done. */
#define LARGE 5000u
static u64 waiting[(sizeof(struct frame) + LARGE) / sizeof(u64) + 1];
static u32 turn, pieces;

static const struct frame *peek(void *context)
{
	static const u8 ip[10] = {0x45, 0, 0, 0, 0, 0, 0, 0, 0, 6};
	static const struct offload kinds[] = {
		{OFFLOAD_SUM, OFFLOAD_TCP4, 54, 900, 34, 16}, {OFFLOAD_SUM, 0, 0, 0, 34, 6}, {0}};
	struct frame *f = (struct frame *)waiting;

	(void)context;
	f->offload = kinds[turn % 3];
	f->size = turn % 3 == 0 ? LARGE : FRAME_MOST;
	f->bytes[12] = 8;
	memcpy(f->bytes + 14, ip, sizeof(ip));
	f->bytes[34 + 12] = 0x50;
	must(frame_is_good(f));
	return f;
}

static void done(void *context)
{
	(void)context;
	turn++;
	pieces = 0;
}

static u32 take(void *context, u8 *to)
{
	const struct frame *f = (const struct frame *)waiting;
	u32 size = frame_piece(f, pieces++, to);

	if (pieces == frame_pieces(f))
		done(context);
	return size;
}

static const struct net_link link = {send, peek, done, take, NULL};

static struct virtio_net net;
static struct virtio_blk blk;

static bool owes;

static void kick(struct world *w, int queue)
{
	if (queue < 0)
		return;
	must((u32)queue < w->device->nr_queues);
	if (w->device == &blk.mmio) {
		virtio_blk_serve(&blk, &w->memory, 8);
	} else {
		virtio_net_serve(&net, &w->memory, &link, owes);
		if (!owes)
			virtio_net_say(&net);
		owes = !owes;
	}
}

static void describe(struct world *w, struct input *in, u32 queue)
{
	u8 kind = input_byte(in);
	u64 pa = WORLD_BASE + (u64)(input_byte(in) % (WORLD_PAGES + 1)) * PAGE_SIZE;

	if (w->device == &blk.mmio && kind % 4 == 0) {
		u32 header[4] = {input_byte(in) % 10, 0, input_byte(in), kind == 4};

		world_put(w, WORLD_BUFFERS, header, sizeof(header));
		pa = WORLD_BUFFERS;
	}
	world_describe(w, queue, input_byte(in) % 16, pa + kind,
		       kind % 4 == 0 ? 16 : (u32)input_byte(in) << (kind & 8), kind & 3,
		       input_byte(in) % 17);
}

/* Some of what a network device offers. */
static u64 offered(const struct world *w, u8 some)
{
	return w->device == &net.mmio ? net.mmio.features & (some | (u64)some << 8) : 0;
}

static void step(struct world *w, struct input *in)
{
	u8 what = input_byte(in);
	u32 queue = what % w->device->nr_queues, offset = input_byte(in) * 4u;

	if (what < 100)
		describe(w, in, queue);
	else if (what < 160 && w->device->queue[queue].ready)
		kick(w, world_offer(w, queue, input_byte(in) % 17));
	else if (what < 200)
		virtio_mmio_read(w->device, offset + what % 4, (u8)(1u << what % 3));
	else if (what < 250)
		kick(w, virtio_mmio_write(w->device, &w->memory, offset & 0x1ff,
					  what % 8 == 0 ? 2 : 4, input_byte(in)));
	else
		world_start(w, VIRTIO_F_VERSION | offered(w, input_byte(in)), 16);
}

/* A plain request, which each of them can do. */
static void check_alive(struct world *w)
{
	u32 queue = w->device->nr_queues - 1, header[4] = {VIRTIO_BLK_FLUSH}, written;

	world_start(w, VIRTIO_F_VERSION, 16);
	world_put(w, WORLD_BUFFERS, header, sizeof(header));
	world_describe(w, queue, 0, WORLD_BUFFERS, 16, D_NEXT, 1);
	world_describe(w, queue, 1, WORLD_BUFFERS + 100, 1, D_WRITE, 0);
	kick(w, world_offer(w, queue, 0));
	for (u32 i = 0; i < 8; i++)
		kick(w, (int)queue);
	must(world_used(w, queue, &written) == 0);
	must(virtio_mmio_line(w->device));
}

static void run(struct virtio_mmio *device, struct input *in)
{
	struct world w;

	world_init(&w, device);
	world_start(&w, VIRTIO_F_VERSION, 16);
	while (in->left > 0)
		step(&w, in);
	check_alive(&w);
	world_end(&w);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 mac[6] = {2, 1, 1, 1, 1, 1};
	struct disk disk = {.sectors = SECTORS, .buffer = buffer, .begin = begin, .poll = poll};
	struct input in = {data, size};

	looks = turn = pieces = 0;
	owes = false;
	disk.read_only = in.left > 0 && (*in.p & 1);
	disk.page = input_byte(&in) & 2 ? disk_page : NULL;
	virtio_net_init(&net, mac);
	virtio_blk_init(&blk, &disk);
	run(&blk.mmio, &(struct input){in.p, in.left});
	run(&net.mmio, &in);
	return 0;
}
