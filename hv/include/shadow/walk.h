/* SPDX-License-Identifier: MIT */
/*
 * The walk of a guest's page tables, as the processor does it (SDM volume 3,
 * section 4.5 to 4.8). Pure: the tables are reached through struct
 * guest_tables, so that tests and fuzzers run the same code.
 */
#ifndef VELLUM_SHADOW_WALK_H
#define VELLUM_SHADOW_WALK_H

#include "lib/types.h"
#include "mem/pagetable.h"

/* Bits of a page fault's error code; also how an access is described to walk(). */
#define PF_PRESENT  ((u32)1 << 0)
#define PF_WRITE    ((u32)1 << 1)
#define PF_USER     ((u32)1 << 2)
#define PF_RESERVED ((u32)1 << 3)
#define PF_FETCH    ((u32)1 << 4)
#define PF_KEY      ((u32)1 << 5)

/** What the guest's control registers say about paging. */
struct paging_mode {
	pa_t root;         /* CR3's address field */
	bool wp;           /* CR0.WP */
	bool nx;           /* EFER.NXE */
	bool smep;         /* CR4.SMEP */
	bool smap;         /* CR4.SMAP and RFLAGS.AC clear, or an implicit access */
	bool pge;          /* CR4.PGE */
	bool keys;         /* CR4.PKE */
	u32 pkru;          /* two bits a key: access and write disabled */
	u32 physical_bits; /* MAXPHYADDR */
	u64 reserved;      /* see paging_mode_prepare() */
	u64 kept;
};

/** Before the first walk, and when anything but root, wp, smep, smap and pkru has changed: what
 * follows from the fields above, so that a walk need not ask each of them. */
void paging_mode_prepare(struct paging_mode *mode);

/** How the walk reaches the guest's tables. */
struct guest_tables {
	/* The 512 entries of the table in this frame; NULL when it is not the guest's RAM. */
	volatile u64 *(*table)(void *context, pfn_t frame);
	void *context;
	/* Those in these ranges of addresses are at `at` + address: no need to ask. */
	const struct range_pair *plain;
	u64 at;
};

/** A translation, with the rights of all levels combined. */
struct translation {
	pa_t page;       /* start of the page, of level_size(level) bytes */
	u32 level;       /* 1, 2 or 3 */
	u32 guest_level; /* of the entry in `table`: larger when the page was cut since (aliases) */
	/* What one 4 KiB entry would say: W and U if all levels have them, NX if one has; the
	 * leaf's D (or the access sets it: a write needs no further walk), PWT, PCD and PAT, G if
	 * CR4.PGE, and its key, if CR4.PKE and it is a user page. No other bit. */
	u64 rights;
	volatile u64 *table; /* the guest's table that has the leaf */
	u64 upper_all;       /* AND and OR of the entries above the leaf */
	u64 upper_any;
};

static inline u32 translation_key(const struct translation *t)
{
	return (u32)(t->rights >> PTE_KEY_SHIFT) & 15;
}

/**
 * Translate `va` for an access of kind `access` (PF_WRITE, PF_USER, PF_FETCH). On success sets the
 * A bits on the way and, for a write, the D bit in the guest's tables, each in an entry that is
 * what was read, and returns 0. Otherwise returns the page fault's error code with PF_PRESENT,
 * PF_RESERVED, PF_KEY and the access's bits, or'ed with WALK_FAULT, which is no bit of it.
 */
u32 walk(const struct paging_mode *mode, const struct guest_tables *tables, u64 va, u32 access,
	 struct translation *out);
#define WALK_FAULT ((u32)1 << 31)

/** Where a 4 KiB entry has its PAT bit, and a large one. */
#define PTE_PAT_4K    ((u64)1 << 7)
#define PTE_PAT_LARGE ((u64)1 << 12)

#endif
