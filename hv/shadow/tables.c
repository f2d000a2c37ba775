// SPDX-License-Identifier: MIT
/*
 * Shadow table frames: zero while free, with a map of their written cache
 * lines (measured by the study: 15 tables a fork cost 3 k instructions so, and
 * 23 k when each is scanned). Freed ones stay here, linked through their
 * descriptors, because a frame that went back to the partition would have to
 * be cleared again.
 */
#include "shadow/tables.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "shadow/audit.h"

#define ENTRIES_A_LINE 8u

/* By frame of the partition. */
static struct table_descriptor *descriptors;
static u64 first_frame; /* mfn of the partition's first */
static u64 limit;       /* of all pools together */

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
	limit = frames_free_count() * 3 / 4;
	return 0;
}

u64 tables_share(u32 pools)
{
	return limit / pools;
}

bool table_alloc_fresh(struct table_pool *pool, ma_t *out)
{
	mfn_t mfn;

	if (!frame_alloc(&mfn))
		return false;
	pool->used++;
	*out = mfn_to_ma(mfn);
	return true;
}

void table_free(struct table_pool *pool, u64 *table)
{
	struct table_descriptor *d = table_descriptor(table);

	assert(d->lines == 0);
	d->next = pool->free;
	pool->free = (u32)(((u64)table - DIRECT_BASE) >> PAGE_SHIFT);
	pool->spare++;
	pool->used--;
}

bool tables_reserve(struct table_pool *pool, u64 count)
{
	ma_t table;

	while (pool->spare < count) {
		if (!table_alloc_fresh(pool, &table))
			return false;
		table_free(pool, direct(table));
	}
	return true;
}

/* Drop what one entry points to; false when the budget ended in it. */
static bool drop_entry(struct table_pool *pool, u64 entry, u32 level, u64 *budget)
{
	u64 *below = table_below(entry);

	if (!entry_is_table(entry, level) || (entry & ENTRY_SHARED))
		return true;
	if (!tables_drop(pool, below, level - 1, 0, PTES_PER_TABLE, budget))
		return false;
	if (*budget == 0)
		return false;
	--*budget;
	table_free(pool, below);
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

static bool drop_line(struct table_pool *pool, u64 *line, u32 level, u64 *budget)
{
	if (level == 1) {
		clear_line(line);
		return true;
	}
	for (u32 i = 0; i < ENTRIES_A_LINE; i++) {
		if (line[i] == 0)
			continue;
		if (!drop_entry(pool, line[i], level, budget))
			return false;
		line[i] = 0;
	}
	return true;
}

bool tables_drop(struct table_pool *pool, u64 *table, u32 level, u32 first, u32 end, u64 *budget)
{
	u64 *lines = &table_descriptor(table)->lines;
	u64 wanted = (~(u64)0 >> (64 - (end - first) / ENTRIES_A_LINE)) << (first / ENTRIES_A_LINE);

	for (u64 left = *lines & wanted; left != 0; left &= left - 1) {
		u32 line = (u32)__builtin_ctzll(left);

		if (!drop_line(pool, table + line * ENTRIES_A_LINE, level, budget))
			return false;
		*lines &= ~((u64)1 << line);
	}
	return true;
}

static void give_back_one(struct table_pool *pool)
{
	mfn_t mfn = {pool->free};

	pool->free = table_descriptor(direct(mfn_to_ma(mfn)))->next;
	pool->spare--;
	audit_forget_table(direct(mfn_to_ma(mfn)));
	frame_free(mfn);
}

void tables_give_back(struct table_pool *pool, u64 count)
{
	for (; count > 0 && pool->spare > TABLES_KEPT; count--)
		give_back_one(pool);
}

void tables_end(struct table_pool *pool)
{
	assert(pool->used == 0);
	while (pool->spare > 0)
		give_back_one(pool);
}
