/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 (polynomial 0x04c11db7, reflected: Ethernet's and zip's), eight bytes
 * a step. The tables are built at run time in the caller's memory: 8 KiB of
 * .bss are cheaper than 8 KiB of read-only data in the image.
 */
#ifndef VELLUM_LIB_CRC32_H
#define VELLUM_LIB_CRC32_H

#include "lib/types.h"

/** table[k][b]: CRC of byte b followed by k zero bytes. */
struct crc32_tables {
	u32 table[8][256];
};

/** Fill the tables; once, before the first crc32_update(). */
void crc32_init(struct crc32_tables *t);

/**
 * Register after `size` bytes at `data`, from register `crc`. No inversion at either end: start
 * with ~0 and invert the result for the common CRC-32.
 */
u32 crc32_update(const struct crc32_tables *t, u32 crc, const void *data, size_t size);

#endif
