// SPDX-License-Identifier: MIT
/*
 * Weighted fair scheduling (sched/fair.h). The queue is a list that is walked:
 * a CPU has a handful of contenders, and each walk is for a whole slice.
 */
#include "sched/fair.h"

#define UNIT_SHIFT 16

/* A contender that is woken for less than this part of a slice waits for the slice's end. */
#define PREEMPT_PART 8

/* Virtual times wrap; all that are compared lie within half of their range. */
static bool before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/* More ticks at a time than any clock makes would overflow. */
static u64 virtual(u64 ticks, u32 weight)
{
	return (min_u64(ticks, ~(u64)0 >> UNIT_SHIFT) << UNIT_SHIFT) / weight;
}

void fair_init(struct fair_queue *q, u64 slice, u64 credit)
{
	*q = (struct fair_queue){.slice = slice, .credit = credit};
}

/* Where one that comes back from sleep is at least. */
static u64 least_vtime(const struct fair_queue *q, const struct fair_entity *e)
{
	return q->floor - virtual(q->credit, e->weight);
}

/* The floor follows the ready one that is furthest behind, and never goes back. Those that sleep
 * are drawn along at once, or one that sleeps for days would be half the range behind. */
static void raise_floor(struct fair_queue *q)
{
	const struct fair_entity *least = fair_pick(q);

	if (least == NULL || !before(q->floor, least->vtime))
		return;
	q->floor = least->vtime;
	for (struct fair_entity *e = q->first; e != NULL; e = e->next)
		if (!e->ready && before(e->vtime, least_vtime(q, e)))
			e->vtime = least_vtime(q, e);
}

void fair_add(struct fair_queue *q, struct fair_entity *e, u32 weight)
{
	*e = (struct fair_entity){.next = q->first, .vtime = q->floor, .weight = weight};
	q->first = e;
}

void fair_remove(struct fair_queue *q, struct fair_entity *e)
{
	struct fair_entity **at = &q->first;

	while (*at != NULL && *at != e)
		at = &(*at)->next;
	if (*at != NULL)
		*at = e->next;
	e->next = NULL;
	raise_floor(q);
}

void fair_set_ready(struct fair_queue *q, struct fair_entity *e, bool ready)
{
	if (e->ready == ready)
		return;
	e->ready = ready;
	raise_floor(q);
}

void fair_set_weight(const struct fair_queue *q, struct fair_entity *e, u32 weight)
{
	s64 ahead = (s64)(e->vtime - q->floor);

	e->vtime = q->floor + (u64)(ahead * (s64)e->weight / (s64)weight);
	e->weight = weight;
}

void fair_charge(struct fair_queue *q, struct fair_entity *e, u64 ticks)
{
	e->ran += ticks;
	e->vtime += virtual(ticks, e->weight);
	raise_floor(q);
}

struct fair_entity *fair_pick(const struct fair_queue *q)
{
	struct fair_entity *best = NULL;

	for (struct fair_entity *e = q->first; e != NULL; e = e->next)
		if (e->ready && (best == NULL || before(e->vtime, best->vtime)))
			best = e;
	return best;
}

u64 fair_slice(const struct fair_queue *q, const struct fair_entity *e)
{
	for (const struct fair_entity *other = q->first; other != NULL; other = other->next)
		if (other != e && other->ready)
			return q->slice;
	return ~(u64)0;
}

bool fair_preempts(const struct fair_queue *q, const struct fair_entity *woken,
		   const struct fair_entity *running)
{
	u64 least = virtual(q->slice / PREEMPT_PART, running->weight);

	return before(woken->vtime + least, running->vtime);
}
