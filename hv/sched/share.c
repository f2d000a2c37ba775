// SPDX-License-Identifier: MIT
/*
 * Shares of a CPU (sched/share.h): a fair queue of fair queues. What a member
 * runs is charged twice, to it and to its share.
 */
#include "sched/share.h"

#include "lib/types.h"

_Static_assert(offsetof(struct share, entity) == 0, "share_pick() finds the share");
_Static_assert(offsetof(struct share_member, entity) == 0, "and the member");

void share_begin(struct fair_queue *q, struct share *s, u32 weight)
{
	fair_init(&s->members, q->slice, q->credit);
	fair_add(q, &s->entity, weight);
}

void share_add(struct share *s, struct share_member *m)
{
	fair_add(&s->members, &m->entity, FAIR_WEIGHT_USUAL);
	m->share = s;
}

static void update(struct fair_queue *q, struct share *s)
{
	fair_set_ready(q, &s->entity, fair_pick(&s->members) != NULL);
}

void share_remove(struct fair_queue *q, struct share_member *m)
{
	struct share *s = m->share;

	fair_remove(&s->members, &m->entity);
	update(q, s);
	if (s->members.first == NULL)
		fair_remove(q, &s->entity);
	m->share = NULL;
}

void share_set_ready(struct fair_queue *q, struct share_member *m, bool ready)
{
	fair_set_ready(&m->share->members, &m->entity, ready);
	update(q, m->share);
}

void share_charge(struct fair_queue *q, struct share_member *m, u64 ticks)
{
	fair_charge(&m->share->members, &m->entity, ticks);
	fair_charge(q, &m->share->entity, ticks);
}

struct share_member *share_pick(const struct fair_queue *q)
{
	const struct share *s = (const struct share *)fair_pick(q);

	return s != NULL ? (struct share_member *)fair_pick(&s->members) : NULL;
}

bool share_preempts(const struct fair_queue *q, const struct share_member *woken,
		    const struct share_member *running)
{
	if (woken->share == running->share)
		return fair_preempts(&running->share->members, &woken->entity, &running->entity);
	return fair_preempts(q, &woken->share->entity, &running->share->entity);
}
