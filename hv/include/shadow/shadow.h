/* SPDX-License-Identifier: MIT */
/*
 * Shadow page tables: what the hardware walks while a guest is virtualized.
 * They are a cache of walk()'s answers and nothing else (a virtual TLB): filled
 * on faults, emptied by what empties a TLB, never read back.
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
};

enum shadow_view {
	SHADOW_KERNEL, /* virtual CPL 0: everything */
	SHADOW_USER,   /* virtual CPL 3: the guest's user pages only */
	SHADOW_VIEWS,
};

struct shadow {
	ma_t root[SHADOW_VIEWS];
	u64 tables; /* frames in use, the roots included */
	u64 limit;  /* and how many may be */
	u64 fills;
	u64 flushes;
	u64 evictions;
	bool splintered; /* a guest's large page is in smaller pieces here, since the last flush */
};

/** Counters and bound are reset, both roots made with Vellum's own slots. -VL_ENOMEM or 0. */
int shadow_init(struct shadow *s, u64 limit, struct failure *f);

/** Give all frames back. CR3 must hold neither root. */
void shadow_destroy(struct shadow *s);

/**
 * Enter a translation for `va` into a view. `write_through` says that the guest's CR0.WP is clear
 * and supervisor writes ignore the W bit. Never fails: without frames, everything is flushed first.
 */
void shadow_fill(struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		 const struct shadow_p2m *p2m, u64 va, const struct translation *t);

/** Drop the translation of one page (INVLPG), or all (CR3 load). The caller flushes the TLB; all of
 * it if the former answers that it had to drop more than the one translation. */
bool shadow_invalidate(struct shadow *s, u64 va);
void shadow_flush(struct shadow *s);

/**
 * Map one page for Vellum itself into a view, at an address of the guest's: writable, not for
 * ring 3. It lasts until the guest touches the page, which brings its own translation back. `va` is
 * canonical and outside Vellum's slots. False if there is no frame for a table.
 */
bool shadow_map_own(struct shadow *s, enum shadow_view view, u64 va, ma_t ma);

#endif
