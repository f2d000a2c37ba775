/* SPDX-License-Identifier: MIT */
/*
 * The real descriptor tables: what of them is made once for each CPU.
 */
#ifndef VELLUM_CPU_SEGMENTS_H
#define VELLUM_CPU_SEGMENTS_H

#include "lib/types.h"

struct cpu_block;

/** Vellum's own entries, IDT and TSS in a block that was cleared, and where the mirrors are. */
void segments_init(struct cpu_block *block);

/** On the stack of `block`, which ran before or is about to begin: its tables are the processor's,
 * and what else goes with its stack. Its gates stay as they were. */
void segments_switch(struct cpu_block *block);

/** Then: ES, DS, FS and GS by these selectors, null for those that have no segment any more. The
 * bases of FS and GS are whatever the loads make them. */
void segments_load_data(struct cpu_block *block, const u16 selector[4]);

#endif
