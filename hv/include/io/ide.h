/* SPDX-License-Identifier: MIT */
/*
 * A channel of a PIIX IDE function (Intel 82371SB, ATA-7): two drives, of which
 * one does one thing at a time. Operations wait in a queue; each ide_poll() goes
 * on with the first and never waits itself, so nobody is held up longer than a sector's
 * copy takes. Interrupts of the channel are off: the drive's own status tells when it is done,
 * and none can be lost.
 *
 * By bus mastering; what that fails with is done again by programmed I/O, and a drive that
 * fails so three times has no other any more. Pure; one caller at a time.
 */
#ifndef VELLUM_IO_IDE_H
#define VELLUM_IO_IDE_H

#include "lib/types.h"

#define IDE_DRIVES      2u /* of a channel */
#define IDE_SECTOR      512u
#define IDE_MOST        128u /* sectors of an operation */
#define IDE_MOST_BYTES  (IDE_MOST * IDE_SECTOR)
#define IDE_PRD_ENTRIES (IDE_MOST_BYTES / PAGE_SIZE)
#define IDE_MODEL_SIZE  41u

/** The machine, as the driver reaches it. */
struct ide_machine {
	u32 (*in)(void *context, u16 port, u8 size);
	void (*out)(void *context, u16 port, u8 size, u32 value);
	u64 (*now)(void *context);
	u64 ticks_per_ms; /* of now() */
	void *context;
};

enum ide_kind {
	IDE_IDENTIFY, /* fills the channel's drive[] */
	IDE_READ,
	IDE_WRITE,
	IDE_FLUSH,
};

/** What is wanted. `next` and what is behind it are the driver's. */
struct ide_op {
	enum ide_kind kind;
	u32 drive;
	u64 lba;
	u32 sectors;  /* 1 to IDE_MOST of IDE_READ and IDE_WRITE */
	bool through; /* IDE_WRITE: it is on the medium when it is done */
	u8 *data;     /* one frame after the other; a page's beginning */
	u64 ma;       /* of it, below 4 GiB */
	struct ide_op *next;
	bool waits; /* in the queue, or under way */
	bool by_pio;
	bool flushes; /* a write that is being made safe */
	int result;   /* once it does not wait any more: 0, or a negative error, see ide_submit() */
};

struct ide_drive {
	bool present;
	bool lba48;
	bool dma;       /* it has a mode of DMA selected, and that works */
	bool flush;     /* it knows FLUSH CACHE, */
	bool flush_ext; /* or FLUSH CACHE EXT */
	bool cached;    /* it may have writes in a cache */
	u32 dma_failures;
	u64 sectors;
	char model[IDE_MODEL_SIZE]; /* zero-terminated, without blanks at its end */
};

struct ide_counts {
	u64 reads, writes, flushes; /* that went well */
	u64 errors;                 /* that the drive reported */
	u64 timeouts;
	u64 dma_failures; /* after which it was done by programmed I/O */
	u64 resets;
};

struct ide_channel {
	const struct ide_machine *machine;
	u16 command, control; /* ports */
	u16 master;           /* the same, of this channel's bus mastering; 0: none */
	u32 *prd;             /* IDE_PRD_ENTRIES pairs, in one page */
	u64 prd_ma;
	struct ide_drive drive[IDE_DRIVES];
	struct ide_counts counts;
	struct ide_op *first, *last;
	u32 state;    /* of the first one; private */
	u64 deadline; /* of what is waited for */
	u32 at;       /* sectors that programmed I/O has done */
	bool by_dma;
};

/** The channel is Vellum's from here on: no interrupts. machine, ports and prd are filled in. */
void ide_begin(struct ide_channel *c);

/** And the one's who comes next: interrupts as after a reset. Nothing may be under way. */
void ide_end(struct ide_channel *c);

/**
 * Begin an operation as soon as those before it are done. 0, or what is wrong with it: -VL_EINVAL:
 * no such sectors; -VL_ENODEV: no such drive. Its `result` may be -VL_ENODEV: there is
 * no drive, or no disk (IDE_IDENTIFY); -VL_EIO: the drive reports an error; -VL_ETIMEDOUT: it does
 * not answer, and has been reset; -VL_EOPNOTSUPP: it has a cache that it cannot flush.
 */
int ide_submit(struct ide_channel *c, struct ide_op *op);

/** Go on, up to what has to be waited for, or a sector's copy. False: nothing is under way. */
bool ide_poll(struct ide_channel *c);

/** Leave its memory alone from here on, whatever becomes of it; it may be in the queue or not. */
void ide_cancel(struct ide_channel *c, struct ide_op *op);

#endif
