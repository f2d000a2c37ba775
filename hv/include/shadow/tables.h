/* SPDX-License-Identifier: MIT */
/*
 * Frames for shadow tables. A free one is always zero, and each has a map of
 * the cache lines that were written, so that neither taking nor dropping a
 * table touches the 4 KiB that it does not use. Each vcpu has a pool of its own,
 * so that taking one needs no lock.
 */
#ifndef VELLUM_SHADOW_TABLES_H
#define VELLUM_SHADOW_TABLES_H

#include "lib/failure.h"
#include "lib/types.h"
#include "mem/layout.h"
#include "mem/pagetable.h"

/** Once, at boot: memory for the maps, 16 bytes a frame of the partition. -VL_ENOMEM or 0. */
int tables_init(struct failure *f);

/** How many of them each of so many pools may have in use; the rest of the partition is for others.
 */
u64 tables_share(u32 pools);

/** What is known of a table, by its frame. */
struct table_descriptor {
	u64 lines; /* a bit a cache line that may hold something */
	u32 next;  /* of the free list: a frame number */
	u32 reserved;
};
_Static_assert(sizeof(struct table_descriptor) == 16, "tables_init() says what it costs");

/** Where the descriptor of page frame 0 of the direct map would be: see table_descriptor(). */
extern u64 table_descriptors;

static inline struct table_descriptor *table_descriptor(const void *in_table)
{
	return (struct table_descriptor *)(table_descriptors +
					   ((u64)in_table >> PAGE_SHIFT) *
						   sizeof(struct table_descriptor));
}

#define NO_TABLE (~(u32)0)

/** Tables in use and spare ones, linked; tables.c alone changes it but for table_alloc(). */
struct table_pool {
	u32 free; /* mfn; NO_TABLE: none */
	u64 spare;
	u64 used;
	u64 limit;
};
#define TABLE_POOL_EMPTY                                                                           \
	{                                                                                          \
		.free = NO_TABLE                                                                   \
	}

/** table_alloc() where no spare one is left. */
bool table_alloc_fresh(struct table_pool *pool, ma_t *out);

/** One zero table; false when the limit is reached or the partition used up. */
static inline bool table_alloc(struct table_pool *pool, ma_t *out)
{
	u32 mfn = pool->free;

	if (pool->used >= pool->limit)
		return false;
	if (mfn == NO_TABLE)
		return table_alloc_fresh(pool, out);
	*out = (ma_t){(u64)mfn << PAGE_SHIFT};
	pool->free = table_descriptor(direct(*out))->next;
	pool->spare--;
	pool->used++;
	return true;
}

/** Store an entry of a table that table_alloc() gave; only like this may one become non-zero. */
static inline void table_set(u64 *entry, u64 value)
{
	*entry = value;
	table_descriptor(entry)->lines |= (u64)1 << ((u64)entry / 64 % 64);
}

/** Have so many spare ones at least; false: the partition is used up. */
bool tables_reserve(struct table_pool *pool, u64 count);

/** The table that an entry points to. */
static inline u64 *table_below(u64 entry)
{
	return direct((ma_t){entry & PTE_ADDR});
}

/**
 * Drop what is below entries [first, end) of a table at `level` (4 is the root's), as far as
 * *budget, counted in tables, allows; each freed one takes 1 from it. Entries that point to
 * something shared (ENTRY_SHARED) lose the pointer only. True when all of the range is zero.
 */
bool tables_drop(struct table_pool *pool, u64 *table, u32 level, u32 first, u32 end, u64 *budget);

/** Give back a table that is zero again. */
void table_free(struct table_pool *pool, u64 *table);

/** Spare ones that stay: what a guest needs in its first moments. */
#define TABLES_KEPT 64

/** Give up to `count` free ones back to the partition, as long as more than enough are left. */
void tables_give_back(struct table_pool *pool, u64 count);

/** The pool is not used any more, no table of it is in use: give all back. */
void tables_end(struct table_pool *pool);

/** Software bits of an entry, which the processor ignores. */
#define ENTRY_SHARED ((u64)1 << 9) /* the table below belongs to another tree */
#define ENTRY_SPLINTER                                                                             \
	((u64)1 << 10) /* the guest has one large page where the shadow has a table */

/** A leaf or table that is there. */
static inline bool entry_is_table(u64 entry, u32 level)
{
	return (entry & 1) && level > 1 && !(entry & (u64)1 << 7);
}

#define NO_BUDGET (~(u64)0)

#endif
