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

/* The walk's memory: one entry a level, for the A and D bits afterwards. */
struct path {
	volatile u64 *entry[ROOT_LEVEL + 1];
	u64 value[ROOT_LEVEL + 1];
	u32 leaf;
};

static u64 reserved_bits(const struct paging_mode *mode, u64 pte, u32 level)
{
	u64 bits = PTE_ADDR & ~(((u64)1 << mode->physical_bits) - 1);

	if (!mode->nx)
		bits |= PTE_NX;
	if (level == ROOT_LEVEL)
		bits |= PTE_PS;
	else if (level > 1 && (pte & PTE_PS))
		bits |= (level_size(level) - 1) & PTE_ADDR & ~PTE_PAT_LARGE;
	return bits;
}

/* Follow the tables down to the leaf; 0, or the fault's PF_PRESENT and PF_RESERVED. */
static u32 descend(const struct paging_mode *mode, const struct guest_tables *tables, u64 va,
		   struct path *path)
{
	pfn_t frame = pa_to_pfn(mode->root);

	for (u32 level = ROOT_LEVEL;; level--) {
		volatile u64 *table = tables->table(tables->context, frame);
		u64 pte;

		if (table == NULL)
			return WALK_FAULT;
		path->entry[level] = &table[level_index(va, level)];
		pte = *path->entry[level];
		path->value[level] = pte;
		if (!(pte & PTE_P))
			return WALK_FAULT;
		if (pte & reserved_bits(mode, pte, level))
			return WALK_FAULT | PF_PRESENT | PF_RESERVED;
		if (level == 1 || (pte & PTE_PS)) {
			path->leaf = level;
			return 0;
		}
		frame = (pfn_t){(pte & PTE_ADDR) >> PAGE_SHIFT};
	}
}

static void combine(const struct paging_mode *mode, const struct path *path,
		    struct translation *out)
{
	u64 leaf = path->value[path->leaf];
	u64 all = ~(u64)0, any = 0;

	for (u32 level = path->leaf; level <= ROOT_LEVEL; level++) {
		all &= path->value[level];
		any |= path->value[level];
	}
	out->level = path->leaf;
	out->page.v = leaf & PTE_ADDR & ~(level_size(path->leaf) - 1);
	out->writable = (all & PTE_W) != 0;
	out->user = (all & PTE_U) != 0;
	out->no_execute = (any & PTE_NX) != 0;
	out->dirty = (leaf & PTE_D) != 0;
	out->key = mode->keys ? (u8)(leaf >> PTE_KEY_SHIFT & 15) : 0;
	out->cache = leaf & (PTE_PWT | PTE_PCD);
	if (leaf & (path->leaf > 1 ? PTE_PAT_LARGE : PTE_PAT_4K))
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

static void mark_used(const struct path *path, u32 access)
{
	for (u32 level = ROOT_LEVEL; level >= path->leaf; level--) {
		u64 want = PTE_A;

		if (level == path->leaf && (access & PF_WRITE))
			want |= PTE_D;
		if ((path->value[level] & want) != want)
			__atomic_fetch_or(path->entry[level], want, __ATOMIC_SEQ_CST);
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
	mark_used(&path, access);
	out->dirty = out->dirty || (access & PF_WRITE);
	return 0;
}
