/* SPDX-License-Identifier: MIT */
/*
 * A virtio disk (virtio 1.1, section 5.2), of pages, or of a device that takes its
 * time: then one request is under way, and the others wait in the queue. Pure; one caller at
 * a time.
 */
#ifndef VELLUM_IO_VIRTIO_BLK_H
#define VELLUM_IO_VIRTIO_BLK_H

#include "io/virtio_mmio.h"

#define VIRTIO_ID_BLOCK       2u
#define VIRTIO_BLK_F_SIZE_MAX ((u64)1 << 1)
#define VIRTIO_BLK_F_SEG_MAX  ((u64)1 << 2)
#define VIRTIO_BLK_F_RO       ((u64)1 << 5)
#define VIRTIO_BLK_F_FLUSH    ((u64)1 << 9)

#define VIRTIO_BLK_IN     0u
#define VIRTIO_BLK_OUT    1u
#define VIRTIO_BLK_FLUSH  4u
#define VIRTIO_BLK_GET_ID 8u

#define VIRTIO_BLK_OK     0u
#define VIRTIO_BLK_IOERR  1u
#define VIRTIO_BLK_UNSUPP 2u

#define SECTOR_SIZE             512u
#define VIRTIO_BLK_SEGMENTS     16u
#define VIRTIO_BLK_SEGMENT_SIZE 4096u
#define VIRTIO_BLK_BYTES        (VIRTIO_BLK_SEGMENTS * VIRTIO_BLK_SEGMENT_SIZE) /* of a request */

struct virtio_blk_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

/** What a disk is of: pages, by number; or a device, if page is NULL. */
struct disk {
	u64 sectors;
	bool read_only;
	void *(*page)(void *context, u64 index);
	u8 *buffer; /* VIRTIO_BLK_BYTES, what a request of the device moves */
	/* 0, or a negative error. `through`: what is written has to be safe when it is done. */
	int (*begin)(void *context, u32 type, u64 sector, u32 sectors, bool through);
	bool (*poll)(void *context, int *result); /* false: it is not done */
	void *context;
};

struct virtio_blk {
	struct virtio_mmio mmio;
	struct disk disk;
	u64 reads, writes, read_bytes, write_bytes, refused;
	bool busy; /* with this one: */
	u32 resets;
	u32 type;
	struct virtqueue_chain chain;
};

void virtio_blk_init(struct virtio_blk *b, const struct disk *disk);

/** Do what the driver asks for, at most so many requests. Whether there are more, or one is under
 * way (busy). */
bool virtio_blk_serve(struct virtio_blk *b, const struct guest_memory *m, u32 most);

/** Write to the disk beside the driver; false: not all of it is on the disk, or it is a device. */
bool virtio_blk_fill(struct virtio_blk *b, u64 offset, const void *from, u64 size);

#endif
