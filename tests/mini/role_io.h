/* SPDX-License-Identifier: MIT */
/*
 * Roles of a later guest that has virtio devices (mini/role.h).
 */
#ifndef MINI_ROLE_IO_H
#define MINI_ROLE_IO_H

#include "lib/types.h"

struct virtio;

/* The addresses of guests in these roles, in a frame's order: MAC_TALK and so on in the lowest
 * byte.
 */
#define MAC_PREFIX                                                                                 \
	{                                                                                          \
		0x02, 0x56, 0x4c, 0, 0, 0                                                          \
	}
#define MAC_TALK 1u
#define MAC_ECHO 2u
#define MAC_BAD  3u

/* What the first guest writes to a disk: byte `i` of it. */
#define DISK_BYTE(i) ((unsigned char)((i)*7 + ((i) >> 9) + 3))

/* Sends frames with checksums to the one that echoes, and looks at what comes back; ends. */
void role_talk(void);
/* Sends what it gets back to where it came from, for ever. */
void role_echo(void);
/* Two disks: window 0 to be written to, window 1 read-only; ends. */
void role_disk(void);
/* Fills the disk in window 0 from its beginning, and flushes and says so after each LOG_BYTES; at
 * the disk's end it begins again, with other bytes; for ever. */
void role_log(void);
#define LOG_BYTES   8192u
#define LOG_BYTE(i) ((unsigned char)(DISK_BYTE(i) + ((i) >> 13) * 31 + 17))
/* The same in steps: the disk; ask for piece `n` to be written, or for a flush; what was asked for
 * was done well. */
struct virtio *role_log_start(void);
void role_log_offer(struct virtio *v, u64 n);
void role_flush_offer(struct virtio *v);
void role_log_check(void);
/* By these the heir with the word keeper writes until it owns the machine, and then looks at the
 * disk itself. */
void keeper_write(void);
void keeper_check(void);
/* Network in window 0, disk in window 1: everything that a driver must not do (seed=HEX), then
 * what it may; ends. */
void role_badio(void);

#endif
