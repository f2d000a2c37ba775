/* SPDX-License-Identifier: MIT */
/*
 * A learning Ethernet switch. A port belongs to a bridge, and frames stay in
 * theirs. A port has one address of its own, and sends from no other, unless it
 * may have any: then the switch learns where addresses are. A frame goes to the port
 * that has its destination; one for a group to all others of the bridge; one that nobody
 * is known to have to those that may have any address.
 *
 * What a port is to get waits in its queue, which is bounded: who does not empty it loses what
 * comes, and holds up nobody. Of a queue each sender may have as much as it leaves free, so that
 * one that floods leaves room for others. Pure; one caller at a time, but that a port's
 * owner may look at what waits for it meanwhile (switch_peek()).
 */
#ifndef VELLUM_IO_SWITCH_H
#define VELLUM_IO_SWITCH_H

#include "io/frame.h"

#define SWITCH_PORTS     32u
#define SWITCH_BLOCKS    256u  /* of a queue; a power of two */
#define SWITCH_BLOCK     1600u /* bytes: a frame that needs not be cut, and what is known of it */
#define SWITCH_PIECES    4u    /* or so many pieces: those that are to be made cost, too */
#define SWITCH_LEARNED   16u   /* addresses behind one port */
#define SWITCH_NAME_SIZE 16u
#define MAC_SIZE         6u

/** Frames that wait for a port, each in blocks that follow each other; what does not fit before the
 * last block begins at the first, behind a frame of no bytes. */
struct switch_queue {
	u32 start, end;         /* blocks, counted from the beginning */
	u32 pieces;             /* of the first frame that were taken */
	u16 held[SWITCH_PORTS]; /* how many of them are each sender's */
	u8 block[SWITCH_BLOCKS][SWITCH_BLOCK] __attribute__((aligned(8)));
};
_Static_assert(sizeof(struct frame) + FRAME_MOST <= SWITCH_BLOCK, "most frames need one");

struct switch_counts {
	u64 sent, sent_bytes; /* by the port, and taken */
	u64 got, got_bytes;   /* by its owner, from the queue */
	u64 dropped;          /* for the port: its queue had no room for that sender */
	u64 refused; /* by the port: no good frame, or from an address that is not its own */
};

struct switch_learned {
	u64 mac; /* 0: none */
	u64 seen;
};

struct switch_port {
	struct switch_queue *queue; /* NULL: the port is free */
	void *owner;
	u64 mac;
	u32 bridge;
	bool any_mac;
	char name[SWITCH_NAME_SIZE]; /* of the bridge */
	struct switch_counts counts;
	struct switch_learned learned[SWITCH_LEARNED];
};

struct net_switch {
	u64 age; /* ticks after which an address that is not heard of is forgotten */
	u32 last_bridge;
	struct switch_port port[SWITCH_PORTS];
};

/** What a port is to be. */
struct switch_wish {
	const u8 *mac;    /* MAC_SIZE bytes */
	const char *name; /* of the bridge, SWITCH_NAME_SIZE bytes, zero-terminated */
	bool any_mac;
	void *owner;
	struct switch_queue *queue; /* the port's from here on, until switch_detach() */
};

/** Whether it is one station's address: no group's, and not 0. */
bool switch_mac_is_good(const u8 *mac);

/** Returns the port; -VL_EEXIST: another one of that bridge has this address; -VL_ENOSPC: all ports
 * are used. */
int switch_attach(struct net_switch *s, const struct switch_wish *wish);
void switch_detach(struct net_switch *s, u32 port);

/** A port sends a frame: who got it, as a mask of ports. One that is to be cut goes to one port at
 * most. */
u32 switch_send(struct net_switch *s, u32 port, const struct frame_source *f, u64 now);

/** The frame that waits longest, until switch_done() or switch_take(); NULL: none waits. */
const struct frame *switch_peek(const struct switch_queue *q);

/** The port has it. */
void switch_done(struct net_switch *s, u32 port);

/** Take the next piece of what waits longest: its bytes, at most FRAME_MOST; 0: none waits. */
u32 switch_take(struct net_switch *s, u32 port, u8 *to);

#endif
