// SPDX-License-Identifier: MIT
/*
 * Bitmap allocator: a set bit is a free frame. A bitmap rather than a list in
 * the frames themselves, because it finds runs, catches a double free, and
 * keeps free frames untouched. A hint makes the common case one step. All CPUs
 * share it, under a lock that is not held while a frame is cleared, nor while a
 * run is looked for.
 */
#include "mem/frames.h"

#include "lib/debug.h"
#include "lib/lock.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/layout.h"

#define WORD_BITS 64

static struct {
	struct lock lock; /* for `free`, `hint` and the bitmap; the rest is constant */
	struct range partition;
	u64 *bitmap;
	u64 frames; /* in the partition */
	u64 free;
	u64 hint; /* no word below this one has a free frame */
} pool = {.lock = LOCK_INIT(LOCK_FRAMES)};

/* Written by the CPU whose allocations are counted; another one finds that it is not meant. */
static struct {
	u64 stack; /* that CPU's */
	u64 left;
} failure;

static u64 own_stack(void)
{
	return round_down((u64)__builtin_frame_address(0), STACK_SIZE);
}

void frames_fail_at(u64 number)
{
	if (!is_debug_build())
		return;
	failure.left = number;
	__atomic_store_n(&failure.stack, number != 0 ? own_stack() : 0, __ATOMIC_RELEASE);
}

static bool is_to_fail(void)
{
	return is_debug_build() &&
	       __atomic_load_n(&failure.stack, __ATOMIC_ACQUIRE) == own_stack() &&
	       failure.left != 0 && --failure.left == 0;
}

static bool is_free(u64 index)
{
	u64 word = __atomic_load_n(&pool.bitmap[index / WORD_BITS], __ATOMIC_RELAXED);

	return word >> (index % WORD_BITS) & 1;
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

static bool take_one(u64 *index)
{
	u64 words = (pool.frames + WORD_BITS - 1) / WORD_BITS;

	while (pool.hint < words && pool.bitmap[pool.hint] == 0)
		pool.hint++;
	if (pool.hint == words)
		return false;
	*index = pool.hint * WORD_BITS + (u64)__builtin_ctzll(pool.bitmap[pool.hint]);
	set_free(*index, false);
	return true;
}

bool frame_alloc_any(mfn_t *out)
{
	u64 index;
	bool found;

	if (is_to_fail())
		return false;
	lock_take(&pool.lock);
	found = take_one(&index);
	lock_release(&pool.lock);
	if (!found)
		return false;
	*out = index_to_mfn(index);
	return true;
}

bool frame_alloc(mfn_t *out)
{
	if (!frame_alloc_any(out))
		return false;
	memset(direct(mfn_to_ma(*out)), 0, PAGE_SIZE);
	return true;
}

/* The first run of free frames at or behind *start, as it is at the moment. */
static bool find_run(u64 count, u64 align, u64 *start)
{
	u64 run = 0;

	for (u64 i = *start; i < pool.frames; i++) {
		run = is_free(i) && (run > 0 || index_to_mfn(i).v % align == 0) ? run + 1 : 0;
		if (run < count)
			continue;
		*start = i + 1 - count;
		return true;
	}
	return false;
}

/* Unless another CPU took part of it meanwhile. */
static bool take_run(u64 start, u64 count)
{
	bool is_there = true;

	lock_take(&pool.lock);
	for (u64 i = start; i < start + count; i++)
		is_there = is_there && is_free(i);
	for (u64 i = start; is_there && i < start + count; i++)
		set_free(i, false);
	lock_release(&pool.lock);
	return is_there;
}

bool frame_alloc_aligned(u64 count, u64 align, mfn_t *out)
{
	if (is_to_fail())
		return false;
	for (u64 start = 0; find_run(count, align, &start); start++) {
		if (!take_run(start, count))
			continue;
		*out = index_to_mfn(start);
		return true;
	}
	return false;
}

bool frame_alloc_run(u64 count, mfn_t *out)
{
	return frame_alloc_aligned(count, 1, out);
}

void frame_free(mfn_t mfn)
{
	u64 index = mfn.v - (pool.partition.start >> PAGE_SHIFT);

	lock_take(&pool.lock);
	assert(index < pool.frames && !is_free(index));
	set_free(index, true);
	pool.hint = min_u64(pool.hint, index / WORD_BITS);
	lock_release(&pool.lock);
}

u64 frames_free_count(void)
{
	return pool.free;
}
