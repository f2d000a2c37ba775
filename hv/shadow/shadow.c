// SPDX-License-Identifier: MIT
/*
 * The shadow of one vcpu's address spaces. Owns invariants M6 (a leaf is
 * present only for what walk() granted in that view since the last flush), M7
 * (no leaf maps a frame that the p2m did not give out), M8 (no leaf is global:
 * guest-kernel pages are user pages to the hardware and would leak into the
 * user view) and M11 (what the user view can reach has no supervisor page).
 *
 * Upper entries grant everything; the leaf alone carries the rights, so
 * dropping a leaf is all that an invalidation takes.
 *
 * Each address space has a root for each view. In the lower half the kernel
 * view shares the user view's tables, marked ENTRY_SHARED, until a leaf is
 * needed there that a user must not have: then that top-level entry becomes a
 * tree of its own. The upper half is one tree for the kernel views of all
 * address spaces and one for the user views; roots copy its top-level entries
 * when a fault asks for them.
 */
#include "shadow/shadow.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "public/hypercall.h"
#include "shadow/audit.h"
#include "shadow/tables.h"

#include "leaf.h"
#include "renew.h"

/* What no eviction can get, as it has to stay: the roots of two address spaces, the two upper
 * halves, and the way down to a leaf, of users and of their kernel. With these each fill succeeds,
 * however full the partition is. */
#define LEAST_TABLES (2 * SHADOW_VIEWS + 2 + 2 * 4)

/* Of tables that nobody uses any more, when others are needed. */
#define BURIED_AT_ONCE 16

#define ROOT_LEVEL  4
#define UPPER_FIRST (PTES_PER_TABLE / 2)

static bool is_own_slot(u32 index)
{
	return index >= VL_FIRST_SLOT && index < VL_FIRST_SLOT + VL_MAX_SLOTS;
}

static u64 *upper_of(struct shadow *s, enum shadow_view view)
{
	return direct(s->upper[view != SHADOW_USER]);
}

static void drop(struct shadow *s, u64 *table, u32 level, u32 first, u32 end)
{
	u64 budget = NO_BUDGET;

	tables_drop(s->pool, table, level, first, end, &budget);
}

/* --- making room --- */

static void drop_lower(struct shadow *s, struct shadow_root *r)
{
	s->generation++;
	/* The kernel's first: it has pointers into the user's. */
	for (u32 view = SHADOW_VIEWS; view-- > 0;)
		if (r->top[view].v != 0)
			drop(s, direct(r->top[view]), ROOT_LEVEL, 0, UPPER_FIRST);
}

static void drop_upper(struct shadow *s)
{
	s->generation++;
	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		for (u32 view = 0; view < SHADOW_VIEWS; view++)
			if (s->root[i].top[view].v != 0)
				drop(s, direct(s->root[i].top[view]), ROOT_LEVEL,
				     VL_FIRST_SLOT + VL_MAX_SLOTS, PTES_PER_TABLE);
	for (u32 i = 0; i < ARRAY_SIZE(s->upper); i++)
		drop(s, direct(s->upper[i]), ROOT_LEVEL, UPPER_FIRST, PTES_PER_TABLE);
	s->upper_local = false;
}

static RARELY_USED void drop_root(struct shadow *s, struct shadow_root *r)
{
	drop_lower(s, r);
	for (u32 view = 0; view < SHADOW_VIEWS; view++) {
		if (r->top[view].v == 0)
			continue;
		drop(s, direct(r->top[view]), ROOT_LEVEL, 0, PTES_PER_TABLE);
		table_free(s->pool, direct(r->top[view]));
		r->top[view].v = 0;
	}
	r->used = false;
}

/* The address space that was not used for longest, the loaded one excepted. */
static struct shadow_root *oldest(struct shadow *s)
{
	struct shadow_root *old = NULL;

	for (u32 i = 0; i < SHADOW_ROOTS; i++) {
		struct shadow_root *r = &s->root[i];

		if (r->used && r != s->now && (old == NULL || r->stamp < old->stamp))
			old = r;
	}
	return old;
}

