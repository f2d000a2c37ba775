// SPDX-License-Identifier: MIT
/*
 * The part of the p2m that remapping uses for each page that it moves: finding
 * those that are away, asking where one is, and changing that. It costs a few
 * instructions where the rest of the p2m costs a hundred, since beside moving a
 * page nothing else may (docs/performance.md). Owns no invariant: the counts in
 * the entries of tables are p2m.c's.
 */
#include "entry.h"

#include "lib/panic.h"

struct walk {
	u64 address;
	u32 *steps;
	p2m_visit *visit;
	void *context;
};

/* The pages of one entry for frames that is away. */
static bool each_page(u64 entry, u32 level, struct walk *w)
{
	u64 start = round_down(w->address, (u64)1 << level_shift(level));

	for (; w->address - start < (u64)1 << level_shift(level); w->address += PAGE_SIZE) {
		mfn_t mfn = {((entry & ENTRY_NUMBER) + w->address - start) >> PAGE_SHIFT};

		if (!w->visit(w->context, (pfn_t){w->address >> PAGE_SHIFT}, mfn))
			return false;
	}
	return true;
}

/* How many entries of a table are away, as far as its entry says that: of the root nobody does. */
static u32 away_below(u64 entry)
{
	return (u32)((entry & ENTRY_AWAY) / ENTRY_AWAY_ONE);
}

/* `away` of the entries are, or fewer; none is looked for behind the last. False: stopped, at
 * w->address. */
static bool each_below(const u64 *table, u32 entries, u32 away, u32 level, struct walk *w)
{
	u64 size = (u64)1 << level_shift(level);
	u32 i = entry_index(w->address, level);

	/* Those before the first are not known. */
	for (away = i == 0 ? away : entries; i < entries && away > 0; i++) {
		u64 entry = table[i], start = round_down(w->address, size);

		if (*w->steps == 0)
			return false;
		--*w->steps;
		if (is_away(entry, start)) {
			if (!(is_table(entry) ? each_below(table_of(entry), ENTRIES,
							   away_below(entry), level - 1, w)
					      : each_page(entry, level, w)))
				return false;
			away--;
		}
		w->address = start + size;
	}
	return true;
}

bool p2m_each_away(const struct p2m *p, u64 *pfn, u32 *steps, p2m_visit *visit, void *context)
{
	struct walk w = {*pfn << PAGE_SHIFT, steps, visit, context};
	bool all = *pfn >> P2M_PFN_BITS != 0 ||
		   each_below(p->root, P2M_ROOT_ENTRIES, P2M_ROOT_ENTRIES, ROOT_LEVEL, &w);

	*pfn = w.address >> PAGE_SHIFT;
	return all;
}

/* The leaf table with a page frame, found by the one before; NULL: there is none. */
static u64 *near_leaf(const struct p2m *p, struct p2m_near *near, u64 pfn)
{
	u64 address = pfn << PAGE_SHIFT, entry;

	if (near->leaf != NULL && near->leaf_tag == pfn >> 9)
		return near->leaf;
	if (near->middle == NULL || near->middle_tag != pfn >> 18) {
		entry = p->root[entry_index(address, ROOT_LEVEL)];
		for (u32 level = ROOT_LEVEL; level > 3; level--) {
			if (!is_table(entry))
				return NULL;
			entry = table_of(entry)[entry_index(address, level - 1)];
		}
		if (!is_table(entry))
			return NULL;
		near->middle = table_of(entry);
		near->middle_tag = pfn >> 18;
		near->leaf = NULL;
	}
	entry = near->middle[entry_index(address, 2)];
	if (!is_table(entry))
		return NULL;
	near->leaf_tag = pfn >> 9;
	return near->leaf = table_of(entry);
}

mfn_t p2m_lookup_near(const struct p2m *p, struct p2m_near *near, pfn_t pfn)
{
	const u64 *leaf = near_leaf(p, near, pfn.v);
	u64 entry = leaf != NULL ? leaf[pfn.v % ENTRIES] : 0;

	if ((entry & ENTRY_KIND) == ENTRY_FRAMES)
		return (mfn_t){entry >> PAGE_SHIFT};
	return leaf != NULL && p->own ? (mfn_t){P2M_NOTHING} : p2m_lookup(p, pfn);
}

int p2m_repoint(struct p2m *p, struct p2m_near *near, pfn_t pfn, mfn_t mfn)
{
	u64 *leaf = p->own ? near_leaf(p, near, pfn.v) : NULL;
	u64 pa = pfn.v << PAGE_SHIFT, value = mfn.v << PAGE_SHIFT | ENTRY_FRAMES, *entry;
	bool was, is;

	if (leaf == NULL) {
		*near = (struct p2m_near){0};
		return p2m_set(p, pfn, mfn, PAGE_SHIFT);
	}
	entry = &leaf[pfn.v % ENTRIES];
	was = is_away(*entry, pa);
	is = value - ENTRY_FRAMES != pa;
	assert((*entry & (ENTRY_KIND | ENTRY_FOREIGN)) == ENTRY_FRAMES);
	*entry = value;
	if (was == is)
		return 0;
	p->moved += is ? 1 : ~(u64)0;
	entry = &near->middle[entry_index(pa, 2)];
	/* Beside its last one, the tables above do not notice. */
	if ((*entry & ENTRY_AWAY) > ENTRY_AWAY_ONE)
		*entry += is ? ENTRY_AWAY_ONE : -ENTRY_AWAY_ONE;
	else
		p2m_note_away(p, pa, 1, is);
	return 0;
}
