/* SPDX-License-Identifier: MIT */
/*
 * What stands in the p2m's tables (see p2m.c's top).
 */
#ifndef VELLUM_P2M_ENTRY_H
#define VELLUM_P2M_ENTRY_H

#include "p2m/p2m.h"

#define ENTRY_TABLE     ((u64)1)
#define ENTRY_FRAMES    ((u64)2)
#define ENTRY_GIVEN     ((u64)3)
#define ENTRY_KIND      ((u64)3)
/* Of frames, 4 KiB: */
#define ENTRY_FOREIGN   ((u64)4)
#define ENTRY_READ_ONLY ((u64)8)
#define ENTRY_SHARED    ((u64)16)
/* Of a table, how many of its entries are away or lead to such: */
#define ENTRY_AWAY_ONE  ((u64)4)
#define ENTRY_AWAY      (((u64)1023) * ENTRY_AWAY_ONE)
#define ENTRY_NUMBER    PAGE_MASK
#define ENTRIES         512u
#define ROOT_LEVEL      5
#define LARGEST_LEVEL   3 /* of an entry that p2m_set() makes: 1 GiB */

/* log2 of the bytes that an entry of a table of this level covers; 1 is the lowest. */
static inline u32 level_shift(u32 level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static inline u32 entry_index(u64 address, u32 level)
{
	return (u32)(address >> level_shift(level)) %
	       (level == ROOT_LEVEL ? P2M_ROOT_ENTRIES : ENTRIES);
}

static inline bool is_table(u64 entry)
{
	return (entry & ENTRY_KIND) == ENTRY_TABLE;
}

static inline bool is_foreign(u64 entry)
{
	return (entry & (ENTRY_KIND | ENTRY_FOREIGN)) == (ENTRY_FRAMES | ENTRY_FOREIGN);
}

/* Whether an entry for `pa` is of frames of its own with other numbers, or leads to some. */
static inline bool is_away(u64 entry, u64 pa)
{
	if (is_table(entry))
		return (entry & ENTRY_AWAY) != 0;
	return (entry & (ENTRY_KIND | ENTRY_FOREIGN)) == ENTRY_FRAMES &&
	       (entry & ENTRY_NUMBER) != pa;
}

/* The same of a leaf table's entry, whose page has the entry `home` where it is at home. */
static inline bool entry_is_away(u64 entry, u64 home)
{
	u64 differs = entry ^ home;

	return differs != 0 && (differs & (ENTRY_KIND | ENTRY_FOREIGN)) == 0;
}

/* The first entry of a leaf table from `at` on that is away; or the end. *home is that of its page
 * at home, before and after. */
static inline const u64 *skip_home(const u64 *at, const u64 *end, u64 *home)
{
	for (; at < end; at++, *home += PAGE_SIZE)
		if (*at != *home && ((*at ^ *home) & (ENTRY_KIND | ENTRY_FOREIGN)) == 0)
			break;
	return at;
}

static inline u64 *table_of(u64 entry)
{
	return (u64 *)(uintptr_t)(entry & ENTRY_NUMBER);
}

/** The leaf table with a page frame, found by the one before; NULL: there is none. */
static inline u64 *p2m_near_leaf(const struct p2m *p, struct p2m_near *near, u64 pfn)
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

/** An entry of `level` has become away, or is so no longer: those above it count. */
void p2m_note_away(struct p2m *p, u64 address, u32 level, bool away);

#endif
