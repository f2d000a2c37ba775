/* SPDX-License-Identifier: MIT */
/*
 * What a leaf of the shadow is: the guest's rights and its frame's machine
 * address, as the processor is to have them while all of the guest is at ring
 * 3. Pure, and only for shadow.c, into which the compiler is to fold it: it
 * runs at every fill.
 */
#ifndef VELLUM_SHADOW_LEAF_H
#define VELLUM_SHADOW_LEAF_H

#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "public/hypercall.h"
#include "shadow/shadow.h"

#define PTE_KEYS ((u64)15 << PTE_KEY_SHIFT)

struct leaf {
	u32 level;
	u32 guest_level; /* of the guest's page: larger where the p2m or an alias splinters it */
	u64 value;
};

static inline bool key_forbids_write(const struct paging_mode *mode, const struct translation *t)
{
	return mode->keys && (t->rights & PTE_U) && (mode->pkru >> (2 * translation_key(t)) & 2);
}

/* Whether the user view may have this leaf and the kernel sees the same in it. */
static inline bool is_common(const struct shadow *s, enum shadow_view view,
			     const struct paging_mode *mode, const struct translation *t)
{
	if (view == SHADOW_USER)
		return true;
	return (s->options & VL_SHADOW_SHARED) && view == SHADOW_KERNEL && (t->rights & PTE_U) &&
	       (mode->wp || (t->rights & PTE_W)) && !key_forbids_write(mode, t);
}

/* The leaf's flags; W only once the guest's D bit is set, so that the first write comes back to
 * walk(). */
static inline u64 leaf_flags(bool common, const struct paging_mode *mode,
			     const struct translation *t)
{
	u64 kept = PTE_PWT | PTE_PCD | PTE_PAT_4K | PTE_KEYS | PTE_NX;
	u64 flags = PTE_P | PTE_U | PTE_A | (t->rights & kept);
	bool writable = (t->rights & PTE_W) || (!common && !mode->wp);

	/* While keys are off (cpu/keys.c) the processor is not asked in the kernel view. */
	if (!common && mode->wp && key_forbids_write(mode, t))
		writable = false;
	if (writable && (t->rights & PTE_D))
		flags |= PTE_W | PTE_D;
	if (!common && mode->smep && (t->rights & PTE_U))
		flags |= PTE_NX;
	return flags;
}

/* The largest page that guest, p2m and processor allow. */
static inline u32 choose_level(const struct shadow *s, u64 va, const struct translation *t,
			       const struct shadow_p2m *p2m, ma_t *ma)
{
	u32 level = s->options & VL_SHADOW_LARGE ? t->level : 1;

	if (level == 3 && cpu_page_levels() < 3)
		level = 2;
	if (level == t->level && range_pair_contains(p2m->plain, t->page.v, level_size(level))) {
		ma->v = t->page.v;
		return level;
	}
	for (;; level--) {
		u64 size = level_size(level);
		pa_t pa = {t->page.v + (va & (level_size(t->level) - 1) & ~(size - 1))};
		u32 shift = PAGE_SHIFT + 9 * (level - 1), granted = shift;

		*ma = p2m->translate(p2m->context, pa, &granted);
		if (granted >= shift || level == 1)
			return level;
	}
}

static inline struct leaf make_leaf(const struct shadow *s, u64 va, const struct translation *t,
				    const struct shadow_p2m *p2m, u64 flags)
{
	struct leaf leaf = {.guest_level = t->guest_level};
	ma_t ma;

	leaf.level = choose_level(s, va, t, p2m, &ma);
	leaf.value = flags | ma.v;
	if (leaf.level > 1) {
		if (leaf.value & PTE_PAT_4K)
			leaf.value = (leaf.value & ~PTE_PAT_4K) | PTE_PAT_LARGE;
		leaf.value |= PTE_PS;
	}
	return leaf;
}

#endif
