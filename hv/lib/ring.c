// SPDX-License-Identifier: MIT
/*
 * Rings of bytes: the consoles of later domains (hv/irq/platform.c).
 */
#include "lib/ring.h"

void ring_init(struct ring *r, u8 *byte, u32 size)
{
	*r = (struct ring){.byte = byte, .size = size};
}

static u8 *at(const struct ring *r, u64 pos)
{
	return &r->byte[pos & (r->size - 1)];
}

void ring_put(struct ring *r, u8 byte)
{
	r->start += ring_room(r) == 0;
	*at(r, r->end++) = byte;
}

int ring_take(struct ring *r)
{
	return r->start != r->end ? *at(r, r->start++) : RING_EMPTY;
}

size_t ring_read(const struct ring *r, u64 *pos, void *to, size_t size)
{
	size_t n;

	*pos = max_u64(*pos, r->start);
	n = (size_t)min_u64(size, r->end - *pos);
	for (size_t i = 0; i < n; i++)
		((u8 *)to)[i] = *at(r, *pos + i);
	return n;
}
