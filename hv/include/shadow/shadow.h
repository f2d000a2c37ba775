/* SPDX-License-Identifier: MIT */
/*
 * Shadow page tables: what the hardware walks while a guest is virtualized.
 * They are a cache of walk()'s answers and nothing else (a virtual TLB): filled
 * on faults, emptied by what empties a TLB, never read back.
 *
 * Like a TLB with PCIDs, they keep the translations of several address spaces,
 * each named by a tag that the guest chooses. The lower half is an address
 * space's own; the upper half is one tree for all of them.
 */
#ifndef VELLUM_SHADOW_SHADOW_H
#define VELLUM_SHADOW_SHADOW_H

#include "lib/failure.h"
#include "lib/types.h"
#include "shadow/walk.h"

/** Composes physical to machine; owned by the domain. */
struct shadow_p2m {
	/* Machine address of the 2^shift-byte aligned block of physical memory at `pa`, and in
	 * *shift the largest block, at most the given one, that is contiguous and may be mapped. */
	ma_t (*translate)(void *context, pa_t pa, u32 *shift);
	void *context;
	const struct range_pair *plain; /* here physical is machine: no need to ask */
};

enum shadow_view {
	SHADOW_USER,    /* virtual CPL 3: the guest's user pages only */
	SHADOW_KERNEL,  /* virtual CPL 0: everything */
	SHADOW_GUARDED, /* virtual CPL 0 with SMAP in force: no user pages */
	SHADOW_VIEWS,
};

/* What guest Linux uses, and PCID 0: a tag's place is free when it is used by turns. */
#define SHADOW_ROOTS 25

/** One address space. */
struct shadow_root {
	bool used;
	u32 tag;
	u64 pgd;                /* address of the guest's own root */
	u64 stamp;              /* of its last use */
	ma_t top[SHADOW_VIEWS]; /* 0: none yet */
};

struct table_pool;

/** What a shadow is made with. */
struct shadow_config {
	u32 options;             /* VL_SHADOW_* that are on */
	u64 image_slot;          /* what the CPU that it is for has in slot VL_FIRST_SLOT */
	struct table_pool *pool; /* that its tables come from */
	bool audited; /* debug builds: see shadow/audit.h. No other CPU may write the guest's tables
		       */
};

struct shadow {
	struct shadow_root root[SHADOW_ROOTS];
	struct shadow_root *now; /* the address space that is loaded */
	ma_t upper[2];           /* upper half of user and kernel views: source of all tops */
	ma_t old;                /* a table of roots that shadow_renew() has left; 0: none */
	bool upper_local;        /* it has a translation that is not global */
	u32 options;             /* VL_SHADOW_* that are on */
	u64 image_slot;          /* see struct shadow_config */
	struct table_pool *pool;
	bool audited;
	u64 stamp;
	u64 generation; /* changes when a table or what leads to it is dropped, and at INVLPG */
	struct {
		u64 *table;
		u32 level;
		bool common;
	} last; /* where the last fill put its leaf */
	u64 fills;
	u64 flushes;
	u64 loads; /* of a root that was kept */
	u64 evictions;
};

/**
 * Empty, with the switches, and with the roots for users and their kernel; -VL_ENOMEM or 0.
 */
int shadow_init(struct shadow *s, const struct shadow_config *config, struct failure *f);

/** Whether it is there: shadow_init() was done and shadow_destroy() not. */
static inline bool shadow_exists(const struct shadow *s)
{
	return s->now != NULL;
}

/**
 * Tables for what may be filled near `va`, of the upper half, in the kernel's views, without
 * anything in them yet: fewer are made later.
 */
void shadow_reserve(struct shadow *s, u64 va);

/** The first address space, before anything is filled. */
void shadow_begin(struct shadow *s, u64 pgd, u32 tag);

/**
 * Forget all; at most `budget` tables are freed in this call. True when nothing is left. CR3 must
 * hold no root of it.
 */
bool shadow_destroy(struct shadow *s, u64 budget);

/**
 * Load an address space: translations that `tag` has are kept unless `flush` or `pgd` differs.
 * Those of other tags are kept too. The caller loads CR3.
 */
void shadow_load(struct shadow *s, u64 pgd, u32 tag, bool flush);

/** The hardware's root for a view of the loaded address space. Never fails (see shadow_fill()). */
ma_t shadow_make_top(struct shadow *s, enum shadow_view view);
static inline ma_t shadow_top(struct shadow *s, enum shadow_view view)
{
	ma_t top = s->now->top[view];

	return top.v != 0 ? top : shadow_make_top(s, view);
}

/** Enter a translation for `va` into a view. Never fails: without frames, others are dropped. */
void shadow_fill(struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		 const struct shadow_p2m *p2m, u64 va, const struct translation *t);

/**
 * Drop the translation of one page from the loaded address space, as INVLPG does. True if more than
 * that page was dropped, and the TLB has to be emptied.
 */
bool shadow_invalidate(struct shadow *s, u64 va);

/** Drop what is not global (of all tags), or everything. The caller flushes the TLB. */
void shadow_flush_local(struct shadow *s);
void shadow_flush(struct shadow *s);

/**
 * shadow_flush() in a time that does not go by what there is to drop, unless tables of an earlier
 * one are still left or the partition is used up: new roots are used from here on, the old ones are
 * for shadow_bury(). The caller loads CR3 before it asks for anything else.
 */
void shadow_renew(struct shadow *s);

/** Free up to `tables` of those that were left; true when there are none. */
bool shadow_bury(struct shadow *s, u64 tables);

/** Drop the translations of one tag, or its page at `va` (INVPCID). */
void shadow_flush_tag(struct shadow *s, u32 tag);

/**
 * Drop what is not global of the address spaces with this root of the guest's; the second but of
 * the loaded one, and says whether there was any. The caller flushes the TLB.
 */
void shadow_flush_space(struct shadow *s, u64 pgd);
bool shadow_flush_others(struct shadow *s, u64 pgd);

/**
 * From another CPU: whether it may have translations of an address space. If not, and it gets some
 * later, they are made from the guest's tables as they are by then: the vcpu names the root, then
 * loads CR3, then reads them; the caller has a full barrier between its guest's store to them and
 * this.
 */
static inline bool shadow_has_space(const struct shadow *s, u64 pgd)
{
	for (u32 i = 0; i < SHADOW_ROOTS; i++)
		if (__atomic_load_n(&s->root[i].pgd, __ATOMIC_ACQUIRE) == pgd)
			return true;
	return false;
}

/**
 * Map one page for Vellum itself into a view, at an address of the guest's: writable, not for
 * ring 3. It lasts until the guest touches the page, which brings its own translation back. `va` is
 * canonical and outside Vellum's slots. False if there is no frame for a table.
 */
bool shadow_map_own(struct shadow *s, enum shadow_view view, u64 va, ma_t ma);

#endif
