// SPDX-License-Identifier: MIT
/*
 * Bitmap allocator: a set bit is a free frame. A bitmap rather than a list in
 * the frames themselves, because it finds runs, catches a double free, and
 * keeps free frames untouched. A hint makes the common case one step.
 */
#include "mem/frames.h"

#include "lib/lock.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/layout.h"

#define WORD_BITS 64

static struct lock lock = LOCK_INIT(LOCK_FRAMES); /* guards all of: */

static struct {
	struct range partition;
	u64 *bitmap;
	u64 frames; /* in the partition */
	u64 free;
	u64 hint; /* no word below this one has a free frame */
} pool;

static bool is_free(u64 index)
{
	return pool.bitmap[index / WORD_BITS] >> (index % WORD_BITS) & 1;
}

static void set_free(u64 index, bool value)
{
	u64 bit = (u64)1 << (index % WORD_BITS);

	if (value)
		pool.bitmap[index / WORD_BITS] |= bit;
	else
		pool.bitmap[index / WORD_BITS] &= ~bit;
	pool.free += value ? 1 : (u64)-1;
}

static mfn_t index_to_mfn(u64 index)
{
	return (mfn_t){(pool.partition.start >> PAGE_SHIFT) + index};
}

void frames_init(struct range partition)
{
	u64 frames = range_size(partition) >> PAGE_SHIFT;
	u64 bitmap_bytes = round_up((frames + 7) / 8, PAGE_SIZE);

	pool.partition = partition;
	pool.frames = frames;
	pool.free = 0;
	pool.hint = 0;
	pool.bitmap = direct((ma_t){partition.start});
	memset(pool.bitmap, 0, bitmap_bytes);
	for (u64 i = bitmap_bytes >> PAGE_SHIFT; i < frames; i++)
		set_free(i, true);
}

struct range frames_partition(void)
{
	return pool.partition;
}

static bool take_one(mfn_t *out)
{
	u64 words = (pool.frames + WORD_BITS - 1) / WORD_BITS;

	while (pool.hint < words && pool.bitmap[pool.hint] == 0)
		pool.hint++;
	if (pool.hint == words)
		return false;
	u64 index = pool.hint * WORD_BITS + (u64)__builtin_ctzll(pool.bitmap[pool.hint]);

	set_free(index, false);
	*out = index_to_mfn(index);
	return true;
}

bool frame_alloc(mfn_t *out)
{
	bool taken;

	lock_take(&lock);
	taken = take_one(out);
	lock_release(&lock);
	if (taken)
		memset(direct(mfn_to_ma(*out)), 0, PAGE_SIZE);
	return taken;
}

static bool take_run(u64 count, u64 align, mfn_t *out)
{
	u64 run = 0;

	for (u64 i = 0; i < pool.frames; i++) {
		run = is_free(i) && (run > 0 || index_to_mfn(i).v % align == 0) ? run + 1 : 0;
		if (run < count)
			continue;
		for (u64 j = i + 1 - count; j <= i; j++)
			set_free(j, false);
		*out = index_to_mfn(i + 1 - count);
		return true;
	}
	return false;
}

bool frame_alloc_aligned(u64 count, u64 align, mfn_t *out)
{
	bool taken;

	lock_take(&lock);
	taken = take_run(count, align, out);
	lock_release(&lock);
	return taken;
}

bool frame_alloc_run(u64 count, mfn_t *out)
{
	return frame_alloc_aligned(count, 1, out);
}

void frame_free(mfn_t mfn)
{
	u64 index = mfn.v - (pool.partition.start >> PAGE_SHIFT);

	lock_take(&lock);
	assert(index < pool.frames && !is_free(index));
	set_free(index, true);
	pool.hint = min_u64(pool.hint, index / WORD_BITS);
	lock_release(&lock);
}

u64 frames_free_count(void)
{
	return pool.free;
}
