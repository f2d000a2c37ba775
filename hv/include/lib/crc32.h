/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 (polynomial 0x04c11db7, reflected: Ethernet's and zip's), about one
 * instruction per byte without SIMD: a kernel of 10 MiB is checked at each
 * boot. What it needs of memory is the caller's, 32 KiB of .bss.
 */
#ifndef VELLUM_LIB_CRC32_H
#define VELLUM_LIB_CRC32_H

#include "lib/types.h"

/** Words that crc32_update() folds at a time, see crc32.c. */
#define CRC32_FOLD 3006

/** Tables and working memory; opaque to callers. */
struct crc32_tables {
	u32 table[8][256];      /* table[k][b]: CRC of byte b followed by k zero bytes */
	u64 folded[CRC32_FOLD]; /* in use during one call only */
};

/** Fill the tables; once, before the first crc32_update(). */
void crc32_init(struct crc32_tables *t);

/**
 * Register after `size` bytes at `data`, from register `crc`. No inversion at either end: start
 * with ~0 and invert the result for the common CRC-32.
 */
u32 crc32_update(struct crc32_tables *t, u32 crc, const void *data, size_t size);

#endif
