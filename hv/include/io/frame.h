/* SPDX-License-Identifier: MIT */
/*
 * Ethernet frames on their way from a port to another, and what their senders
 * left to be done: a checksum, and to cut what is too long for a wire into segments of TCP
 * over IPv4. Who takes frames like that gets them as they are; for others the pieces are
 * made, one by one. Pure.
 *
 * A frame's bytes and what its sender says of it are nobody's promise: frame_is_good() is
 * asked once, of a copy that does not change any more.
 */
#ifndef VELLUM_IO_FRAME_H
#define VELLUM_IO_FRAME_H

#include "lib/types.h"

#define FRAME_HEADER   14u    /* bytes: two addresses, and what is in it */
#define FRAME_MOST     1518u  /* of a piece: with a VLAN tag, without the checksum */
#define FRAME_LONGEST  65550u /* of what is to be cut: for so much drivers have buffers */
#define FRAME_SEGMENTS 128u   /* it becomes at most; who has to take them did not ask for it */

#define OFFLOAD_SUM  1u /* flags: a checksum is to be made */
#define OFFLOAD_TCP4 1u /* kind: TCP over IPv4, to be cut */

/** As virtio's header has it (virtio 1.1, section 5.1.6): all 0 if there is nothing to do. */
struct offload {
	u8 flags;
	u8 kind;
	u16 headers;    /* bytes before the payload; Vellum finds out itself, and writes it */
	u16 segment;    /* bytes of payload in a piece */
	u16 sum_from;   /* what is from here on is summed up; */
	u16 sum_offset; /* the checksum is so far behind that, and has the pseudo header's already
			 */
};
_Static_assert(sizeof(struct offload) == 10, "as virtio has it");

struct frame {
	u32 size;
	struct offload offload;
	u8 from; /* the sender's port */
	u8 blocks;
	u8 bytes[];
};

/** A frame that somebody wants to send. */
struct frame_source {
	u32 size;
	struct offload offload;
	u8 head[FRAME_HEADER]; /* of it */
	/* All of it; false: it cannot be read. What is there may have changed since. */
	bool (*copy)(void *context, u8 *to, u32 size);
	void *context;
};

/** Whether it is what its sender says; then offload.headers is right. */
bool frame_is_good(struct frame *f);

/** How many pieces there are for who takes none that has something to be done. */
u32 frame_pieces(const struct frame *f);

/** The bytes of one of them, counted from 0, at most FRAME_MOST. */
u32 frame_piece(const struct frame *f, u32 index, u8 *to);

#endif
