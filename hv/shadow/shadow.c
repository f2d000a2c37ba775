// SPDX-License-Identifier: MIT
/*
 * The shadow tables of one vcpu. Owns invariants M6 (a leaf is present only
 * for what walk() granted in that view since the last flush), M7 (no leaf maps
 * a frame that the p2m did not give out) and M8 (no leaf is global: guest
 * kernel pages are user pages to the hardware and would leak into the user
 * view).
 *
 * Upper entries grant everything; the leaf alone carries the rights, so
 * dropping a leaf is all that an invalidation takes.
 */
#include "shadow/shadow.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "public/errno.h"

#define UPPER         (PTE_P | PTE_W | PTE_U | PTE_A)
#define PTE_PAT_4K    ((u64)1 << 7)
#define PTE_PAT_LARGE ((u64)1 << 12)

static u64 *table_at(u64 pte)
{
	return direct((ma_t){pte & PTE_ADDR});
}

static bool is_table(u64 pte, u32 level)
{
	return (pte & PTE_P) && level > 1 && !(pte & PTE_PS);
}

static bool is_own_slot(u32 index)
{
	return index >= VL_FIRST_SLOT && index < VL_FIRST_SLOT + VL_MAX_SLOTS;
}

static bool new_root(struct shadow *s, enum shadow_view view)
{
	mfn_t mfn;

	if (!frame_alloc(&mfn))
		return false;
	s->tables++;
	s->root[view] = mfn_to_ma(mfn);
	own_slots((u64 *)direct(s->root[view]) + VL_FIRST_SLOT);
	return true;
}

int shadow_init(struct shadow *s, u64 limit, struct failure *f)
{
	*s = (struct shadow){.limit = limit};
	if (new_root(s, SHADOW_KERNEL) && new_root(s, SHADOW_USER))
		return 0;
	shadow_destroy(s);
	return fail(f, VL_ENOMEM,
		    "Vellum's partition has no memory for shadow tables: give it "
		    "more with vellum_mem=");
}

/* Free the tables below `table`, a table of `level`. Entries of the root that are Vellum's stay. */
static void free_below(struct shadow *s, u64 *table, u32 level)
{
	for (u32 i = 0; i < PTES_PER_TABLE; i++) {
		u64 pte = table[i];

		if (pte == 0 || (level == 4 && is_own_slot(i)))
			continue;
		if (is_table(pte, level)) {
			free_below(s, table_at(pte), level - 1);
			frame_free(ma_to_mfn((ma_t){pte & PTE_ADDR}));
			s->tables--;
		}
		table[i] = 0;
	}
}

void shadow_flush(struct shadow *s)
{
	s->flushes++;
	s->splintered = false;
	for (u32 view = 0; view < SHADOW_VIEWS; view++)
		free_below(s, direct(s->root[view]), 4);
}

void shadow_destroy(struct shadow *s)
{
	for (u32 view = 0; view < SHADOW_VIEWS; view++) {
		if (s->root[view].v == 0)
			continue;
		free_below(s, direct(s->root[view]), 4);
		frame_free(ma_to_mfn(s->root[view]));
		s->root[view].v = 0;
	}
	s->tables = 0;
}

static u64 *lookup(struct shadow *s, enum shadow_view view, u64 va, u32 *level)
{
	u64 *table = direct(s->root[view]);
	u64 *pte;

	for (*level = 4;; (*level)--) {
		pte = &table[level_index(va, *level)];
		if (!is_table(*pte, *level))
			return pte;
		table = table_at(*pte);
	}
}

bool shadow_invalidate(struct shadow *s, u64 va)
{
	u32 level;

	if (is_own_slot(level_index(va, 4)))
		return false;
	if (s->splintered) {
		shadow_flush(s);
		return true;
	}
	for (u32 view = 0; view < SHADOW_VIEWS; view++)
		*lookup(s, view, va, &level) = 0;
	return false;
}

/* The leaf's flags in this view; W only once the guest's D bit is set, so that the first write
 * comes back to walk(). */
static u64 leaf_flags(enum shadow_view view, const struct paging_mode *mode,
		      const struct translation *t)
{
	u64 flags = PTE_P | PTE_U | PTE_A | t->cache;
	bool writable = t->writable || (view == SHADOW_KERNEL && !mode->wp);

	/* Supervisor pages have no key; and in the kernel view the processor may not be asked. */
	if (t->user) {
		flags |= (u64)t->key << PTE_KEY_SHIFT;
		if (view == SHADOW_KERNEL && mode->keys && mode->wp &&
		    (mode->pkru >> (2 * t->key) & 2))
			writable = false;
	}

	if (writable && t->dirty)
		flags |= PTE_W | PTE_D;
	if (t->no_execute || (view == SHADOW_KERNEL && mode->smep && t->user))
		flags |= PTE_NX;
	return flags;
}

/* Make the table below *pte; what was a large leaf there is dropped, a TLB may forget. */
static u64 *make_table(struct shadow *s, u64 *pte)
{
	mfn_t mfn;

	if (s->tables >= s->limit || !frame_alloc(&mfn))
		return NULL;
	s->tables++;
	*pte = mfn_to_ma(mfn).v | UPPER;
	return table_at(*pte);
}

static bool try_fill(struct shadow *s, enum shadow_view view, u64 va, u32 level, u64 leaf)
{
	u64 *table = direct(s->root[view]);

	for (u32 l = 4; l > level; l--) {
		u64 *pte = &table[level_index(va, l)];

		table = is_table(*pte, l) ? table_at(*pte) : make_table(s, pte);
		if (table == NULL)
			return false;
	}
	table[level_index(va, level)] = leaf;
	return true;
}

/* The largest page that guest, p2m and the tables that are there already allow. */
static u32 choose_level(struct shadow *s, enum shadow_view view, u64 va,
			const struct translation *t, const struct shadow_p2m *p2m, ma_t *ma)
{
	u32 level = t->level, there;
	u64 *pte = lookup(s, view, va, &there);

	(void)pte;
	if (there < level)
		level = there;
	if (level == 3 && cpu_page_levels() < 3)
		level = 2;
	for (;; level--) {
		u64 size = level_size(level);
		pa_t pa = {t->page.v + (va & (level_size(t->level) - 1) & ~(size - 1))};
		u32 shift = PAGE_SHIFT + 9 * (level - 1), granted = shift;

		*ma = p2m->translate(p2m->context, pa, &granted);
		if (granted >= shift || level == 1)
			return level;
	}
}

void shadow_fill(struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		 const struct shadow_p2m *p2m, u64 va, const struct translation *t)
{
	u64 flags = leaf_flags(view, mode, t);
	ma_t ma;
	u32 level = choose_level(s, view, va, t, p2m, &ma);

	assert(!is_own_slot(level_index(va, 4)));
	if (level > 1) {
		if (flags & PTE_PAT_4K)
			flags = (flags & ~PTE_PAT_4K) | PTE_PAT_LARGE;
		flags |= PTE_PS;
	}
	s->fills++;
	if (level < t->level)
		s->splintered = true;
	if (try_fill(s, view, va, level, ma.v | flags))
		return;
	s->evictions++;
	shadow_flush(s);
	write_cr3(read_cr3());
	s->splintered = level < t->level;
	if (!try_fill(s, view, va, level, ma.v | flags))
		panic("no shadow memory after a flush");
}

bool shadow_map_own(struct shadow *s, enum shadow_view view, u64 va, ma_t ma)
{
	assert(!is_own_slot(level_index(va, 4)));
	return try_fill(s, view, va, 1, ma.v | PTE_P | PTE_W | PTE_A | PTE_D);
}
