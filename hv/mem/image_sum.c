// SPDX-License-Identifier: MIT
/*
 * CRC-32C, because processors since 2008 have an instruction for it that needs
 * no vector register; a table for the others.
 */
#include "mem/image_sum.h"

#include "lib/load.h"
#include "public/errno.h"

#define CRC32C_REVERSED 0x82f63b78u

static u32 by_instruction(u32 crc, const u8 *p, u64 size)
{
	u64 value = crc;

	for (; size > 0; p += 8, size -= 8)
		__asm__("crc32q %1, %0" : "+r"(value) : "r"(load64(p)));
	return (u32)value;
}

static u32 by_table(const u32 *table, u32 crc, const u8 *p, u64 size)
{
	for (; size > 0; p++, size--)
		crc = crc >> 8 ^ table[(crc ^ *p) & 0xff];
	return crc;
}

static u32 update(const struct image_sum *s, u32 crc, u64 at, u64 size)
{
	if (s->instruction)
		return by_instruction(crc, s->start + at, size);
	return by_table(s->table, crc, s->start + at, size);
}

static void fill_table(u32 *table)
{
	for (u32 byte = 0; byte < 256; byte++) {
		u32 crc = byte;

		for (u32 bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_REVERSED : 0);
		table[byte] = crc;
	}
}

void image_sum_init(struct image_sum *s, const void *start, u64 size, bool instruction)
{
	*s = (struct image_sum){
		.start = start, .size = size, .crc = ~(u32)0, .instruction = instruction};
	fill_table(s->table);
	s->expected = update(s, s->crc, 0, size);
}

static void restart(struct image_sum *s)
{
	s->at = 0;
	s->crc = ~(u32)0;
}

s64 image_sum_step(struct image_sum *s)
{
	u64 size = min_u64(s->size - s->at, IMAGE_SUM_STEP);

	s->crc = update(s, s->crc, s->at, size);
	s->at += size;
	s->whole = false;
	if (s->at < s->size)
		return (s64)(s->size - s->at);
	s->whole = s->crc == s->expected;
	restart(s);
	return s->whole ? 0 : -VL_EBADMSG;
}

void image_sum_forget(struct image_sum *s)
{
	s->whole = false;
	restart(s);
}
