// SPDX-License-Identifier: MIT
/*
 * Page-table construction. Tables are reached through the direct map.
 */
#include "mem/pagetable.h"

#include "lib/panic.h"
#include "mem/layout.h"

static u64 *table_of(u64 pte)
{
	return direct((ma_t){pte & PTE_ADDR});
}

/* The next lower table below *pte, made if there is none, or split out of a large page. */
static u64 *descend(struct pagetable *t, u64 *pte, u32 level)
{
	u64 old = *pte;
	mfn_t mfn;

	if ((old & PTE_P) && !(old & PTE_PS))
		return table_of(old);
	if (!t->alloc(t->context, &mfn))
		return NULL;
	*pte = mfn_to_ma(mfn).v | PTE_P | PTE_W | PTE_A;
	if (old & PTE_P) {
		/* Bit 7 is PS above level 1 and PAT at level 1: Vellum sets no PAT bit. */
		u64 step = level_size(level - 1);
		u64 leaf = level - 1 > 1 ? old : old & ~PTE_PS;

		for (u64 i = 0; i < PTES_PER_TABLE; i++)
			table_of(*pte)[i] = leaf + i * step;
	}
	return table_of(*pte);
}

/* The entry that maps va by a page of `level`. */
static u64 *entry_at(struct pagetable *t, u64 va, u32 level)
{
	u64 *table = direct(t->root);

	for (u32 l = 4; l > level; l--) {
		table = descend(t, &table[level_index(va, l)], l);
		if (table == NULL)
			return NULL;
	}
	return &table[level_index(va, level)];
}

static u32 best_level(const struct pagetable *t, u64 va, u64 ma, u64 size)
{
	u32 level = t->max_level;

	while (level > 1 &&
	       (((va | ma) & (level_size(level) - 1)) != 0 || size < level_size(level)))
		level--;
	return level;
}

bool pagetable_map(struct pagetable *t, u64 va, ma_t ma, u64 size, u64 flags)
{
	while (size > 0) {
		u32 level = best_level(t, va, ma.v, size);
		u64 *pte = entry_at(t, va, level);

		if (pte == NULL)
			return false;
		assert(!(*pte & PTE_P));
		*pte = ma.v | flags | PTE_P | PTE_A | PTE_D | (level > 1 ? PTE_PS : 0);
		va += level_size(level);
		ma.v += level_size(level);
		size -= level_size(level);
	}
	return true;
}

bool pagetable_protect(struct pagetable *t, u64 va, u64 size, u64 flags)
{
	for (u64 end = va + size; va < end; va += PAGE_SIZE) {
		u64 *pte = entry_at(t, va, 1);

		if (pte == NULL)
			return false;
		assert(*pte & PTE_P);
		*pte = (*pte & PTE_ADDR) | flags | PTE_P | PTE_A | PTE_D;
	}
	return true;
}
