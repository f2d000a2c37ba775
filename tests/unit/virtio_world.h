/* SPDX-License-Identifier: MIT */
/*
 * A driver of virtio devices and its memory: pages that follow each other for
 * the driver, and nowhere else. The byte behind each is somebody else's.
 */
#ifndef VELLUM_TESTS_UNIT_VIRTIO_WORLD_H
#define VELLUM_TESTS_UNIT_VIRTIO_WORLD_H

#include "io/virtio_mmio.h"

#define WORLD_BASE  ((u64)0x100000)
#define WORLD_PAGES 64u

struct world {
	struct guest_memory memory;
	u8 *page[WORLD_PAGES]; /* NULL: a hole */
	struct virtio_mmio *device;
	u16 next[VIRTIO_QUEUES]; /* of the available ring */
	u16 seen[VIRTIO_QUEUES]; /* of the used ring */
};

/* The areas of queue n. */
#define WORLD_DESCRIPTORS(n) (WORLD_BASE + 3 * (n)*PAGE_SIZE)
#define WORLD_DRIVER(n)      (WORLD_DESCRIPTORS(n) + PAGE_SIZE)
#define WORLD_DEVICE(n)      (WORLD_DESCRIPTORS(n) + 2 * PAGE_SIZE)
#define WORLD_BUFFERS        (WORLD_BASE + 8 * PAGE_SIZE)

#define D_NEXT  1u
#define D_WRITE 2u

void world_init(struct world *w, struct virtio_mmio *device);
void world_end(struct world *w);

/** The driver's own loads and stores, which may cross pages. */
void world_put(struct world *w, u64 pa, const void *from, size_t size);
void world_get(struct world *w, u64 pa, void *to, size_t size);

/** Registers. */
u32 world_read(struct world *w, u32 offset);
int world_write(struct world *w, u32 offset, u32 value);

/** As a driver does: reset, features, queues of so many entries, DRIVER_OK. */
void world_start(struct world *w, u64 features, u32 entries);

/** Descriptor `index` of a queue. */
void world_describe(struct world *w, u32 queue, u16 index, u64 pa, u32 size, u16 flags, u16 next);

/** Make a chain available, and kick: what the write answered. */
int world_offer(struct world *w, u32 queue, u16 head);

/** The next used chain: its head, or -1; its bytes. */
int world_used(struct world *w, u32 queue, u32 *written);

#endif
