// SPDX-License-Identifier: MIT
/*
 * Shadow table frames: zero while free, with a map of their written cache
 * lines (measured by the study: 15 tables a fork cost 3 k instructions so, and
 * 23 k when each is scanned). Freed ones stay here, linked through their
 * descriptors, because a frame that went back to the partition would have to
 * be cleared again.
 *
 * Each CPU has a pool of its own, so that filling and dropping take no lock; what
 * is more than it needs goes to a common one, some tables at a time.
 */
#include "shadow/tables.h"

#include "lib/lock.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "public/hypercall.h"

#define ENTRIES_A_LINE 8u

/* Tables that change hands at a time. */
#define BATCH 32u

/* So many a CPU may have whatever the others have, so that it can always go on by evicting its own:
 * more than one fill takes, with the roots. */
#define SURE 64u

static struct table_pool pools[VL_MAX_CPUS] = {[0 ... VL_MAX_CPUS - 1] = {.free = NO_TABLE}};

static struct {
	struct lock lock;
	u32 free; /* mfn; NO_TABLE: none */
	u64 spare;
	u64 taken; /* by pools, in use or spare */
	u64 limit; /* of those; constant */
} common = {.lock = LOCK_INIT(LOCK_TABLES), .free = NO_TABLE};

/* By frame of the partition. */
static struct table_descriptor *descriptors;
static u64 first_frame; /* mfn of the partition's first */

u64 table_descriptors;

int tables_init(struct failure *f)
{
	struct range partition = frames_partition();
	u64 size = (range_size(partition) >> PAGE_SHIFT) * sizeof(struct table_descriptor);
	mfn_t mfn;

	if (!frame_alloc_run((size + PAGE_SIZE - 1) >> PAGE_SHIFT, &mfn))
		return fail(f, VL_ENOMEM,
			    "Vellum's partition has no memory for shadow tables: give it "
			    "more with vellum_mem=");
	descriptors = direct(mfn_to_ma(mfn));
	memset(descriptors, 0, size);
	first_frame = partition.start >> PAGE_SHIFT;
	table_descriptors = (u64)descriptors -
			    ((DIRECT_BASE >> PAGE_SHIFT) + first_frame) * sizeof(*descriptors);
	common.limit = frames_free_count() * 3 / 4;
	return 0;
}

struct table_pool *table_pool(u32 cpu)
{
	return &pools[cpu];
}

static u32 *next_of(u32 mfn)
{
	return &table_descriptor(direct((ma_t){(u64)mfn << PAGE_SHIFT}))->next;
}

/* Move the first `count` of a list of at least so many in front of another. */
static void move_tables(u32 *from, u32 *to, u64 count)
{
	u32 first = *from, last = first;

	if (count == 0)
		return;
	for (u64 i = 1; i < count; i++)
		last = *next_of(last);
	*from = *next_of(last);
	*next_of(last) = *to;
	*to = first;
}

/* Whether the pool may have one more at all; it gets some at a time if they are there. */
static bool take_common(struct table_pool *p)
{
	bool allowed;
	u64 n;

	lock_take(&common.lock);
	allowed = common.taken < common.limit || p->used + p->spare < SURE;
	n = allowed ? min_u64(common.spare, BATCH) : 0;
	move_tables(&common.free, &p->free, n);
	common.spare -= n;
	common.taken += n;
	lock_release(&common.lock);
	p->spare += n;
	return allowed;
}

static bool take_fresh(struct table_pool *p, ma_t *out)
{
	mfn_t mfn;

	if (!frame_alloc(&mfn))
		return false;
	lock_take(&common.lock);
	common.taken++;
	lock_release(&common.lock);
	p->used++;
	*out = mfn_to_ma(mfn);
	return true;
}

RARELY_USED bool table_alloc_more(struct table_pool *p, ma_t *out)
{
	if (!take_common(p))
		return false;
	return p->free != NO_TABLE ? table_alloc(p, out) : take_fresh(p, out);
}

static RARELY_USED void give_common(struct table_pool *p, u64 n)
{
	lock_take(&common.lock);
	move_tables(&p->free, &common.free, n);
	common.spare += n;
	common.taken -= n;
	lock_release(&common.lock);
	p->spare -= n;
}

void table_free(struct table_pool *p, u64 *table)
{
	struct table_descriptor *d = table_descriptor(table);

	assert(d->lines == 0);
	d->next = p->free;
	p->free = (u32)(((u64)table - DIRECT_BASE) >> PAGE_SHIFT);
	p->spare++;
	p->used--;
	if (p->spare >= TABLES_KEPT + 2 * BATCH)
		give_common(p, BATCH);
}

/* Drop what one entry points to; false when the budget ended in it. */
static bool drop_entry(struct table_pool *p, u64 entry, u32 level, u64 *budget)
{
	u64 *below = table_below(entry);

	if (!entry_is_table(entry, level) || (entry & ENTRY_SHARED))
		return true;
	if (!tables_drop(p, below, level - 1, 0, PTES_PER_TABLE, budget))
		return false;
	if (*budget == 0)
		return false;
	--*budget;
	table_free(p, below);
	return true;
}

/* Stores without looking, of which a compiler makes no loop. */
static void clear_line(volatile u64 *line)
{
	line[0] = 0;
	line[1] = 0;
	line[2] = 0;
	line[3] = 0;
	line[4] = 0;
	line[5] = 0;
	line[6] = 0;
	line[7] = 0;
}
_Static_assert(ENTRIES_A_LINE == 8, "clear_line() has as many stores");

static bool drop_line(struct table_pool *p, u64 *line, u32 level, u64 *budget)
{
	if (level == 1) {
		clear_line(line);
		return true;
	}
	for (u32 i = 0; i < ENTRIES_A_LINE; i++) {
		if (line[i] == 0)
			continue;
		if (!drop_entry(p, line[i], level, budget))
			return false;
		line[i] = 0;
	}
	return true;
}

bool tables_drop(struct table_pool *p, u64 *table, u32 level, u32 first, u32 end, u64 *budget)
{
	u64 *lines = &table_descriptor(table)->lines;
	u64 wanted = (~(u64)0 >> (64 - (end - first) / ENTRIES_A_LINE)) << (first / ENTRIES_A_LINE);

	for (u64 left = *lines & wanted; left != 0; left &= left - 1) {
		u32 line = (u32)__builtin_ctzll(left);

		if (!drop_line(p, table + line * ENTRIES_A_LINE, level, budget))
			return false;
		*lines &= ~((u64)1 << line);
	}
	return true;
}

/* One at a time: the lock is short, and clearing it is the next owner's. */
static bool take_back(mfn_t *out)
{
	u32 mfn;

	lock_take(&common.lock);
	mfn = common.free;
	if (mfn != NO_TABLE) {
		common.free = *next_of(mfn);
		common.spare--;
	}
	lock_release(&common.lock);
	out->v = mfn;
	return mfn != NO_TABLE;
}

void tables_give_back(u64 count)
{
	mfn_t mfn;

	for (; count > 0 && take_back(&mfn); count--)
		frame_free(mfn);
}

u64 tables_used(void)
{
	u64 used = 0;

	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		used += __atomic_load_n(&pools[i].used, __ATOMIC_RELAXED);
	return used;
}

u64 tables_spare(void)
{
	u64 spare = __atomic_load_n(&common.spare, __ATOMIC_RELAXED);

	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		spare += __atomic_load_n(&pools[i].spare, __ATOMIC_RELAXED);
	return spare;
}