/* While another address space is being loaded, CR3 is still one of the last one's roots. */
static bool is_in_cr3(const struct shadow_root *r)
{
	u64 root = read_cr3() & PTE_ADDR;

	for (u32 view = 0; view < SHADOW_VIEWS; view++)
		if (r->top[view].v == root)
			return true;
	return false;
}

/* Out of tables. The loaded roots themselves stay, CR3 is one of them. */
static RARELY_USED void evict(struct shadow *s)
{
	struct shadow_root *r = oldest(s);

	s->evictions++;
	if (s->old.v != 0) {
		shadow_bury(s, BURIED_AT_ONCE);
		return;
	}
	if (r != NULL && !is_in_cr3(r)) {
		drop_root(s, r);
		return;
	}
	if (r != NULL)
		drop_lower(s, r);
	drop_lower(s, s->now);
	drop_upper(s);
	write_cr3(read_cr3());
}

static ma_t take_table(struct shadow *s)
{
	ma_t table;

	while (!table_alloc(s->pool, &table)) {
		u64 before = s->pool->used;

		evict(s);
		if (s->pool->used == before)
			panic("no memory for the shadow's roots");
	}
	return table;
}

/* --- roots --- */

void shadow_add_own_slots(const struct shadow *s, ma_t root)
{
	u64 *table = direct(root);
	u32 n;
	const u64 *slot = own_slots_in_use(&n);

	for (u32 i = 0; i < n; i++) {
		if (slot[i] == 0)
			continue;
		audit_forget(s, &table[VL_FIRST_SLOT + i]); /* of when it was no root */
		table_set(&table[VL_FIRST_SLOT + i],
			  (i == 0 ? s->image_slot : slot[i]) | ENTRY_SHARED);
	}
}

ma_t shadow_make_top(struct shadow *s, enum shadow_view view)
{
	ma_t top = take_table(s);

	shadow_add_own_slots(s, top);
	s->now->top[view] = top;
	return top;
}

/* Where a tag is looked for first: with small tags, where it is. */
static struct shadow_root *home_of(struct shadow *s, u32 tag)
{
	return &s->root[tag < SHADOW_ROOTS ? tag : 0];
}

static struct shadow_root *find(struct shadow *s, u32 tag)
{
	struct shadow_root *home = home_of(s, tag);

	if (home->used && home->tag == tag)
		return home;
	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		if (s->root[i].used && s->root[i].tag == tag)
			return &s->root[i];
	return NULL;
}

static struct shadow_root *vacant(struct shadow *s, u32 tag)
{
	struct shadow_root *r = home_of(s, tag);

	if (!r->used)
		return r;
	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		if (!s->root[i].used)
			return &s->root[i];
	r = oldest(s);
	drop_lower(s, r);
	return r;
}

/* Where translations are dropped, or a root is to be found or made. */
static NEVER_INLINE struct shadow_root *load_anew(struct shadow *s, u64 pgd, u32 tag, bool flush)
{
	struct shadow_root *r = find(s, tag);
	u32 scope = (flush || (r != NULL && r->pgd != pgd) ? AUDIT_TAG : 0) |
		    (flush || s->now->tag != tag ? AUDIT_LOCAL : 0);

	if (!(s->options & VL_SHADOW_CACHED_ROOTS)) {
		r = s->now;
		flush = true;
	}
	if (r == NULL)
		r = vacant(s, tag);
	else if (flush || r->pgd != pgd)
		drop_lower(s, r);
	else
		s->loads++;
	/* Another address space may have other translations there that are not global. */
	if (s->upper_local && (flush || r != s->now))
		drop_upper(s);
	s->flushes += flush;
	r->used = true;
	r->tag = tag;
	r->pgd = pgd;
	audit_flush(s, scope, tag);
	return r;
}

