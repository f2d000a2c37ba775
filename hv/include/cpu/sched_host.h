/* SPDX-License-Identifier: MIT */
/*
 * What hv/cpu/sched.c (who runs) and hv/cpu/sched_domain.c (who there is) share.
 */
#ifndef VELLUM_CPU_SCHED_HOST_H
#define VELLUM_CPU_SCHED_HOST_H

#include "cpu/block.h"

#define SCHED_SLICE_MS 5u /* that one runs while another waits */

static inline struct sched_host *sched_host_of(const struct cpu_block *b)
{
	return &block_of(b->stack.cpu.host)->host;
}

static inline bool sched_is_owner(const struct cpu_block *b)
{
	return b->stack.cpu.host == &b->stack.cpu;
}

/** Have a host look at what has changed: at the end of its exit, or of its next one, which comes at
 * once. Not under its lock; takes none. */
void sched_tell(struct cpu *host);

/** Under the host's lock: the block's flags say whether it is ready; the one that runs has run up
 * to `now`. */
void sched_update_ready(struct cpu_block *b, u64 now);
void sched_charge(struct sched_host *h, u64 now);

/** The block is its own host, and the only one there; ready or halted. */
void sched_init_host(struct cpu_block *b, bool ready);

/** The stack of a block that is to begin with sched.begin. */
void sched_make_stack(struct cpu_block *b);

/** Stop all of a domain's vcpus, the first one's, too, without waiting for any: some may be at the
 * end of an exit, as the caller's is. */
void sched_stop_all(struct domain *d);

#endif
