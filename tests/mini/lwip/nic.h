/* SPDX-License-Identifier: MIT */
/*
 * A network card as the stack sees it: frames in, frames out. Each driver fills one in.
 */
#ifndef MINI_LWIP_NIC_H
#define MINI_LWIP_NIC_H

#include "lib/types.h"

#define FRAME_MOST 1518u

struct nic {
	const char *name;
	u8 mac[6];
	u8 line; /* of its interrupt, which only wakes: whoever is woken looks; 0: it has none */

	/** Where the next frame to be sent is to be written, FRAME_MOST bytes; NULL: all room is in
	 * use. */
	void *(*room)(void);
	/** Send so many bytes from there. */
	void (*send)(u32 size);
	/** The next frame that came, and its size; NULL: none. The same one until it is given back.
	 */
	const void *(*next)(u32 *size);
	void (*give_back)(void);
};

/** Find and start the first 82540EM (Intel's PCI network card that QEMU and Bochs have), with this
 * address, or with its own (NULL); NULL: there is none. */
const struct nic *e1000_start(const u8 *mac);

/** Of the card: receive the frames of all stations, too, as Vellum's driver has it. It can go on
 * with the card then, and this one after it: nobody resets it, so its link stays up. */
void e1000_hear_all(void);

/** Wait until what was sent is out, and end its bus mastering; its PCI function. What has come is
 * still there for next(). And have it again: with empty rings. */
u32 e1000_lend(void);
void e1000_resume(void);

/** The same with Vellum's network device in window 0. `polled`: it makes no interrupts, and its
 * line is 0. */
const struct nic *virtio_net_start(bool polled);

#endif
