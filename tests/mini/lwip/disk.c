// SPDX-License-Identifier: MIT
/*
 * A disk beside the connections, in window 1: a piece after the other is written, flushed and read
 * back. One request at a time, and nobody waits for it.
 */
#include "mini/console.h"
#include "mini/exit.h"
#include "mini/lwip/services.h"
#include "mini/memory.h"
#include "mini/virtio.h"
#include "public/hypercall.h"

#define WINDOW  1u
#define F_FLUSH (1u << 9)
#define SECTOR  512u
#define PIECE   8192u
#define SECTORS (PIECE / SECTOR)

static struct virtio_blk_request request;
static u8 data[PIECE] __attribute__((aligned(4096)));
static struct virtio *device;
static u64 pieces; /* written and read back */

static u8 byte_of(u64 piece, u32 i)
{
	return (u8)(i * 7 + (i >> 8) + piece * 13);
}

static u64 sector_of(u64 piece)
{
	return piece % (virtio_get(device, VR_CONFIG) / SECTORS) * SECTORS;
}

static void ask(u32 type)
{
	request.type = type;
	request.sector = sector_of(pieces);
	request.status = 0xee;
	virtio_describe(device, 0, 0, &request, 16, D_NEXT, type == BLK_FLUSH ? 2 : 1);
	virtio_describe(device, 0, 1, data, PIECE, type == BLK_IN ? D_WRITE | D_NEXT : D_NEXT, 2);
	virtio_describe(device, 0, 2, &request.status, 1, D_WRITE, 0);
	virtio_offer(device, 0, 0);
	virtio_kick(device, 0);
}

static void write(void)
{
	for (u32 i = 0; i < PIECE; i++)
		data[i] = byte_of(pieces, i);
	ask(BLK_OUT);
}

static void compare(void)
{
	for (u32 i = 0; i < PIECE; i++)
		if (*(volatile u8 *)&data[i] != byte_of(pieces, i))
			panic("disk: piece %lu, byte %u is %#x", pieces, i, data[i]);
	pieces++;
}

static void read(void)
{
	for (u32 i = 0; i < PIECE; i++)
		*(volatile u8 *)&data[i] = 0;
	ask(BLK_IN);
}

void disk_start(void)
{
	device = virtio_find(WINDOW, VL_DEVICE_BLOCK);
	if (device == NULL)
		return;
	virtio_start(device, F_FLUSH);
	write();
}

void disk_poll(void)
{
	u32 size;

	if (device == NULL || virtio_used(device, 0, &size) < 0)
		return;
	if (*(volatile u8 *)&request.status != 0)
		panic("disk: request of type %u at sector %lu has status %u", request.type,
		      request.sector, request.status);
	if (request.type == BLK_OUT) {
		ask(BLK_FLUSH);
	} else if (request.type == BLK_FLUSH) {
		read();
	} else {
		compare();
		write();
	}
}

void disk_end(void)
{
	if (device != NULL)
		print("lwip: disk: %lu pieces written, flushed and read\n", pieces);
	device = NULL;
}
