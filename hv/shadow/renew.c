// SPDX-License-Identifier: MIT
/*
 * Dropping all of a shadow in a time that does not go by how much there is: new
 * roots are used, and the old ones are freed later, as much as fits. Owns no
 * invariant: what is left is reached by no CR3, as a table of roots, one level
 * above those that a processor walks.
 */
#include "renew.h"

#include "mem/layout.h"
#include "mem/pagetable.h"
#include "shadow/audit.h"
#include "shadow/tables.h"

#define OLD_LEVEL 5

/* What shadow_renew() begins with: a table of old roots, the two upper halves, roots. */
#define NEW_TABLES (1 + 2 + SHADOW_VIEWS)

bool shadow_bury_within(struct shadow *s, u64 *budget)
{
	if (s->old.v == 0)
		return true;
	if (!tables_drop(s->pool, direct(s->old), OLD_LEVEL, 0, PTES_PER_TABLE, budget))
		return false;
	table_free(s->pool, direct(s->old));
	s->old.v = 0;
	return true;
}

bool shadow_bury(struct shadow *s, u64 tables)
{
	return shadow_bury_within(s, &tables);
}

static void put_away(struct shadow *s, u32 *n, ma_t *root)
{
	if (root->v != 0)
		table_set((u64 *)direct(s->old) + (*n)++, root->v | UPPER);
	root->v = 0;
}

/* CR3 is one of them until the caller loads it. */
static void put_all_away(struct shadow *s)
{
	u32 n = 0;

	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		for (u32 view = 0; view < SHADOW_VIEWS; view++)
			put_away(s, &n, &s->root[i].top[view]);
	for (u32 i = 0; i < ARRAY_SIZE(s->upper); i++)
		put_away(s, &n, &s->upper[i]);
}
_Static_assert(SHADOW_ROOTS *SHADOW_VIEWS + 2 <= PTES_PER_TABLE, "a table has all old roots");

/* The share of the partition that the pool has may be used up just then. */
static bool take_new_tables(struct shadow *s, ma_t *table)
{
	u64 limit = s->pool->limit;
	bool all = tables_reserve(s->pool, NEW_TABLES);

	s->pool->limit = ~(u64)0;
	for (u32 i = 0; all && i < NEW_TABLES; i++)
		table_alloc(s->pool, &table[i]);
	s->pool->limit = limit;
	return all;
}

void shadow_renew(struct shadow *s)
{
	ma_t table[NEW_TABLES];

	if (s->old.v != 0 || !take_new_tables(s, table)) {
		shadow_flush(s);
		return;
	}
	s->old = table[0];
	put_all_away(s);
	s->upper[0] = table[1];
	s->upper[1] = table[2];
	for (u32 view = 0; view < SHADOW_VIEWS; view++) {
		shadow_add_own_slots(s, table[3 + view]);
		s->now->top[view] = table[3 + view];
	}
	s->upper_local = false;
	s->generation++;
	s->flushes++;
	audit_begin(s);
}
