/* SPDX-License-Identifier: MIT */
/*
 * A driver of Vellum's virtio devices (public/hypercall.h, VL_DEVICE_BASE), in
 * its smallest form: memory that never moves, one chain at a time or a few.
 */
#ifndef MINI_VIRTIO_H
#define MINI_VIRTIO_H

#include "lib/types.h"

#define VIRTIO_ENTRIES 64u
#define VIRTIO_QUEUES  2u

#define D_NEXT  1u
#define D_WRITE 2u

/* Registers: virtio 1.1, section 4.2.2. */
enum {
	VR_MAGIC = 0x000,
	VR_VERSION = 0x004,
	VR_DEVICE = 0x008,
	VR_FEATURES = 0x010,
	VR_FEATURES_SELECT = 0x014,
	VR_DRIVER_FEATURES = 0x020,
	VR_DRIVER_FEATURES_SELECT = 0x024,
	VR_QUEUE_SELECT = 0x030,
	VR_QUEUE_MOST = 0x034,
	VR_QUEUE_SIZE = 0x038,
	VR_QUEUE_READY = 0x044,
	VR_NOTIFY = 0x050,
	VR_INTERRUPT = 0x060,
	VR_INTERRUPT_ACK = 0x064,
	VR_STATUS = 0x070,
	VR_DESCRIPTORS = 0x080,
	VR_DRIVER_AREA = 0x090,
	VR_DEVICE_AREA = 0x0a0,
	VR_CONFIG = 0x100,
};

#define VS_RUNNING     15u /* ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK */
#define VS_NEEDS_RESET 64u

struct virtio_descriptor {
	u64 pa;
	u32 size;
	u16 flags, next;
};

struct virtio_rings {
	struct virtio_descriptor descriptor[VIRTIO_ENTRIES];
	struct {
		u16 flags, idx, ring[VIRTIO_ENTRIES];
	} avail;
	struct {
		u16 flags, idx;
		struct {
			u32 id, size;
		} ring[VIRTIO_ENTRIES];
	} used __attribute__((aligned(4)));
} __attribute__((aligned(4096)));

/* What a request to a disk begins with, and what it ends with. */
enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4 };
struct virtio_blk_request {
	u32 type, reserved;
	u64 sector;
	u8 status;
} __attribute__((aligned(64)));

struct virtio {
	volatile u8 *window;
	u32 index;
	struct virtio_rings *queue; /* VIRTIO_QUEUES of them */
	u16 seen[VIRTIO_QUEUES];
	bool polled; /* it wants no interrupts */
};

/** Window `index`, whatever is there. */
struct virtio *virtio_at(u32 index);

/** The same: NULL if no device of this kind is there. */
struct virtio *virtio_find(u32 index, u32 kind);

u32 virtio_get(const struct virtio *v, u32 offset);
void virtio_set(const struct virtio *v, u32 offset, u32 value);

/** Reset it and let it run with these features of the lower 32; panics if it does not want to. */
void virtio_start(struct virtio *v, u32 features);

/** The same of one that may go at any moment; false: it is gone. */
bool virtio_try(struct virtio *v, u32 features);

/** Write descriptor `index` of a queue. */
void virtio_describe(struct virtio *v, u32 queue, u16 index, const volatile void *at, u32 size,
		     u16 flags, u16 next);

/** Make a chain available; and tell the device. */
void virtio_offer(struct virtio *v, u32 queue, u16 head);
void virtio_kick(const struct virtio *v, u32 queue);

/** A chain that was used, and its bytes; negative: none. */
int virtio_used(struct virtio *v, u32 queue, u32 *size);

/** Halt until one of its interrupts has come that was not waited for yet; false: none came in `ms`.
 */
bool virtio_wait(struct virtio *v, u32 ms);

#endif
