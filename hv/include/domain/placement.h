/* SPDX-License-Identifier: MIT */
/*
 * Where everything of the first guest goes, and in which order the boot
 * loader's modules are moved there. The modules may lie anywhere: in the
 * future partition, on each other's destination, where the kernel will be
 * unpacked. The order of events that this plans for is
 *
 *     plan - moves (running from the old image) - copy Vellum into the partition, jump there -
 *     load the guest's kernel from `staged`, write the start area.
 *
 * so the moves never write to a `busy` range (Vellum's old image, stack, tables), and neither the
 * partition nor the kernel's and start area's place holds anything that is still needed afterwards.
 */
#ifndef VELLUM_DOMAIN_PLACEMENT_H
#define VELLUM_DOMAIN_PLACEMENT_H

#include "mem/memmap.h"
#include "lib/failure.h"
#include "lib/types.h"

#define PLACEMENT_MAX_MOVES 3
#define PLACEMENT_MAX_BUSY  8

/** The question. Addresses are machine addresses and, for the first guest, physical ones too. */
struct placement_request {
	const struct memmap *machine;
	const struct memmap *guest; /* by memmap_for_guest() */
	struct range partition;
	/* The kernel in memory: [kernel_start, + kernel_size) if it is not relocatable, else at the
	 * lowest multiple of kernel_align >= kernel_start that fits. (Linux loaded below its
	 * preferred address unpacks to the preferred one all the same, so never below.) */
	u64 kernel_start; /* bzimage.pref_address, elf64.span.start */
	u64 kernel_size;  /* bzimage.init_size, size of elf64.span */
	u64 kernel_align; /* power of two; ignored unless relocatable */
	bool kernel_relocatable;
	struct range kernel_file; /* the kernel's module as it lies now */
	struct range initrd_file; /* empty: no initrd */
	u64 initrd_addr_max;      /* last address that the initrd may use; ~0 for ELF kernels */
	u64 start_size;           /* bytes of the start area, rounded up to pages */
	const struct range *busy; /* not to be written by the moves */
	u32 busy_count;           /* <= PLACEMENT_MAX_BUSY */
};

/** memmove(dst, src.start, size of src). */
struct placement_move {
	u64 dst;
	struct range src;
};

/** The answer. */
struct placement {
	struct range kernel; /* the loaded kernel, bss and unpacking space included */
	struct range start;  /* start area: page aligned */
	struct range initrd; /* exact bytes, starts at a page; empty if there is none */
	struct range staged; /* the kernel's file after the moves */
	u32 move_count;
	struct placement_move move[PLACEMENT_MAX_MOVES]; /* to be done in this order */
};

/**
 * Plan. kernel, start and initrd lie in the guest's RAM, start and initrd in its main range; they,
 * staged and the partition are pairwise disjoint. A module that is well where it lies is not moved.
 * Fails with VL_ENOMEM (kernel, start area, initrd or the moves do not fit: sizes needed and
 * available, and what helps) or VL_EINVAL (a module is not in RAM, or overlaps another one or a
 * busy range; no kernel).
 */
int placement_plan(const struct placement_request *req, struct placement *out, struct failure *f);

#endif