/* At each switch between processes, most of which drop nothing. */
void shadow_load(struct shadow *s, u64 pgd, u32 tag, bool flush)
{
	struct shadow_root *r = home_of(s, tag);

	if (flush || !r->used || r->tag != tag || r->pgd != pgd || s->upper_local ||
	    !(s->options & VL_SHADOW_CACHED_ROOTS)) {
		r = load_anew(s, pgd, tag, flush);
	} else {
		s->loads++;
		audit_flush(s, s->now->tag != tag ? AUDIT_LOCAL : 0, tag);
	}
	s->generation++;
	s->now = r;
	r->stamp = ++s->stamp;
}

int shadow_init(struct shadow *s, const struct shadow_config *config, struct failure *f)
{
	struct shadow_root *r = &s->root[0];

	/* No cache that was never filled fits it. */
	*s = (struct shadow){.options = config->options,
			     .image_slot = config->image_slot,
			     .pool = config->pool,
			     .audited = config->audited,
			     .generation = 1};
	s->now = r;
	audit_begin(s);
	if (!tables_reserve(s->pool, LEAST_TABLES) || !table_alloc(s->pool, &s->upper[0]) ||
	    !table_alloc(s->pool, &s->upper[1]) || !table_alloc(s->pool, &r->top[SHADOW_USER]) ||
	    !table_alloc(s->pool, &r->top[SHADOW_KERNEL])) {
		shadow_destroy(s, NO_BUDGET);
		return fail(f, VL_ENOMEM,
			    "Vellum's partition has no memory for shadow tables: give it "
			    "more with vellum_mem=");
	}
	shadow_add_own_slots(s, r->top[SHADOW_USER]);
	shadow_add_own_slots(s, r->top[SHADOW_KERNEL]);
	return 0;
}

void shadow_begin(struct shadow *s, u64 pgd, u32 tag)
{
	s->now->used = true;
	s->now->pgd = pgd;
	s->now->tag = tag;
}

static bool destroy_table(struct shadow *s, ma_t *table, u64 *budget)
{
	if (table->v == 0)
		return true;
	if (!tables_drop(s->pool, direct(*table), ROOT_LEVEL, 0, PTES_PER_TABLE, budget))
		return false;
	table_free(s->pool, direct(*table));
	table->v = 0;
	return true;
}

RARELY_USED bool shadow_destroy(struct shadow *s, u64 budget)
{
	if (s->now == NULL)
		return true; /* done: asked at each hypercall in passthrough */
	audit_begin(s);
	if (!shadow_bury_within(s, &budget))
		return false;
	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		for (u32 view = SHADOW_VIEWS; view-- > 0;)
			if (!destroy_table(s, &s->root[i].top[view], &budget))
				return false;
	for (u32 i = 0; i < ARRAY_SIZE(s->upper); i++)
		if (!destroy_table(s, &s->upper[i], &budget))
			return false;
	s->now = NULL;
	return true;
}

/* --- dropping --- */

void shadow_flush_local(struct shadow *s)
{
	s->flushes++;
	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		if (s->root[i].used)
			drop_lower(s, &s->root[i]);
	if (s->upper_local)
		drop_upper(s);
	audit_flush(s, AUDIT_TAGS | AUDIT_LOCAL, 0);
}

void shadow_flush(struct shadow *s)
{
	shadow_flush_local(s);
	drop_upper(s);
	audit_flush(s, AUDIT_ALL, 0);
}

void shadow_flush_tag(struct shadow *s, u32 tag)
{
	struct shadow_root *r = find(s, tag);

	if (r != NULL)
		drop_lower(s, r);
	if (s->upper_local)
		drop_upper(s);
	audit_flush(s, AUDIT_TAG | AUDIT_LOCAL, tag);
}

bool shadow_flush_others(struct shadow *s, u64 pgd)
{
	bool any = false;

	for (u32 i = 0; i < SHADOW_ROOTS; i++) {
		struct shadow_root *r = &s->root[i];

		if (!r->used || r->pgd != pgd || r == s->now)
			continue;
		drop_lower(s, r);
		audit_flush(s, AUDIT_TAG, r->tag);
		any = true;
	}
	return any;
}

