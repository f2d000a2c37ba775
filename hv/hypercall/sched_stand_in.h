/* SPDX-License-Identifier: MIT */
/*
 * In place of the scheduler, as long as there is none: later domains have no
 * vcpu that could run.
 */
#ifndef VELLUM_HYPERCALL_SCHED_STAND_IN_H
#define VELLUM_HYPERCALL_SCHED_STAND_IN_H

#include "domain/domain.h"

static inline int vcpu_create(struct domain *d, u32 index)
{
	(void)d, (void)index;
	return 0;
}

static inline void vcpu_destroy(struct domain *d, u32 index)
{
	(void)d, (void)index;
}

static inline void sched_stop(struct domain *d)
{
	(void)d;
}

#endif
