/* SPDX-License-Identifier: MIT */
/*
 * The registers of a virtio device by virtio-mmio, version 2 (virtio 1.1,
 * section 4.2), and what all such devices have in common: status, features,
 * queues, interrupts. A driver that breaks a rule finds NEEDS_RESET, and its device
 * does nothing any more until it resets it.
 *
 * Pure; one caller at a time. What a device does with a queue is its own file's.
 */
#ifndef VELLUM_IO_VIRTIO_MMIO_H
#define VELLUM_IO_VIRTIO_MMIO_H

#include "io/virtqueue.h"

#define VIRTIO_QUEUES      2u
#define VIRTIO_CONFIG_SIZE 32u

#define VIRTIO_MAGIC     0x74726976u /* "virt" */
#define VIRTIO_VERSION   2u
#define VIRTIO_VENDOR    0x4d4c4c56u /* "VLLM" */
#define VIRTIO_F_VERSION ((u64)1 << 32)

enum virtio_register {
	VIRTIO_REG_MAGIC = 0x000,
	VIRTIO_REG_VERSION = 0x004,
	VIRTIO_REG_DEVICE_ID = 0x008,
	VIRTIO_REG_VENDOR = 0x00c,
	VIRTIO_REG_FEATURES = 0x010,
	VIRTIO_REG_FEATURES_SELECT = 0x014,
	VIRTIO_REG_DRIVER_FEATURES = 0x020,
	VIRTIO_REG_DRIVER_FEATURES_SELECT = 0x024,
	VIRTIO_REG_QUEUE_SELECT = 0x030,
	VIRTIO_REG_QUEUE_MOST = 0x034,
	VIRTIO_REG_QUEUE_SIZE = 0x038,
	VIRTIO_REG_QUEUE_READY = 0x044,
	VIRTIO_REG_NOTIFY = 0x050,
	VIRTIO_REG_INTERRUPT = 0x060,
	VIRTIO_REG_INTERRUPT_ACK = 0x064,
	VIRTIO_REG_STATUS = 0x070,
	VIRTIO_REG_DESCRIPTORS = 0x080, /* low and high half, so the other two */
	VIRTIO_REG_DRIVER = 0x090,
	VIRTIO_REG_DEVICE = 0x0a0,
	VIRTIO_REG_GENERATION = 0x0fc,
	VIRTIO_REG_CONFIG = 0x100,
};

#define VIRTIO_ACKNOWLEDGE 0x01u
#define VIRTIO_DRIVER      0x02u
#define VIRTIO_DRIVER_OK   0x04u
#define VIRTIO_FEATURES_OK 0x08u
#define VIRTIO_NEEDS_RESET 0x40u
#define VIRTIO_FAILED      0x80u

#define VIRTIO_INTERRUPT_USED   1u
#define VIRTIO_INTERRUPT_CONFIG 2u

struct virtio_mmio {
	u32 id;
	u32 nr_queues;
	u64 features; /* that the device offers, VIRTIO_F_VERSION too */
	u32 config_size;
	u8 config[VIRTIO_CONFIG_SIZE];
	/* from here on the driver's: */
	u64 driver_features;
	u32 features_select, driver_features_select, queue_select;
	u32 status;
	u32 interrupt;
	u32 generation;
	struct virtqueue queue[VIRTIO_QUEUES];
	u64 faults; /* times that it came to NEEDS_RESET */
	u32 resets; /* what was taken from a queue before one is nobody's any more */
};

/** What a write asks for besides. */
#define VIRTIO_NOTHING (-1) /* else: the number of the queue that was kicked */

/** Everything that the device is has been filled in; the rest is as after a reset. */
void virtio_mmio_reset(struct virtio_mmio *v);

/** An access of 1, 2 or 4 bytes at an offset in the window. */
u32 virtio_mmio_read(const struct virtio_mmio *v, u32 offset, u8 size);
int virtio_mmio_write(struct virtio_mmio *v, const struct guest_memory *m, u32 offset, u8 size,
		      u32 value);

/** Whether the device may touch this queue. */
bool virtio_mmio_runs(const struct virtio_mmio *v, u32 queue);

/** Level of its interrupt line. */
bool virtio_mmio_line(const struct virtio_mmio *v);

/** Something was given back. */
void virtio_mmio_interrupt(struct virtio_mmio *v);

/** The driver broke a rule. */
void virtio_mmio_break(struct virtio_mmio *v);

/** The next chain of a queue that runs, as virtqueue_take() has it; false: there is none, or the
 * driver broke a rule. */
bool virtio_mmio_take(struct virtio_mmio *v, const struct guest_memory *m, u32 queue, u32 needed,
		      struct virtqueue_chain *chain);

/** Give it back. Whether the driver wants an interrupt for it. */
bool virtio_mmio_give(struct virtio_mmio *v, const struct guest_memory *m, u32 queue, u16 head,
		      u32 written);

#endif