void shadow_flush_space(struct shadow *s, u64 pgd)
{
	s->flushes++;
	shadow_flush_others(s, pgd);
	if (s->now->pgd != pgd)
		return;
	drop_lower(s, s->now);
	if (s->upper_local)
		drop_upper(s);
	audit_flush(s, AUDIT_TAG | AUDIT_LOCAL, s->now->tag);
}

/* Drop the leaf for va below `table`; true when a whole table went with it. */
static bool drop_leaf(struct shadow *s, u64 *table, u64 va)
{
	for (u32 level = ROOT_LEVEL;; level--) {
		u64 *entry = &table[level_index(va, level)];

		if (!entry_is_table(*entry, level)) {
			*entry = 0;
			return false;
		}
		if (*entry & ENTRY_SPLINTER) {
			drop(s, table_below(*entry), level - 1, 0, PTES_PER_TABLE);
			return true;
		}
		table = table_below(*entry);
	}
}

static bool drop_leaves(struct shadow *s, u64 va)
{
	bool more = false;

	if (is_own_slot(level_index(va, ROOT_LEVEL)))
		return false;
	if (is_upper_half(va)) {
		for (u32 i = 0; i < ARRAY_SIZE(s->upper); i++)
			more |= drop_leaf(s, direct(s->upper[i]), va);
		return more;
	}
	for (u32 view = 0; view < SHADOW_VIEWS; view++)
		if (s->now->top[view].v != 0)
			more |= drop_leaf(s, direct(s->now->top[view]), va);
	return more;
}

bool shadow_invalidate(struct shadow *s, u64 va)
{
	bool more = drop_leaves(s, va);

	s->generation++;
	audit_gone(s, va);
	return more;
}

/* --- filling --- */

static inline u64 *make_table(struct shadow *s, u64 *entry)
{
	ma_t table;

	if (!table_alloc(s->pool, &table))
		return NULL;
	table_set(entry, table.v | UPPER);
	audit_forget(s, entry);
	return direct(table);
}

/* The top-level entry of the lower half that a leaf goes below, in this view. */
static inline u64 *lower_entry(struct shadow *s, enum shadow_view view,
			       const struct paging_mode *mode, u64 va, bool common)
{
	u32 index = level_index(va, ROOT_LEVEL);
	u64 *mine = (u64 *)direct(shadow_top(s, view)) + index;
	u64 *users;

	if (view == SHADOW_USER)
		return mine;
	if (*mine != 0 && !(*mine & ENTRY_SHARED))
		return mine; /* a tree of its own already */
	if (!common) {
		if (*mine != 0)
			s->generation++;
		*mine = 0;
		return mine;
	}
	users = (u64 *)direct(shadow_top(s, SHADOW_USER)) + index;
	if (*users == 0 && make_table(s, users) == NULL)
		return NULL;
	/* With SMEP the kernel executes nothing there; ring 3 needs NX for it. */
	table_set(mine, (*users | ENTRY_SHARED) | (mode->smep ? PTE_NX : 0));
	audit_forget(s, mine);
	return users;
}

/* The same in the upper half, whose entries come from the common tree. */
static inline u64 *upper_entry(struct shadow *s, enum shadow_view view, u64 va)
{
	u32 index = level_index(va, ROOT_LEVEL);
	u64 *source = upper_of(s, view) + index;
	u64 *mine = (u64 *)direct(shadow_top(s, view)) + index;

	if (*source == 0 && make_table(s, source) == NULL)
		return NULL;
	if (*mine == 0) {
		table_set(mine, *source | ENTRY_SHARED);
		audit_forget(s, mine); /* of when the root was another table */
	}
	return source;
}

/* From an entry of `level` to the one below it that leads to va; NULL: no memory for a table. */
static inline ALWAYS_INLINE u64 *step_down(struct shadow *s, u64 *entry, u64 va, u32 level,
					   const struct leaf *leaf)
{
	u64 *table = entry_is_table(*entry, level) ? table_below(*entry) : make_table(s, entry);

	if (table == NULL)
		return NULL;
	if (level <= leaf->guest_level)
		*entry |= ENTRY_SPLINTER;
	return &table[level_index(va, level - 1)];
}

