/* SPDX-License-Identifier: MIT */
/*
 * A driver of Intel's 82540EM, as QEMU and Bochs have it (PCI/PCI-X Family of
 * Gigabit Ethernet Controllers Software Developer's Manual, 317453). It polls: the card
 * interrupts nobody. Frames of all stations are received. Pure; one caller at a time.
 *
 * Rings and buffers are one piece of memory, whose addresses the card is given and no others; what
 * the card writes there is read once, and judged.
 */
#ifndef VELLUM_IO_E1000_H
#define VELLUM_IO_E1000_H

#include "lib/types.h"

#define E1000_FRAME_LEAST 14u
#define E1000_FRAME_MOST  1518u /* with a VLAN tag, without the checksum */
#define E1000_MAC_SIZE    6u

#define E1000_REGISTERS 0x6000u /* bytes */

#define E1000_RECEIVE  64u /* descriptors, each with a buffer; their sizes are multiples of 128 */
#define E1000_TRANSMIT 32u
#define E1000_BUFFER   2048u
#define E1000_RINGS    4096u /* bytes, before the buffers */
#define E1000_MEMORY   (E1000_RINGS + (E1000_RECEIVE + E1000_TRANSMIT) * E1000_BUFFER)

/** Registers, by offset; tests have others. */
struct e1000_access {
	u32 (*read)(void *context, u32 offset);
	void (*write)(void *context, u32 offset, u32 value);
	void (*pause)(void *context); /* a microsecond, or more */
	void *context;
};

struct e1000_counts {
	u64 received, received_bytes, sent, sent_bytes;
	u64 dropped;  /* not sent: the ring was full, there was no link, or it timed out */
	u64 missed;   /* that came, but the card had no room */
	u64 errors;   /* that came damaged, or made no sense */
	u64 timeouts; /* times that it was reset because it sent nothing */
};

struct e1000 {
	struct e1000_access access;
	u8 *memory;
	u64 ma;     /* of the memory, for the card */
	u64 second; /* in ticks of `now` */
	u8 mac[E1000_MAC_SIZE];
	bool link, works;
	bool went_on;   /* it was on already, as this driver has it, and was not reset */
	bool ends;      /* and has no descriptor to receive any more */
	bool in_frame;  /* what comes next belongs to a frame that is too long */
	u32 receive;    /* next descriptor to look at */
	u32 sent, done; /* next to fill, next that the card has to be done with */
	u64 since;      /* when there was something to send and the card did anything, last */
	u64 looked;
	u32 missed;               /* in the card's counter that has been counted */
	u16 size[E1000_TRANSMIT]; /* of what is being sent */
	struct e1000_counts counts;
};

/**
 * Reset the card and start it, or go on with one that is on, has a link and no tags taken out,
 * receives all frames without their checksum in buffers of 2 KiB, and has sent what it had to send.
 * `memory` of E1000_MEMORY bytes is page-aligned, and at `ma` for the card. 0; -VL_EIO: it does not
 * come out of its reset, or has no address of its own: it is silent then.
 */
int e1000_start(struct e1000 *e, const struct e1000_access *access, u8 *memory, u64 ma, u64 second,
		u64 now);

/** One that was on before receives nothing any more; what has come is there for e1000_receive(). */
void e1000_end_receiving(struct e1000 *e);

/** It neither writes to memory any more nor interrupts. One that was on before is on, with empty
 * rings of no length, of which head and tail are the same. */
void e1000_stop(struct e1000 *e);

/** Send a frame; false: it is lost, and counted. */
bool e1000_send(struct e1000 *e, const u8 *frame, size_t size, u64 now);

/** Whether there is room for another one. */
bool e1000_has_room(struct e1000 *e, u64 now);

/** The frame that came first: its size, and in *frame where it is until e1000_received(); 0: there
 * is none. */
size_t e1000_receive(struct e1000 *e, const u8 **frame);
void e1000_received(struct e1000 *e);

/** To be called now and then: link, counters, and whether the card still sends. One that does not
 * for a second is reset; if that fails, it is out of order. */
void e1000_check(struct e1000 *e, u64 now);

#endif
