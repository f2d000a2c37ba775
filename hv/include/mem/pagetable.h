/* SPDX-License-Identifier: MIT */
/*
 * Building 4-level page tables (SDM volume 3, section 4.5): Vellum's own, and
 * the ones that a guest starts on.
 */
#ifndef VELLUM_MEM_PAGETABLE_H
#define VELLUM_MEM_PAGETABLE_H

#include "lib/types.h"

#define PTE_P   ((u64)1 << 0)
#define PTE_W   ((u64)1 << 1)
#define PTE_U   ((u64)1 << 2)
#define PTE_PWT ((u64)1 << 3)
#define PTE_PCD ((u64)1 << 4)
#define PTE_A   ((u64)1 << 5)
#define PTE_D   ((u64)1 << 6)
#define PTE_PS  ((u64)1 << 7)
#define PTE_G   ((u64)1 << 8)
#define PTE_NX  ((u64)1 << 63)

#define PTE_ADDR 0x000ffffffffff000ull

#define PTE_KEY_SHIFT 59 /* protection key, 4 bits, of user pages */

#define PTES_PER_TABLE 512

/** Bytes that one entry of a table at `level` maps: 1 is the lowest, 4 the root. */
static inline u64 level_size(u32 level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/** Index of va's entry in a table at `level`. */
static inline u32 level_index(u64 va, u32 level)
{
	return (u32)(va >> (PAGE_SHIFT + 9 * (level - 1))) % PTES_PER_TABLE;
}

/** Page tables under construction. */
struct pagetable {
	ma_t root;
	u32 max_level; /* of a mapping: 1, 2 (2 MiB pages) or 3 (1 GiB, if the CPU has them) */
	/* One zeroed frame for a table; false when there is none. */
	bool (*alloc)(void *context, mfn_t *out);
	void *context;
};

/**
 * Map [va, va + size) to machine memory from `ma` on, with leaf flags `flags` (PTE_P is added),
 * by the largest pages that fit. All page aligned; nothing of it is mapped yet. Upper levels get
 * P, W and A. False when a table could not be allocated; what was mapped until then stays.
 */
bool pagetable_map(struct pagetable *t, u64 va, ma_t ma, u64 size, u64 flags);

/**
 * Change the leaf flags of [va, va + size), which is mapped, large pages being split as needed.
 * False as in pagetable_map(). No TLB is flushed.
 */
bool pagetable_protect(struct pagetable *t, u64 va, u64 size, u64 flags);

#endif