static inline ALWAYS_INLINE bool fill_below(struct shadow *s, u64 *entry, u64 va,
					    const struct leaf *leaf)
{
	entry = step_down(s, entry, va, 4, leaf);
	if (entry != NULL && leaf->level < 3)
		entry = step_down(s, entry, va, 3, leaf);
	if (entry != NULL && leaf->level < 2)
		entry = step_down(s, entry, va, 2, leaf);
	if (entry == NULL)
		return false;
	if (entry_is_table(*entry, leaf->level)) {
		s->generation++;
		drop(s, table_below(*entry), leaf->level - 1, 0, PTES_PER_TABLE);
		table_free(s->pool, table_below(*entry));
	}
	table_set(entry, leaf->value);
	s->last.table = (u64 *)((u64)entry & PAGE_MASK);
	s->last.level = leaf->level;
	return true;
}

static inline ALWAYS_INLINE bool try_fill(struct shadow *s, enum shadow_view view,
					  const struct paging_mode *mode, u64 va, bool common,
					  const struct leaf *leaf)
{
	u64 *entry = is_upper_half(va) ? upper_entry(s, view, va)
				       : lower_entry(s, view, mode, va, common);

	return entry != NULL && fill_below(s, entry, va, leaf);
}

/* With nothing known to the compiler. */
static RARELY_USED bool try_fill_any(struct shadow *s, enum shadow_view view,
				     const struct paging_mode *mode, u64 va, bool common,
				     const struct leaf *leaf)
{
	return try_fill(s, view, mode, va, common, leaf);
}

void shadow_fill(struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		 const struct shadow_p2m *p2m, u64 va, const struct translation *t)
{
	bool common = is_common(s, view, mode, t) && !(is_upper_half(va) && view != SHADOW_USER);
	struct leaf leaf = {.level = 1, .guest_level = 1};
	u64 flags = leaf_flags(common, mode, t);

	assert(!is_own_slot(level_index(va, ROOT_LEVEL)));
	if (is_upper_half(va) && !(t->rights & PTE_G))
		s->upper_local = true;
	s->fills++;
	s->last.common = common;
	/* Most are these: with constants, half of the way down is known to the compiler. */
	if (t->guest_level == 1 && range_pair_has(p2m->plain, t->page.v)) {
		leaf.value = flags | t->page.v;
		if (try_fill(s, view, mode, va, common, &leaf)) {
			audit_leaf(s, view, mode, p2m, va, t);
			return;
		}
	}
	leaf = make_leaf(s, va, t, p2m, flags);
	while (!try_fill_any(s, view, mode, va, common, &leaf))
		evict(s);
	audit_leaf(s, view, mode, p2m, va, t);
}

RARELY_USED void shadow_reserve(struct shadow *s, u64 va)
{
	const struct leaf leaf = {.level = 2, .guest_level = 1};
	u64 *entry = is_upper_half(va) && !is_own_slot(level_index(va, ROOT_LEVEL))
			     ? upper_entry(s, SHADOW_KERNEL, va)
			     : NULL;

	if (entry != NULL)
		entry = step_down(s, entry, va, 4, &leaf);
	if (entry != NULL)
		(void)step_down(s, entry, va, 3, &leaf);
}

RARELY_USED bool shadow_map_own(struct shadow *s, enum shadow_view view, u64 va, ma_t ma)
{
	const struct paging_mode mode = {.wp = true};
	const struct leaf leaf = {
		.level = 1, .guest_level = 1, .value = ma.v | PTE_P | PTE_W | PTE_A | PTE_D};

	assert(!is_own_slot(level_index(va, ROOT_LEVEL)));
	if (!try_fill_any(s, view, &mode, va, true, &leaf))
		return false;
	audit_forget(s, &s->last.table[level_index(va, s->last.level)]);
	return true;
}
