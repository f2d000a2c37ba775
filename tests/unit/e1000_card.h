/* SPDX-License-Identifier: MIT */
/*
 * A small model of the 82540EM, which refuses each address outside of the driver's memory, and
 * a driver on it.
 */
#ifndef VELLUM_TESTS_UNIT_E1000_CARD_H
#define VELLUM_TESTS_UNIT_E1000_CARD_H

#include "io/e1000.h"

#define MA     ((u64)0x12345000)
#define SECOND ((u64)1000)
#define SPACE  (0x6000u / 4)

#define CTRL   (0x0000u / 4)
#define STATUS (0x0008u / 4)
#define MDIC   (0x0020u / 4)
#define EERD   (0x0014u / 4)
#define IMS    (0x00d0u / 4)
#define IMC    (0x00d8u / 4)
#define RCTL   (0x0100u / 4)
#define TCTL   (0x0400u / 4)
#define RX     (0x2800u / 4)
#define TX     (0x3800u / 4)
#define LOW    0u /* of a ring */
#define HIGH   1u
#define LENGTH 2u
#define HEAD   4u
#define TAIL   6u
#define MPC    (0x4010u / 4)
#define RAL    (0x5400u / 4)
#define RAH    (0x5404u / 4)
#define RESET  0x04000000u
#define ON     2u
#define LINK   2u

struct card {
	u32 reg[SPACE];
	u8 memory[E1000_MEMORY] __attribute__((aligned(4096)));
	u64 now;
	u32 resets, pauses, woken;
	u32 keeps;      /* bits of CTRL through a reset, as QEMU's does */
	bool hangs;     /* takes frames and does not send them */
	bool is_stuck;  /* does not come out of a reset */
	bool gone;      /* answers ones */
	bool empty;     /* has no address in its registers */
	bool counts_on; /* what it missed, through reads, as QEMU's does */
	bool dead_rom;
	bool sleeps; /* its PHY is powered down: no link */
	u8 rom[E1000_MAC_SIZE];
	u8 last[E1000_BUFFER]; /* frame that it sent */
	size_t last_size;
	u32 nr_sent;
};

struct descriptor {
	u64 address;
	u16 length;
	u8 more[6];
};
_Static_assert(sizeof(struct descriptor) == 16, "layout");

#define RX_STATUS  2 /* in `more` */
#define RX_ERRORS  3
#define TX_COMMAND 1
#define TX_STATUS  2

extern const u8 address[E1000_MAC_SIZE];

struct fixture {
	struct card card;
	struct e1000 e;
};

/** The driver takes it: as it is, or turned off by its driver before. */
int start(struct fixture *f);
int start_off(struct fixture *f);

/** A new one, that works, is started, and plugged in; free() ends it. */
struct fixture *begin(void);

/** One of a ring, RX or TX. */
struct descriptor *descriptor(struct card *c, u32 ring, u32 i);

/** What the driver has told it to send, if it is on and does not hang. */
void send_all(struct card *c);

/** A frame comes; false: the card has no room. */
bool arrive(struct card *c, const u8 *frame, u16 size, u8 status, u8 errors);

#endif
