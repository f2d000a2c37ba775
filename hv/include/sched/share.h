/* SPDX-License-Identifier: MIT */
/*
 * Shares of a CPU: pure, like the fair queue (sched/fair.h) that they are made
 * of. A domain's vcpus on one CPU have one share together, of the domain's
 * weight; among themselves they are equals. So a domain gets no more of a CPU for
 * having several vcpus there, whether they run at the same time or take turns.
 */
#ifndef VELLUM_SCHED_SHARE_H
#define VELLUM_SCHED_SHARE_H

#include "sched/fair.h"

struct share {
	struct fair_entity entity; /* among the CPU's shares; ready if a member is */
	struct fair_queue members;
};

struct share_member {
	struct fair_entity entity; /* among the share's members, of equal weights */
	struct share *share;
};

/** Enter a share without members, not ready, at the level of the others. */
void share_begin(struct fair_queue *q, struct share *s, u32 weight);

/** Enter a contender, not ready; or take one out, and with the last one its share. */
void share_add(struct share *s, struct share_member *m);
void share_remove(struct fair_queue *q, struct share_member *m);

/** As fair_set_ready(), fair_charge(), fair_pick() and fair_preempts(). */
void share_set_ready(struct fair_queue *q, struct share_member *m, bool ready);
void share_charge(struct fair_queue *q, struct share_member *m, u64 ticks);
struct share_member *share_pick(const struct fair_queue *q);
bool share_preempts(const struct fair_queue *q, const struct share_member *woken,
		    const struct share_member *running);

#endif
