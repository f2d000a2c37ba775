/* SPDX-License-Identifier: MIT */
/*
 * What a processor holds of its guest beside what Vellum's tables and struct
 * vcpu have: FPU and whatever else XSAVE knows, debug registers, segments,
 * MSRs, CR0 and CR4. While one guest has the CPU for itself nobody touches it;
 * a switch to another one's vcpu puts it aside.
 */
#ifndef VELLUM_CPU_LIVE_H
#define VELLUM_CPU_LIVE_H

#include "cpu/block.h"

/** Room for it, and the state after a reset in it; false: the partition has none. And back. */
bool live_alloc(struct live_state *l);
void live_free(struct live_state *l);

/**
 * Put the processor's aside; interrupts are off. From here on nothing of it may be relied upon, but
 * CR3, the descriptor tables and CR4's paging bits, until one of the next two.
 */
void live_save(struct live_state *l);

/** On the stack of `b`: its own state, its root and its descriptor tables are the processor's. */
void live_load(struct cpu_block *b);

/** The same for a block that never ran: Vellum's own root, its tables, and registers as after a
 * reset. CR0, CR4 and EFER are left for those who know what it begins with. */
void live_load_first(struct cpu_block *b);

#endif
