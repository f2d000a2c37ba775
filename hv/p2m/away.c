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
	struct p2m_page *list;
	u32 room, found;
};

/* The pages of one large entry for frames that is away. False: the list is full. */
static bool list_large(u64 entry, u32 level, struct walk *w)
{
	u64 start = round_down(w->address, (u64)1 << level_shift(level));

	while (w->address - start < (u64)1 << level_shift(level)) {
		w->list[w->found++] = (struct p2m_page){
			w->address >> PAGE_SHIFT,
			((entry & ENTRY_NUMBER) + w->address - start) >> PAGE_SHIFT};
		w->address += PAGE_SIZE;
		if (w->found == w->room)
			return false;
	}
	return true;
}

/* Those of a leaf table from the address on, of which `away` are away, or fewer. */
static bool list_leaf(const u64 *table, u32 away, struct walk *w)
{
	u32 first = entry_index(w->address, 1), room = w->room - w->found;
	u64 home = round_down(w->address, PAGE_SIZE) | ENTRY_FRAMES;
	struct p2m_page *out = w->list + w->found;
	const u64 *entry = table + first, *end = table + ENTRIES;

	for (room = (u32)min_u64(room, first == 0 ? away : ENTRIES); room > 0; room--) {
		entry = skip_home(entry, end, &home);
		if (entry == end)
			break;
		*out++ = (struct p2m_page){home >> PAGE_SHIFT, *entry++ >> PAGE_SHIFT};
		home += PAGE_SIZE;
	}
	w->found = (u32)(out - w->list);
	*w->steps -= (u32)min_u64(*w->steps, (u64)(entry - table - first));
	w->address = home & ENTRY_NUMBER;
	return w->found < w->room;
}

/* How many entries of a table are away, as its own entry says; of the root none does. */
static u32 away_below(u64 entry)
{
	return (u32)((entry & ENTRY_AWAY) / ENTRY_AWAY_ONE);
}

/* `away` of the entries are, or fewer; none is looked for behind the last. False: stopped, at
 * w->address. */
static bool list_below(const u64 *table, u32 entries, u32 away, u32 level, struct walk *w)
{
	u64 size = (u64)1 << level_shift(level);
	u32 i = entry_index(w->address, level);

	if (level == 1)
		return list_leaf(table, away, w);
	/* Those before the first are not known. */
	for (away = i == 0 ? away : entries; i < entries && away > 0; i++) {
		u64 entry = table[i], start = round_down(w->address, size);

		if (*w->steps == 0)
			return false;
		--*w->steps;
		if (is_away(entry, start)) {
			if (!(is_table(entry) ? list_below(table_of(entry), ENTRIES,
							   away_below(entry), level - 1, w)
					      : list_large(entry, level, w)))
				return false;
			away--;
		}
		w->address = start + size;
	}
	return true;
}

u32 p2m_list_away(const struct p2m *p, u64 *pfn, u32 *steps, struct p2m_page *list, u32 most)
{
	struct walk w = {*pfn << PAGE_SHIFT, steps, list, most, 0};
	bool all = *pfn >> P2M_PFN_BITS != 0 ||
		   list_below(p->root, P2M_ROOT_ENTRIES, P2M_ROOT_ENTRIES, ROOT_LEVEL, &w);

	*pfn = all ? P2M_END : w.address >> PAGE_SHIFT;
	return w.found;
}

u64 p2m_given_row(const struct p2m *p, pfn_t pfn)
{
	struct p2m_near near = {0};
	const u64 *leaf = p2m_near_leaf(p, &near, pfn.v);
	u64 i = pfn.v % ENTRIES;

	/* Mostly all are, so eight are asked at once. */
	while (leaf != NULL && i % 8 == 0 && i < ENTRIES &&
	       (leaf[i] & leaf[i + 1] & leaf[i + 2] & leaf[i + 3] & leaf[i + 4] & leaf[i + 5] &
		leaf[i + 6] & leaf[i + 7] & ENTRY_KIND) == ENTRY_GIVEN)
		i += 8;
	while (leaf != NULL && i < ENTRIES && (leaf[i] & ENTRY_KIND) == ENTRY_GIVEN)
		i++;
	return i - pfn.v % ENTRIES;
}

mfn_t p2m_lookup_near(const struct p2m *p, struct p2m_near *near, pfn_t pfn)
{
	const u64 *leaf = p2m_near_leaf(p, near, pfn.v);
	u64 entry = leaf != NULL ? leaf[pfn.v % ENTRIES] : 0;

	if ((entry & ENTRY_KIND) == ENTRY_FRAMES)
		return (mfn_t){entry >> PAGE_SHIFT};
	return leaf != NULL && p->own ? (mfn_t){P2M_NOTHING} : p2m_lookup(p, pfn);
}

int p2m_repoint(struct p2m *p, struct p2m_near *near, pfn_t pfn, mfn_t mfn)
{
	u64 *leaf = p->own ? p2m_near_leaf(p, near, pfn.v) : NULL;
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
