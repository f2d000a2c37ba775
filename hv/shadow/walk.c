// SPDX-License-Identifier: MIT
/*
 * The guest page-table walk. Owns invariant M5: A and D bits are set in the
 * guest's own tables before a translation is used, as hardware would, so the
 * guest's tables are authoritative at all times and devirtualizing has nothing
 * to write back.
 */
#include "shadow/walk.h"

#include "mem/pagetable.h"

#define PTE_PAT_4K    ((u64)1 << 7)
#define PTE_PAT_LARGE ((u64)1 << 12)
#define ROOT_LEVEL    4

/* What a descent finds. */
struct path {
	u64 all, any; /* AND and OR of the entries */
	u64 upper_all, upper_any;
	volatile u64 *table; /* the last one */
	u64 leaf;
	u32 level; /* of the leaf */
};

/* Reserved whatever the level: address bits that the processor does not have, NX without NXE. */
static u64 always_reserved(const struct paging_mode *mode)
{
	return (PTE_ADDR & ~(((u64)1 << mode->physical_bits) - 1)) | (mode->nx ? 0 : PTE_NX);
}

/* Reserved because the entry has PS: at the root, and below a large page's address. */
static u64 reserved_by_size(u32 level)
{
	return level == ROOT_LEVEL ? PTE_PS : (level_size(level) - 1) & PTE_ADDR & ~PTE_PAT_LARGE;
}

static volatile u64 *table_of(const struct guest_tables *tables, u64 pa)
{
	if (pa - tables->plain.start < range_size(tables->plain))
		return (volatile u64 *)(tables->at + pa);
	return tables->table(tables->context, (pfn_t){pa >> PAGE_SHIFT});
}

/*
 * Follow the tables down to the leaf; 0, or the fault's PF_PRESENT and PF_RESERVED. Reserved bits
 * are looked for at the end: the processor stops at the first entry that has one, and what is below
 * it makes no difference to the answer.
 */
static u32 descend(const struct paging_mode *mode, const struct guest_tables *tables, u64 va,
		   struct path *path)
{
	u64 pa = mode->root.v, all = ~(u64)0, any = 0, pte = 0;
	u32 shift = PAGE_SHIFT + 9 * (ROOT_LEVEL - 1), level = ROOT_LEVEL;

	for (;; shift -= 9, level--) {
		volatile u64 *table = table_of(tables, pa & PTE_ADDR);

		if (table == NULL)
			break;
		pte = table[(va >> shift) % PTES_PER_TABLE];
		if (!(pte & PTE_P))
			break;
		path->upper_all = all;
		path->upper_any = any;
		all &= pte;
		any |= pte;
		if (level == 1 || (pte & PTE_PS)) {
			path->table = table;
			path->all = all;
			path->any = any;
			path->leaf = pte;
			path->level = level;
			if (level > 1 && (pte & reserved_by_size(level)))
				return WALK_FAULT | PF_PRESENT | PF_RESERVED;
			return any & always_reserved(mode) ? WALK_FAULT | PF_PRESENT | PF_RESERVED
							   : 0;
		}
		pa = pte;
	}
	return any & always_reserved(mode) ? WALK_FAULT | PF_PRESENT | PF_RESERVED : WALK_FAULT;
}

static void combine(const struct paging_mode *mode, const struct path *path,
		    struct translation *out)
{
	u64 leaf = path->leaf;

	out->level = path->level;
	out->table = path->table;
	out->upper_all = path->upper_all;
	out->upper_any = path->upper_any;
	out->page.v = leaf & PTE_ADDR & ~(level_size(path->level) - 1);
	out->writable = (path->all & PTE_W) != 0;
	out->user = (path->all & PTE_U) != 0;
	out->no_execute = (path->any & PTE_NX) != 0;
	out->dirty = (leaf & PTE_D) != 0;
	out->global = mode->pge && (leaf & PTE_G) != 0;
	out->key = mode->keys && out->user ? (u8)(leaf >> PTE_KEY_SHIFT & 15) : 0;
	out->cache = leaf & (PTE_PWT | PTE_PCD);
	if (leaf & (path->level > 1 ? PTE_PAT_LARGE : PTE_PAT_4K))
		out->cache |= PTE_PAT_4K;
}

static bool allowed(const struct paging_mode *mode, const struct translation *t, u32 access)
{
	if (access & PF_USER) {
		if (!t->user || ((access & PF_WRITE) && !t->writable))
			return false;
		return !(access & PF_FETCH) || !t->no_execute;
	}
	if (access & PF_FETCH)
		return !t->no_execute && !(t->user && mode->smep);
	if (t->user && mode->smap)
		return false;
	return !(access & PF_WRITE) || t->writable || !mode->wp;
}

/* SDM volume 3, section 4.6.2: data accesses to user pages, by any ring. */
static bool key_allows(const struct paging_mode *mode, const struct translation *t, u32 access)
{
	u32 bits = mode->pkru >> (2 * t->key) & 3;

	if (!mode->keys || !t->user || (access & PF_FETCH))
		return true;
	if (bits & 1)
		return false;
	return !(bits & 2) || !(access & PF_WRITE) || (!(access & PF_USER) && !mode->wp);
}

/*
 * Set the A bits on the way and D in the leaf. Rare: most are set already, so the tables are walked
 * a second time for it. The guest may have changed them since; then the entry that is there now
 * gets the bits, as on a processor that walked a moment later.
 */
static void mark_used(const struct guest_tables *tables, const struct paging_mode *mode, u64 va,
		      u32 leaf, bool write)
{
	pfn_t frame = pa_to_pfn(mode->root);

	for (u32 level = ROOT_LEVEL;; level--) {
		volatile u64 *table = table_of(tables, frame.v << PAGE_SHIFT);
		volatile u64 *entry;
		u64 pte, want = PTE_A;

		if (table == NULL)
			return;
		entry = &table[level_index(va, level)];
		pte = *entry;
		if (!(pte & PTE_P))
			return;
		if (level == leaf && write)
			want |= PTE_D;
		if ((pte & want) != want)
			__atomic_fetch_or(entry, want, __ATOMIC_SEQ_CST);
		if (level == leaf)
			return;
		frame = (pfn_t){(pte & PTE_ADDR) >> PAGE_SHIFT};
	}
}

/* Error codes have the fetch bit only when the CPU can forbid fetches at all. */
static u32 error_code(const struct paging_mode *mode, u32 fault, u32 access)
{
	if (!mode->nx && !mode->smep)
		access &= ~PF_FETCH;
	return fault | access;
}

u32 walk(const struct paging_mode *mode, const struct guest_tables *tables, u64 va, u32 access,
	 struct translation *out)
{
	struct path path;
	u32 fault = descend(mode, tables, va, &path);

	if (fault != 0)
		return error_code(mode, fault, access);
	combine(mode, &path, out);
	fault = key_allows(mode, out, access) ? 0 : PF_KEY;
	if (fault != 0 || !allowed(mode, out, access))
		return error_code(mode, WALK_FAULT | PF_PRESENT | fault, access);
	if (!(path.all & PTE_A) || ((access & PF_WRITE) && !out->dirty))
		mark_used(tables, mode, va, path.level, (access & PF_WRITE) != 0);
	out->dirty = out->dirty || (access & PF_WRITE);
	return 0;
}
