// SPDX-License-Identifier: MIT
/*
 * Vellum's network device of a later guest (docs/io.md). A header of 12 bytes, which says nothing
 * without offloads, is in front of each frame.
 */
#include "lib/string.h"
#include "mini/lwip/nic.h"
#include "mini/virtio.h"
#include "public/hypercall.h"

#define HEADER      12u
#define F_MAC       (1u << 5)
#define RX          0u
#define TX          1u
#define BUFFER_SIZE (HEADER + FRAME_MOST)

static u8 rx_buffers[VIRTIO_ENTRIES][BUFFER_SIZE] __attribute__((aligned(64)));
static u8 tx_buffers[VIRTIO_ENTRIES][BUFFER_SIZE] __attribute__((aligned(64)));
static struct virtio *device;
static u16 tx_sent, tx_done;
static int rx_at = -1; /* the one that next() told of */
static u32 rx_size;

static void give(u16 i)
{
	virtio_describe(device, RX, i, rx_buffers[i], BUFFER_SIZE, D_WRITE, 0);
	virtio_offer(device, RX, i);
}

static void *room(void)
{
	u32 ignored;

	while (virtio_used(device, TX, &ignored) >= 0)
		tx_done++;
	return (u16)(tx_sent - tx_done) < VIRTIO_ENTRIES
		       ? tx_buffers[tx_sent % VIRTIO_ENTRIES] + HEADER
		       : NULL;
}

/* Frames are sent in the order in which they are offered, so the oldest buffer is free first. */
static void send(u32 size)
{
	u16 i = tx_sent++ % VIRTIO_ENTRIES;

	virtio_describe(device, TX, i, tx_buffers[i], HEADER + size, 0, 0);
	virtio_offer(device, TX, i);
	virtio_kick(device, TX);
}

static const void *next(u32 *size)
{
	if (rx_at < 0)
		rx_at = virtio_used(device, RX, &rx_size);
	if (rx_at < 0)
		return NULL;
	*size = rx_size - HEADER;
	return rx_buffers[rx_at] + HEADER;
}

static void give_back(void)
{
	give((u16)rx_at);
	virtio_kick(device, RX);
	rx_at = -1;
}

static struct nic nic = {
	.name = "virtio", .room = room, .send = send, .next = next, .give_back = give_back};

const struct nic *virtio_net_start(bool polled)
{
	device = virtio_find(0, VL_DEVICE_NET);
	if (device == NULL)
		return NULL;
	device->polled = polled;
	tx_sent = tx_done = 0;
	rx_at = -1;
	virtio_start(device, F_MAC);
	for (u32 i = 0; i < sizeof(nic.mac); i++)
		nic.mac[i] = device->window[VR_CONFIG + i];
	nic.line = polled ? 0 : (u8)VL_DEVICE_LINE(0);
	for (u16 i = 0; i < VIRTIO_ENTRIES; i++)
		give(i);
	virtio_kick(device, RX);
	return &nic;
}
