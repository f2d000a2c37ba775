/* SPDX-License-Identifier: MIT */
/*
 * The audit of the shadow in debug builds: each entry that is present must be
 * one that a processor's TLB might hold (invariants M6, M7, M8, M11). In
 * release builds every function here is nothing.
 */
#ifndef VELLUM_SHADOW_AUDIT_H
#define VELLUM_SHADOW_AUDIT_H

#include "lib/debug.h"
#include "shadow/shadow.h"

/** What a fill claims. */
struct audit_claim {
	u64 *entry; /* of the shadow, filled by now */
	u32 level;
	enum shadow_view view;
	bool common; /* users reach it too */
	u64 va;
	u64 rights; /* W, U, NX and G that the guest's entries grant together, as in one entry */
	u64 frame;  /* machine address of va's page of 4 KiB */
};

void audit_debug_note(const struct shadow *s, const struct paging_mode *mode,
		      const struct audit_claim *claim);
void audit_debug_leaf(const struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		      const struct shadow_p2m *p2m, u64 va, const struct translation *t);
void audit_debug_forget(const u64 *entry);
void audit_debug_flush(const struct shadow *s, u32 scope, u32 tag);
void audit_debug_gone(const struct shadow *s, u64 va);
void audit_debug_some(u32 records);
void audit_debug_begin(void);
void audit_debug_forget_table(const u64 *table);

/** A leaf was filled. Panics if it grants more than the claim. */
static inline void audit_note(const struct shadow *s, const struct paging_mode *mode,
			      const struct audit_claim *claim)
{
	if (is_debug_build() && s->audited)
		audit_debug_note(s, mode, claim);
}

/** The same of the leaf that shadow_fill() made last, for what walk() said just now; panics, too,
 * if the guest's tables say anything else than that. */
static inline void audit_leaf(const struct shadow *s, enum shadow_view view,
			      const struct paging_mode *mode, const struct shadow_p2m *p2m, u64 va,
			      const struct translation *t)
{
	if (is_debug_build() && s->audited)
		audit_debug_leaf(s, view, mode, p2m, va, t);
}

/** An entry becomes something else than what was noted, rightly. */
static inline void audit_forget(const struct shadow *s, const u64 *entry)
{
	if (is_debug_build() && s->audited)
		audit_debug_forget(entry);
}

/** The frame of a table goes back to the partition, for anybody's use. */
static inline void audit_forget_table(const u64 *table)
{
	if (is_debug_build())
		audit_debug_forget_table(table);
}

/** What the guest has just flushed; what was noted earlier and is in it must be gone. */
#define AUDIT_TAG   1u /* lower half of one address space */
#define AUDIT_LOCAL 2u /* upper half but global pages */
#define AUDIT_TAGS  4u /* lower half of all address spaces */
#define AUDIT_ALL   8u /* everything */
static inline void audit_flush(const struct shadow *s, u32 scope, u32 tag)
{
	if (is_debug_build() && s->audited)
		audit_debug_flush(s, scope, tag);
}

/** After INVLPG: panics if a view of the loaded address space still has a leaf for va. */
static inline void audit_gone(const struct shadow *s, u64 va)
{
	if (is_debug_build() && s->audited)
		audit_debug_gone(s, va);
}

/** Look at so many notes, in turn; AUDIT_EVERY: at all of them. */
#define AUDIT_EVERY (~0u)
static inline void audit_some(const struct shadow *s, u32 records)
{
	if (is_debug_build() && s->audited)
		audit_debug_some(records);
}

/** The tables are about to be given back, or new: forget everything. */
static inline void audit_begin(const struct shadow *s)
{
	if (is_debug_build() && s->audited)
		audit_debug_begin();
}

#endif
