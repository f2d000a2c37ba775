/* SPDX-License-Identifier: MIT */
/*
 * A checksum over memory that must not change, verified a piece at a time:
 * Vellum's own text and constants. Pure.
 */
#ifndef VELLUM_MEM_IMAGE_SUM_H
#define VELLUM_MEM_IMAGE_SUM_H

#include "lib/types.h"

/** Bytes that one image_sum_step() looks at. */
#define IMAGE_SUM_STEP (8 * KIB)

struct image_sum {
	const u8 *start;
	u64 size;     /* bytes, a multiple of 8 */
	u32 expected; /* CRC-32C */
	u32 crc;      /* of [start, start + at) */
	u64 at;
	bool whole;       /* all of it was verified, and nothing asked for it to be done again */
	bool instruction; /* the CPU has SSE4.2's CRC32 */
	u32 table[256];   /* for CPUs without */
};

/** Take the sum of `size` bytes at `start` as they are now. */
void image_sum_init(struct image_sum *s, const void *start, u64 size, bool instruction);

/**
 * Verify the next IMAGE_SUM_STEP bytes. Returns how many are left, 0 when all are as they were, or
 * -VL_EBADMSG when they are not. At either end the next call starts anew, and `whole` tells.
 */
s64 image_sum_step(struct image_sum *s);

/** What was verified counts no longer, as when another round begins. */
void image_sum_forget(struct image_sum *s);

#endif
