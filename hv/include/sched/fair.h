/* SPDX-License-Identifier: MIT */
/*
 * Weighted fair scheduling of one CPU: pure, times are what the caller says, in
 * ticks of the TSC.
 *
 * Each contender has a virtual time, which advances by what it runs, divided
 * by its weight; the one that is furthest behind runs. So over a time in which
 * nobody's readiness changes, each gets its weight's share, but for a slice.
 * Who comes back from sleep has not earned what it did not use: it comes back
 * at most a credit behind the others. That is what makes it run soon (an
 * interrupt's latency), and all that it can ever get beyond its share.
 */
#ifndef VELLUM_SCHED_FAIR_H
#define VELLUM_SCHED_FAIR_H

#include "lib/types.h"

#define FAIR_WEIGHT_MAX   65535u
#define FAIR_WEIGHT_USUAL 256u

struct fair_entity {
	struct fair_entity *next; /* of the queue */
	u64 vtime;                /* ticks * 2^16 / weight; wraps, see before() */
	u64 ran;                  /* ticks, in all */
	u32 weight;               /* 1 .. FAIR_WEIGHT_MAX */
	bool ready;               /* would run, or runs */
};

struct fair_queue {
	struct fair_entity *first; /* all, in no order */
	u64 floor;                 /* no ready one is behind it by more than a credit */
	u64 slice;                 /* ticks that one runs while another waits */
	u64 credit;                /* ticks */
};

/** Empty; slice > 0. */
void fair_init(struct fair_queue *q, u64 slice, u64 credit);

/** Enter a contender, not ready, at the level of the others; take one out. */
void fair_add(struct fair_queue *q, struct fair_entity *e, u32 weight);
void fair_remove(struct fair_queue *q, struct fair_entity *e);

/** It would run, or would not. Nothing happens if that is so already. */
void fair_set_ready(struct fair_queue *q, struct fair_entity *e, bool ready);

/** From here on; what it is ahead or behind in ticks it stays. */
void fair_set_weight(const struct fair_queue *q, struct fair_entity *e, u32 weight);

/** From `since` to `now`, which may be the clocks of two CPUs: none, if the second is behind. */
static inline u64 fair_ticks(u64 since, u64 now)
{
	return (s64)(now - since) > 0 ? now - since : 0;
}

/** It has run so many ticks. */
void fair_charge(struct fair_queue *q, struct fair_entity *e, u64 ticks);

/** Whose turn it is; NULL: nobody is ready. */
struct fair_entity *fair_pick(const struct fair_queue *q);

/** How long `e` may run from now on before somebody else's turn is to be looked at, ticks; ~0:
 * nobody waits. */
u64 fair_slice(const struct fair_queue *q, const struct fair_entity *e);

/** Whether `woken`, ready just now, takes the CPU from `running`, which has been charged. Not for
 * less than a part of a slice. */
bool fair_preempts(const struct fair_queue *q, const struct fair_entity *woken,
		   const struct fair_entity *running);

#endif
