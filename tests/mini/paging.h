/* SPDX-License-Identifier: MIT */
/*
 * Page tables: 4-level, 4 KiB and 2 MiB pages. A space is one root. All spaces
 * share the kernel's tables of the upper half and differ in the lower one.
 */
#ifndef MINI_PAGING_H
#define MINI_PAGING_H

#include "lib/types.h"

#define PTE_P   0x1ul
#define PTE_W   0x2ul
#define PTE_U   0x4ul
#define PTE_PWT 0x8ul
#define PTE_PCD 0x10ul
#define PTE_A   0x20ul
#define PTE_D   0x40ul
#define PTE_PS  0x80ul /* in levels 3 and 2: a page, not a table */
#define PTE_G   0x100ul
#define PTE_NX  0x8000000000000000ul /* use paging_nx(): reserved on CPUs without it */

#define PTE_ADDRESS 0x000ffffffffff000ul
#define NR_ENTRIES  512
#define USER_END    0x0000800000000000ul

/* Error code of a page fault. */
#define PF_P    0x1u /* the page was present */
#define PF_W    0x2u
#define PF_U    0x4u
#define PF_RSVD 0x8u
#define PF_I    0x10u /* instruction fetch; only with NX or SMEP */

struct space {
	pa_t root;
};

extern struct space kernel_space;

/** Build the kernel's tables and switch to them: the image with text, read-only data and data
 * apart (nothing both writable and executable), the direct map of all RAM, nothing else. The
 * lower half is empty, so that a null pointer faults. Panics when RAM runs out. */
void paging_init(void);

/** PTE_NX if the CPU has it, else 0. */
u64 paging_nx(void);

/** A new space with an empty lower half. Returns 0, or -VL_ENOMEM. */
int space_create(struct space *space);

/** Free the tables of the lower half and the root, not the pages mapped. Not for the current or
 * the kernel's space. */
void space_destroy(struct space *space);

/** Put the space into CR3; its lower half's old translations are flushed by that. */
void space_load(const struct space *space);

/**
 * Map the page of `size` bytes (4096 or LARGE_SIZE) at `va` to `pa`, `flags` being PTE_W, PTE_U,
 * PTE_NX …; PTE_P and PTE_PS are added. Tables on the way get the most permissive bits, so
 * that the leaf alone decides. Returns 0; -VL_EINVAL (alignment, not canonical),
 * -VL_EEXIST (something is mapped there), -VL_ENOMEM.
 */
int space_map(struct space *space, va_t va, pa_t pa, u64 size, u64 flags);

/** Unmap the page (of any size) that holds `va` and flush it from the TLB of this CPU.
 * Returns 0, or -VL_ENOENT if nothing is mapped there. The tables stay. */
int space_unmap(struct space *space, va_t va);

/** The entry that decides about `va`: the leaf, or the first one on the way that is not present.
 * `level` gets its level: 4 (root) to 1. Writes to it go live; flush with invlpg(). */
u64 *space_entry(const struct space *space, va_t va, int *level);

/** What a walk down to a page finds. */
struct mapping {
	pa_t pa;    /* of the address itself, not of the page */
	u64 size;   /* of the page, bytes */
	u64 rights; /* PTE_W, PTE_U if all levels have it; PTE_NX if one has */
};

/** Translate as the CPU would; false if not mapped. */
bool space_translate(const struct space *space, va_t va, struct mapping *to);

/** Map `size` bytes of device registers at `pa` uncached and return where; panics if it cannot. */
volatile void *mmio_map(pa_t pa, u64 size);

#endif
