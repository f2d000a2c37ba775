/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes whose positions count from its beginning and never wrap: a
 * reader that comes late sees that text is gone instead of reading it torn.
 * Who may use it at a time is the owner's to see to.
 */
#ifndef VELLUM_LIB_RING_H
#define VELLUM_LIB_RING_H

#include "lib/types.h"

#define RING_EMPTY (-1)

struct ring {
	u8 *byte;
	u32 size;       /* bytes, a power of two */
	u64 start, end; /* positions of the oldest byte that is kept, and behind the newest */
};

void ring_init(struct ring *r, u8 *byte, u32 size);

/** How many bytes it takes before the oldest is lost. */
static inline u32 ring_room(const struct ring *r)
{
	return r->size - (u32)(r->end - r->start);
}

/** Append bytes; a full ring loses its oldest. */
void ring_put(struct ring *r, u8 byte);
void ring_write(struct ring *r, const void *from, size_t size);

/** The oldest byte, which is gone from it then; RING_EMPTY: there is none. */
int ring_take(struct ring *r);

/**
 * Copy bytes from position *pos on (moved up to the oldest if that is gone; not beyond the end), at
 * most `size`. Returns how many; they stay. *pos is the position of the first.
 */
size_t ring_read(const struct ring *r, u64 *pos, void *to, size_t size);

/** Take the oldest bytes, at most `size`. Returns how many. */
size_t ring_get(struct ring *r, void *to, size_t size);

#endif
