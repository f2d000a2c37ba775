/* SPDX-License-Identifier: MIT */
/*
 * Numbers by machine frame, for owners.c; and what remapping asks of them for
 * each page, without a call.
 */
#ifndef VELLUM_P2M_NUMBERS_H
#define VELLUM_P2M_NUMBERS_H

#include "p2m/owners.h"

#define NUMBERS_A_PAGE 512u
#define NUMBERS_BITS   9

/* No leaf is among the 512 that begin there. */
#define NUMBERS_NOT_NEAR ((u64)1 << 63)

static inline u32 numbers_index(u64 frame, u32 level)
{
	return (u32)(frame >> (NUMBERS_BITS * (level - 1))) % NUMBERS_A_PAGE;
}

/* Whether a tree with a root of this level has a place for the frame. */
static inline bool numbers_reach(u32 level, u64 frame)
{
	return frame >> (NUMBERS_BITS * level) == 0;
}

/** Where the number of a frame is, made if need be (it is 0 then); NULL: no page for it. */
u64 *numbers_make(struct frame_numbers *n, u64 frame, const struct p2m_memory *memory);

/** The same if it was made; NULL: it was not, or may not have been. */
u64 *numbers_find_far(struct frame_numbers *n, u64 frame);

/* By its address. */
static inline u64 *numbers_find_ma(struct frame_numbers *n, u64 ma)
{
	u64 *leaf, at = (ma >> (NUMBERS_BITS + PAGE_SHIFT)) - n->near_first;

	if (at >= NUMBERS_A_PAGE)
		return numbers_find_far(n, ma >> PAGE_SHIFT);
	leaf = n->near[at];
	return leaf != NULL ? leaf + numbers_index(ma >> PAGE_SHIFT, 1) : NULL;
}

static inline u64 *numbers_find(struct frame_numbers *n, u64 frame)
{
	return numbers_find_ma(n, frame << PAGE_SHIFT);
}

/** Give up to *budget pages back, which counts them. True: that were all, every number is 0; false:
 * no number means anything, call again. */
bool numbers_end(struct frame_numbers *n, const struct p2m_memory *memory, u64 *budget);

/* --- the common case of owners: one user or none --- */

/** A user as a number: those in order, by domid, then page frame, are numbers in order. */
static inline u64 owners_pack(struct p2m_owner user)
{
	return (u64)user.domid << P2M_PFN_BITS | user.pfn;
}

/** The number of a frame with this one user that is away; and how much more it is for the page
 * behind that. */
static inline u64 owners_one(const struct owners *o, u32 domid, u64 pfn, u64 *step)
{
	*step = o->kind == OWNERS_REFCOUNT ? 0 : 2;
	return o->kind == OWNERS_REFCOUNT ? 1
					  : owners_pack((struct p2m_owner){domid, pfn}) << 1 | 1;
}

/** A frame has no user that is away any more. */
static inline void owners_forget(struct owners *o, u64 frame)
{
	u64 *number = numbers_find(&o->numbers, frame);

	if (number != NULL)
		*number = 0;
}

#endif
