/* SPDX-License-Identifier: MIT */
/*
 * The device's side of a split virtqueue (virtio 1.1, section 2.6). The rings
 * are the driver's memory, which may say anything and change at any time: each
 * word is read once, and a chain is handed out only after all of it was looked at.
 * Indirect descriptors and event indexes are not offered, so a driver that uses them
 * breaks the rules like one with a loop.
 *
 * Pure: memory is reached through `struct guest_memory`. One caller at a time.
 */
#ifndef VELLUM_IO_VIRTQUEUE_H
#define VELLUM_IO_VIRTQUEUE_H

#include "lib/types.h"

#define VIRTQUEUE_MOST        256u             /* entries; a power of two */
#define VIRTQUEUE_PARTS       20u              /* descriptors of a chain */
#define VIRTQUEUE_CHAIN_BYTES ((u32)256 << 10) /* in all of them */

/** The bytes [pa, pa + size) of the driver's RAM, in one page; NULL: they are not. */
struct guest_memory {
	void *(*find)(void *context, u64 pa, u64 size);
	void *context;
};

struct virtqueue {
	u64 descriptors, driver, device; /* pa of the three areas */
	u32 size;                        /* entries */
	u16 next;                        /* of the available ring, that is taken next */
	u16 used;                        /* entries of the used ring that were written */
	bool ready;
	bool quiet; /* the driver need not tell of what it makes available */
};

struct virtqueue_part {
	u64 pa;
	u32 size; /* bytes, not 0 */
};

/** A chain that is the device's: parts to read from come first, then those to write to. */
struct virtqueue_chain {
	u16 head;
	u32 nr_parts;
	u32 nr_readable;
	u32 readable, writable; /* bytes */
	struct virtqueue_part part[VIRTQUEUE_PARTS];
};

enum virtqueue_answer {
	VIRTQUEUE_EMPTY,
	VIRTQUEUE_CHAIN,
	VIRTQUEUE_BROKEN, /* the driver breaks the rules; nothing was taken */
};

/** Whether the three areas and the size are what a queue may have; then it is ready, from its
 * beginning. */
bool virtqueue_start(struct virtqueue *q, const struct guest_memory *m);

#define VIRTQUEUE_ALL (~0u)

/** Take the next chain, whose memory is all there: all of it, or its beginning, as far as it takes
 * to have so many bytes, not 0, to write to. */
enum virtqueue_answer virtqueue_take(struct virtqueue *q, const struct guest_memory *m, u32 needed,
				     struct virtqueue_chain *chain);

/** The chain that was taken last is the next one again. */
static inline void virtqueue_untake(struct virtqueue *q)
{
	q->next--;
}

/** Whether the next call of virtqueue_take() would not say that it is empty. */
bool virtqueue_has_more(const struct virtqueue *q, const struct guest_memory *m);

/** Give a chain back, with so many bytes written. BROKEN: the ring is no memory any more; CHAIN:
 * the driver wants an interrupt; EMPTY: it wants none. */
enum virtqueue_answer virtqueue_give(struct virtqueue *q, const struct guest_memory *m, u16 head,
				     u32 written);

/** From here on the driver tells of what it makes available, or need not. After the former, what it
 * has made available before is to be looked for once more. */
void virtqueue_set_quiet(struct virtqueue *q, const struct guest_memory *m, bool quiet);

/** Copy from the readable, or to the writable part of a chain, `offset` bytes from its start. True
 * if all of it was there. */
bool virtqueue_read(const struct virtqueue_chain *chain, const struct guest_memory *m, u32 offset,
		    void *to, u32 size);
bool virtqueue_write(const struct virtqueue_chain *chain, const struct guest_memory *m, u32 offset,
		     const void *from, u32 size);

#endif
