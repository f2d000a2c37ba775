// SPDX-License-Identifier: MIT
/*
 * Rings of bytes: the consoles of later domains (hv/irq/platform.c).
 */
#include "lib/ring.h"

#include "lib/string.h"

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

/* Bytes from this position on that lie in a row. */
static size_t run(const struct ring *r, u64 pos, size_t size)
{
	return (size_t)min_u64(size, r->size - (pos & (r->size - 1)));
}

void ring_write(struct ring *r, const void *from, size_t size)
{
	const u8 *byte = from;
	size_t n;

	for (; size > 0; byte += n, size -= n) {
		n = run(r, r->end, size);
		memcpy(at(r, r->end), byte, n);
		r->end += n;
	}
	if (r->end - r->start > r->size)
		r->start = r->end - r->size;
}

size_t ring_read(const struct ring *r, u64 *pos, void *to, size_t size)
{
	size_t first, n;

	*pos = max_u64(*pos, r->start);
	n = (size_t)min_u64(size, r->end - *pos);
	first = run(r, *pos, n);
	memcpy(to, at(r, *pos), first);
	memcpy((u8 *)to + first, r->byte, n - first);
	return n;
}

size_t ring_get(struct ring *r, void *to, size_t size)
{
	u64 pos = r->start;
	size_t n = ring_read(r, &pos, to, size);

	r->start += n;
	return n;
}
