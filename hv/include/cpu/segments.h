/* SPDX-License-Identifier: MIT */
/*
 * The real descriptor tables: what of them is made once for each CPU.
 */
#ifndef VELLUM_CPU_SEGMENTS_H
#define VELLUM_CPU_SEGMENTS_H

struct cpu_block;

/** Vellum's own entries, IDT and TSS in a block that was cleared, and where the mirrors are. */
void segments_init(struct cpu_block *block);

#endif
