// SPDX-License-Identifier: MIT
/*
 * CRC-32 by "slicing by 8": eight table look-ups replace eight dependent
 * byte steps, about two instructions per byte instead of seven. It runs over
 * the whole kernel image before each boot, which is why it has to be fast.
 */
#include "lib/crc32.h"

#include "lib/string.h"

#define POLYNOMIAL 0xedb88320u /* 0x04c11db7 with its bits reversed */

static u32 byte_step(u32 crc)
{
	for (int bit = 0; bit < 8; bit++)
		crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
	return crc;
}

void crc32_init(struct crc32_tables *t)
{
	for (u32 b = 0; b < 256; b++)
		t->table[0][b] = byte_step(b);
	for (int k = 1; k < 8; k++)
		for (u32 b = 0; b < 256; b++) {
			u32 before = t->table[k - 1][b];

			t->table[k][b] = (before >> 8) ^ t->table[0][before & 0xff];
		}
}

static u32 update_bytes(const struct crc32_tables *t, u32 crc, const u8 *p, size_t size)
{
	while (size-- > 0)
		crc = (crc >> 8) ^ t->table[0][(crc ^ *p++) & 0xff];
	return crc;
}

u32 crc32_update(const struct crc32_tables *t, u32 crc, const void *data, size_t size)
{
	const u8 *p = data;

	for (; size >= 8; size -= 8, p += 8) {
		u64 x;

		memcpy(&x, p, sizeof(x));
		x ^= crc;
		crc = t->table[7][x & 0xff] ^ t->table[6][x >> 8 & 0xff] ^
		      t->table[5][x >> 16 & 0xff] ^ t->table[4][x >> 24 & 0xff] ^
		      t->table[3][x >> 32 & 0xff] ^ t->table[2][x >> 40 & 0xff] ^
		      t->table[1][x >> 48 & 0xff] ^ t->table[0][x >> 56];
	}
	return update_bytes(t, crc, p, size);
}
