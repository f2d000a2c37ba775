// SPDX-License-Identifier: MIT
/*
 * The guest page-table walk. Owns invariant M5: A and D bits are set in the
 * guest's own tables before a translation is used, as hardware would, so the
 * guest's tables are authoritative at all times and devirtualizing has nothing
 * to write back.
 */
#include "shadow/walk.h"

#include "mem/pagetable.h"

#define ROOT_LEVEL 4
#define KEY_MASK   ((u64)15 << PTE_KEY_SHIFT)
#define USED       (PTE_A | PTE_D)
#define TRIES      64u

/* Inlined with a constant level, a step is a dozen instructions. */

/* What a descent finds. */
struct path {
	u64 all, any; /* AND and OR of the entries */
	u64 upper_all, upper_any;
	volatile u64 *table; /* the last one */
	u64 entry;           /* and its entry; at first what leads to the root */
	u32 level;           /* of the leaf; 0: none is there */
};

void paging_mode_prepare(struct paging_mode *mode)
{
	/* Whatever the level: address bits that the processor does not have, NX without NXE. */
	mode->reserved =
		(PTE_ADDR & ~(((u64)1 << mode->physical_bits) - 1)) | (mode->nx ? 0 : PTE_NX);
	mode->kept = PTE_D | PTE_PWT | PTE_PCD | (mode->pge ? PTE_G : 0);
}

/* Reserved because the entry has PS: at the root, and below a large page's address. */
static u64 reserved_by_size(u32 level)
{
	return level == ROOT_LEVEL ? PTE_PS : (level_size(level) - 1) & PTE_ADDR & ~PTE_PAT_LARGE;
}

static inline ALWAYS_INLINE volatile u64 *table_of(const struct guest_tables *tables,
						   struct range plain, u64 pa)
{
	if (pa - plain.start < range_size(plain) ||
	    pa - tables->plain->at[1].start < range_size(tables->plain->at[1]))
		return (volatile u64 *)(tables->at + pa);
	return tables->table(tables->context, (pfn_t){pa >> PAGE_SHIFT});
}

/* True if the way goes on below. */
static inline ALWAYS_INLINE bool step(const struct guest_tables *tables, struct range plain, u64 va,
				      u32 level, struct path *path)
{
	volatile u64 *table = table_of(tables, plain, path->entry & PTE_ADDR);
	u64 pte;

	if (table == NULL)
		return false;
	pte = table[level_index(va, level)];
	if (!(pte & PTE_P))
		return false;
	path->table = table;
	path->entry = pte;
	path->upper_all = path->all;
	path->upper_any = path->any;
	path->all &= pte;
	path->any |= pte;
	if (level > 1 && !(pte & PTE_PS))
		return true;
	path->level = level;
	return false;
}

/*
 * Follow the tables down to the leaf; 0, or the fault's PF_PRESENT and PF_RESERVED. Reserved bits
 * are looked for at the end: the processor stops at the first entry that has one, and what is below
 * it makes no difference to the answer.
 */
static inline ALWAYS_INLINE u32 descend(const struct paging_mode *mode,
					const struct guest_tables *tables, u64 va,
					struct path *path)
{
	struct range plain = tables->plain->at[0];
	u64 bad;

	*path = (struct path){.all = ~(u64)0, .entry = mode->root.v};
	(void)(step(tables, plain, va, 4, path) && step(tables, plain, va, 3, path) &&
	       step(tables, plain, va, 2, path) && step(tables, plain, va, 1, path));
	bad = path->any & mode->reserved;
	if (path->level > 1)
		bad |= path->entry & reserved_by_size(path->level);
	if (bad != 0)
		return WALK_FAULT | PF_PRESENT | PF_RESERVED;
	return path->level == 0 ? WALK_FAULT : 0;
}

static inline ALWAYS_INLINE void combine(const struct paging_mode *mode, const struct path *path,
					 struct translation *out)
{
	u64 leaf = path->entry, mask = PTE_ADDR;
	u64 rights = (path->all & (PTE_W | PTE_U)) | (path->any & PTE_NX) | (leaf & mode->kept);

	if (path->level == 1) {
		rights |= leaf & PTE_PAT_4K;
	} else {
		rights |= leaf & PTE_PAT_LARGE ? PTE_PAT_4K : 0;
		mask &= ~(level_size(path->level) - 1);
	}
	if (mode->keys && (rights & PTE_U))
		rights |= leaf & KEY_MASK;
	out->page.v = leaf & mask;
	out->level = out->guest_level = path->level;
	out->rights = rights;
	out->table = path->table;
	out->upper_all = path->upper_all;
	out->upper_any = path->upper_any;
}

