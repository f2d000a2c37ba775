// SPDX-License-Identifier: MIT
/*
 * A portion of the guest's memory is virtualized, or is no longer (M7 of the
 * ledger). The guest is at ring 3 all the while, and one of its CPUs makes the
 * call; the others stand still. A portion that comes changes no translation,
 * since its pages are at home; one that goes has its pages brought home first,
 * as devirtualize.c does with all of them: copied before the point of no return,
 * which nobody reads.
 *
 *  1. alone: the other CPUs stand still, nobody else changes a p2m
 *  2. prepare: the set as it is to be; copies of pages that are away
 *  3. commit: the set, the p2m, and with the first or the last portion the layer
 */
#include "cpu/remote.h"
#include "domain/domain.h"
#include "hypercall/buffer.h"
#include "p2m/memory.h"
#include "p2m/mover.h"
#include "public/errno.h"
#include "transition/home.h"
#include "transition/steps.h"
#include "hypercall_handlers.h"

/* The change that is being made; who is alone (L4). */
static struct {
	bool adds;
	struct range frames;
	struct portions next;
} change;

/* Page frames from here on are behind all RAM that it is shown. */
static u64 memory_end(const struct domain *d)
{
	u64 end = 0;

	for (u32 i = 0; i < d->memory.count; i++) {
		const struct vl_memory_range *r = &d->memory.range[i];

		if (r->type == VL_MEMORY_RAM)
			end = max_u64(end, (r->start + r->size) >> PAGE_SHIFT);
	}
	return end;
}

/* What is behind the memory goes with its last page, so that all of memory is everything. */
static s64 find_frames(const struct domain *d, u64 start, u64 size, struct range *frames)
{
	u64 first = start >> PAGE_SHIFT, end = memory_end(d), count = end - first;

	if (start % PAGE_SIZE != 0 || size == 0 ||
	    (size != VL_PORTION_REST && size % PAGE_SIZE != 0))
		return -VL_EINVAL;
	if (size != VL_PORTION_REST)
		count = size >> PAGE_SHIFT;
	if (first >= end || count > end - first)
		return -VL_ERANGE;
	*frames = (struct range){first, count == end - first ? PORTIONS_END : first + count};
	return 0;
}

static s64 make_set(struct vcpu *v)
{
	const struct domain *d = v->domain;

	change.next = d->p2m.portions;
	if (!(d->layers & VL_LAYER_MEMORY))
		portions_set_none(&change.next);
	return change.adds ? portions_add(&change.next, change.frames)
			   : portions_remove(&change.next, change.frames);
}

static s64 make_copies(struct vcpu *v)
{
	if (!change.adds)
		p2m_copy_home(&v->domain->p2m, change.frames);
	return 0;
}

static const struct transition_step steps[] = {
	{make_set, NULL},
	{make_copies, NULL},
};

static void add(struct domain *d)
{
	if (!(d->layers & VL_LAYER_MEMORY))
		p2m_init(&d->p2m, &p2m_frames);
	d->p2m.portions = change.next;
	d->layers |= VL_LAYER_MEMORY;
}

static void remove(struct domain *d)
{
	p2m_come_home(&d->p2m, change.frames);
	d->p2m.portions = change.next;
	if (change.next.count > 0)
		return;
	p2m_leave(&d->p2m);
	d->layers &= ~VL_LAYER_MEMORY;
}

static s64 check(const struct domain *d)
{
	if (d->p2m.own || home_is_ahead(d))
		return -VL_EOPNOTSUPP;
	return !change.adds && domain_count() > 1 ? -VL_EBUSY : 0;
}

static s64 make_change(struct vcpu *v)
{
	struct domain *d = v->domain;
	s64 err = check(d);

	if (err == 0)
		err = transition_prepare(v, steps, ARRAY_SIZE(steps));
	if (err < 0)
		return err;
	if (change.adds)
		add(d);
	else
		remove(d);
	domain_p2m_changed(d);
	return change.next.count;
}

static s64 change_portions(struct domain *d, u64 start, u64 size, bool adds)
{
	struct vcpu *v = current_vcpu();
	struct range frames;
	s64 answer = find_frames(d, start, size, &frames);

	if (answer < 0)
		return answer;
	if (v == NULL)
		return -VL_EOPNOTSUPP;
	remote_stop_others(v);
	change.adds = adds;
	change.frames = frames;
	answer = make_change(v);
	remote_start_others(v);
	return answer;
}

s64 call_portion_add(struct domain *d, u64 start, u64 size)
{
	return change_portions(d, start, size, true);
}

s64 call_portion_remove(struct domain *d, u64 start, u64 size)
{
	return change_portions(d, start, size, false);
}

s64 call_portions(struct domain *d, pa_t portions, u64 portions_size)
{
	const struct portions *p = &d->p2m.portions;
	struct vl_portions out = {0};
	u64 end = memory_end(d);

	if (d->layers & VL_LAYER_MEMORY) {
		out.count = p->count;
		out.whole = portions_are_all(p);
	}
	for (u32 i = 0; i < out.count; i++) {
		u64 first = p->at[i].start;

		out.portion[i] = (struct vl_portion){
			first << PAGE_SHIFT, (min_u64(p->at[i].end, end) - first) << PAGE_SHIFT};
	}
	return buffer_answer(d, portions, portions_size, &out, sizeof(out));
}
