/* SPDX-License-Identifier: MIT */
/*
 * What the guest serves by TCP.
 */
#ifndef MINI_LWIP_SERVICES_H
#define MINI_LWIP_SERVICES_H

#include "lib/types.h"

#define PORT_ECHO   7
#define PORT_HTTP   80
#define PORT_STREAM 4000

/** Each byte goes back to whoever sent it. */
void echo_start(void);

/** A page that says how this guest does. */
void http_start(void);

/** Whether somebody asked for the page /end: that this guest ends itself. */
bool http_wants_end(void);

/*
 * The stream: blocks both ways at the same time, as fast as they go, each with its number and its
 * checksum, so that none can be lost, doubled or changed unnoticed. The side that connected ends
 * it: it sends no more, and is told in a last block how many came.
 */
#define STREAM_BLOCK   1024u
#define STREAM_PAYLOAD (STREAM_BLOCK - 8)
#define STREAM_LAST                                                                                \
	0xffffffffu /* number of the last block, whose payload begins with the count               \
		     */

struct stream_block {
	u32 crc32;  /* of all that is behind it */
	u32 number; /* from 0 on */
	u8 payload[STREAM_PAYLOAD];
};

/* The numbers are of the last stream. */
struct stream_state {
	u32 begun, ended; /* streams */
	u32 blocks_in, blocks_out;
	u64 stall;         /* the longest time without a byte from the other side, TSC */
	const char *wrong; /* what must not happen and did; NULL: nothing */
};
extern struct stream_state stream_state;

/** Serve it; before anything is connected. */
void stream_listen(void);

/** The disk in window 1 is written and read, if there is one: begin; go on, as far as it is; say
 * how much that was and leave it. */
void disk_start(void);
void disk_poll(void);
void disk_end(void);

/** Connect to an address, 0xa00020f for instance, and send so many blocks. */
void stream_connect(u32 address, u32 blocks);

#endif