static inline ALWAYS_INLINE bool allowed(const struct paging_mode *mode, u64 rights, u32 access)
{
	bool user = (rights & PTE_U) != 0, writable = (rights & PTE_W) != 0;

	if (access & PF_USER) {
		if (!user || ((access & PF_WRITE) && !writable))
			return false;
		return !(access & PF_FETCH) || !(rights & PTE_NX);
	}
	if (access & PF_FETCH)
		return !(rights & PTE_NX) && !(user && mode->smep);
	if (user && mode->smap)
		return false;
	return !(access & PF_WRITE) || writable || !mode->wp;
}

/* SDM volume 3, section 4.6.2: data accesses to user pages, by any ring. */
static bool key_allows(const struct paging_mode *mode, const struct translation *t, u32 access)
{
	u32 bits = mode->pkru >> (2 * translation_key(t)) & 3;

	if (access & PF_FETCH)
		return true;
	if (bits & 1)
		return false;
	return !(bits & 2) || !(access & PF_WRITE) || (!(access & PF_USER) && !mode->wp);
}

/*
 * Set bits in an entry that was `seen`. Another CPU of the guest may have changed it since: then
 * nothing is set, and false. With a plain locked OR an entry that was just cleared would come back
 * as a piece of one, and a write would be granted that whoever cleared it did not see.
 */
static bool mark(volatile u64 *entry, u64 seen, u64 want)
{
	while ((seen & want) != want) {
		u64 now = seen;

		if (__atomic_compare_exchange_n(entry, &now, seen | want, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
		if ((now ^ seen) & ~USED)
			return false;
		seen = now;
	}
	return true;
}

/*
 * Set the A bits on the way and D in the leaf. Rare: most are set already above the leaf, so the
 * tables are walked a second time for it. False if they are not what they were.
 */
static RARELY_USED bool mark_used(const struct guest_tables *tables, const struct paging_mode *mode,
				  u64 va, const struct path *path, u64 used)
{
	u64 all = ~(u64)0, any = 0, pte = mode->root.v;

	for (u32 level = ROOT_LEVEL; level >= path->level; level--) {
		volatile u64 *table = table_of(tables, tables->plain->at[0], pte & PTE_ADDR);

		if (table == NULL)
			return false;
		pte = table[level_index(va, level)];
		if (!(pte & PTE_P) || (level > path->level && (pte & PTE_PS)) ||
		    !mark(&table[level_index(va, level)], pte, level == path->level ? used : PTE_A))
			return false;
		all &= pte;
		any |= pte;
	}
	return (((all ^ path->all) | (any ^ path->any) | (pte ^ path->entry)) & ~USED) == 0;
}

/* Error codes have the fetch bit only when the CPU can forbid fetches at all. */
static u32 error_code(const struct paging_mode *mode, u32 fault, u32 access)
{
	if (!mode->nx && !mode->smep)
		access &= ~PF_FETCH;
	return fault | access;
}

static inline ALWAYS_INLINE u32 walk_once(const struct paging_mode *mode,
					  const struct guest_tables *tables, u64 va, u32 access,
					  struct translation *out, bool *again)
{
	u64 used = PTE_A | (access & PF_WRITE ? PTE_D : 0);
	struct path path;
	u32 fault = descend(mode, tables, va, &path);

	if (fault != 0)
		return error_code(mode, fault, access);
	combine(mode, &path, out);
	fault = !mode->keys || !(out->rights & PTE_U) || key_allows(mode, out, access) ? 0 : PF_KEY;
	if (fault != 0 || !allowed(mode, out->rights, access))
		return error_code(mode, WALK_FAULT | PF_PRESENT | fault, access);
	if (!(path.upper_all & PTE_A))
		*again = !mark_used(tables, mode, va, &path, used);
	else if ((path.entry & used) != used)
		*again = !mark(&path.table[level_index(va, path.level)], path.entry, used);
	out->rights |= used & PTE_D;
	return 0;
}

/* A guest that changes its entries all the time on another CPU does not hold Vellum here: it finds
 * that nothing was there. */
static RARELY_USED u32 walk_again(const struct paging_mode *mode, const struct guest_tables *tables,
				  u64 va, u32 access, struct translation *out)
{
	for (u32 i = 0; i < TRIES; i++) {
		bool again = false;
		u32 fault = walk_once(mode, tables, va, access, out, &again);

		if (!again)
			return fault;
	}
	return error_code(mode, WALK_FAULT, access);
}

u32 walk(const struct paging_mode *mode, const struct guest_tables *tables, u64 va, u32 access,
	 struct translation *out)
{
	bool again = false;
	u32 fault = walk_once(mode, tables, va, access, out, &again);

	return again ? walk_again(mode, tables, va, access, out) : fault;
}
