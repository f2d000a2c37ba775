// SPDX-License-Identifier: MIT
/*
 * CRC-32 in two ways. Pure.
 *
 * Short data goes through "slicing by 8": eight table look-ups replace eight
 * dependent byte steps, which still costs almost four instructions per byte.
 *
 * Long data is first folded to its last CRC32_FOLD words. A message is a
 * polynomial over GF(2), and adding a multiple of the CRC's polynomial P to it
 * does not change the CRC. P divides Q = x^3006 + x^2866 + x^2215 + 1 (the
 * multiple of four terms with the least degree, found by search), and so
 * divides Q(x^64) = Q^64, whose terms are whole words apart. Adding w * Q(x^64)
 * clears the first word w of a message and adds w to the words 140 (3006 -
 * 2866), 791 (3006 - 2215) and 3006 after it. As a recurrence, with x[i] the
 * word i when its turn to be cleared comes and m[i] the message's:
 *
 *     x[i] = m[i] + x[i - 140] + x[i - 791] + x[i - 3006]
 *
 * which is three exclusive-ors per word, on a ring of 3006 words.
 */
#include "lib/crc32.h"

#include "lib/load.h"
#include "lib/string.h"

#define POLYNOMIAL 0xedb88320u /* 0x04c11db7 with its bits reversed */
#define NEAR       140
#define FAR        791
#define WORD       sizeof(u64)
#define FOLD_BYTES (CRC32_FOLD * WORD)

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

static u32 slice(const struct crc32_tables *t, u32 crc, const u8 *p, size_t size)
{
	for (; size >= 8; size -= 8, p += 8) {
		u64 x = load64(p) ^ crc;

		crc = t->table[7][x & 0xff] ^ t->table[6][x >> 8 & 0xff] ^
		      t->table[5][x >> 16 & 0xff] ^ t->table[4][x >> 24 & 0xff] ^
		      t->table[3][x >> 32 & 0xff] ^ t->table[2][x >> 40 & 0xff] ^
		      t->table[1][x >> 48 & 0xff] ^ t->table[0][x >> 56];
	}
	for (; size > 0; size--)
		crc = (crc >> 8) ^ t->table[0][(crc ^ *p++) & 0xff];
	return crc;
}

/* One round over the ring: it held x[i - 3006 ...] and holds x[i ...] afterwards. Three loops, so
 * that the words 140 and 791 before are at a fixed distance in the ring. */
static void fold_round(u64 *ring, const u8 *p)
{
	size_t i;

	for (i = 0; i < NEAR; i++)
		ring[i] ^= load64(p + i * WORD) ^ ring[i + CRC32_FOLD - NEAR] ^
			   ring[i + CRC32_FOLD - FAR];
	for (; i < FAR; i++)
		ring[i] ^= load64(p + i * WORD) ^ ring[i - NEAR] ^ ring[i + CRC32_FOLD - FAR];
	for (; i < CRC32_FOLD; i++)
		ring[i] ^= load64(p + i * WORD) ^ ring[i - NEAR] ^ ring[i - FAR];
}

/* The last words are not cleared: they only take what cleared words before them add. */
static void fold_last(u64 *ring, const u8 *p)
{
	for (size_t i = 0; i < CRC32_FOLD; i++) {
		ring[i] ^= load64(p + i * WORD);
		if (i < NEAR)
			ring[i] ^= ring[i + CRC32_FOLD - NEAR];
		if (i < FAR)
			ring[i] ^= ring[i + CRC32_FOLD - FAR];
	}
}

u32 crc32_update(struct crc32_tables *t, u32 crc, const void *data, size_t size)
{
	const u8 *p = data;

	if (size < 4 * FOLD_BYTES)
		return slice(t, crc, p, size);
	/* A register to start from is the same as the message's first bits changed by it. */
	memset(t->folded, 0, sizeof(t->folded));
	t->folded[0] = crc;
	for (; size >= 2 * FOLD_BYTES; size -= FOLD_BYTES, p += FOLD_BYTES)
		fold_round(t->folded, p);
	fold_last(t->folded, p);
	crc = slice(t, 0, (const u8 *)t->folded, FOLD_BYTES);
	return slice(t, crc, p + FOLD_BYTES, size - FOLD_BYTES);
}
