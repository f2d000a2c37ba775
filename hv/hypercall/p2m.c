// SPDX-License-Identifier: MIT
/*
 * Calls on a domain's p2m: reading it, and for tests moving a page.
 */
#include "p2m/p2m.h"

#include "cpu/remote.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "p2m/mover.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

/* Entries that one call looks at: some ten thousand instructions. */
#define STEPS_A_CALL 2048

/* The domain's RAM from `pfn` on, up to the end of its range; empty behind the last. */
static struct range ram_frames(const struct domain *d, u64 pfn)
{
	for (u32 i = 0; i < d->memory.count; i++) {
		const struct vl_memory_range *r = &d->memory.range[i];
		u64 start = r->start >> PAGE_SHIFT, end = (r->start + r->size) >> PAGE_SHIFT;

		if (r->type == VL_MEMORY_RAM && pfn < end)
			return (struct range){max_u64(pfn, start), end};
	}
	return (struct range){0, 0};
}

/* Fill the buffer behind its head; the head tells where to go on. */
static struct vl_p2m_read read_ranges(const struct domain *d, u64 pfn, u8 *to, u64 room)
{
	struct vl_p2m_read head = {.next = pfn};
	u32 steps = STEPS_A_CALL;

	while (room >= sizeof(struct vl_p2m_range) && steps > 0) {
		struct range ram = ram_frames(d, head.next);
		struct p2m_range run;
		struct vl_p2m_range out;

		head.next = ~(u64)0;
		if (ram.start == ram.end)
			break;
		run = p2m_run(&d->p2m, ram.start, ram.end, &steps);
		head.next = run.pfn + run.count;
		if (run.mfn == P2M_NOTHING)
			continue;
		out = (struct vl_p2m_range){.pfn = run.pfn, .mfn = run.mfn, .count = run.count};
		memcpy(to + head.count++ * sizeof(out), &out, sizeof(out));
		room -= sizeof(out);
	}
	return head;
}

/* Its own: it changes only while its vcpus, this one among them, are in no call. Another's: while
 * one CPU is alone with that. */
static s64 read_other(struct domain *d, u64 domid, struct vl_p2m_read *head, u8 *to, u64 room)
{
	struct vcpu *v = current_vcpu();
	const struct domain *found;

	if (v == NULL)
		return domain_find(domid, d) != NULL ? -VL_EOPNOTSUPP : -VL_ENOENT;
	remote_begin_alone(v);
	found = domain_find(domid, d);
	if (found != NULL)
		*head = read_ranges(found, head->next, to, room);
	remote_end_alone(v);
	return found != NULL ? 0 : -VL_ENOENT;
}

s64 call_p2m_read(struct domain *d, u64 domid, u64 pfn, pa_t ranges, u64 ranges_size)
{
	bool is_own = domid == VL_DOMID_SELF || domid == d->domid;
	struct vl_p2m_read head = {.next = pfn};
	u8 *buffer;
	s64 err = 0;

	if (ranges_size < sizeof(head) + sizeof(struct vl_p2m_range))
		return -VL_EINVAL;
	buffer = domain_buffer(d, ranges, ranges_size);
	if (buffer == NULL)
		return -VL_EFAULT;
	if (is_own && !(d->layers & VL_LAYER_MEMORY))
		return -VL_EOPNOTSUPP;
	if (is_own)
		head = read_ranges(d, pfn, buffer + sizeof(head), ranges_size - sizeof(head));
	else
		err = read_other(d, domid, &head, buffer + sizeof(head),
				 ranges_size - sizeof(head));
	if (err < 0)
		return err;
	memcpy(buffer, &head, sizeof(head));
	return head.count;
}

static s64 move(struct p2m *p, pfn_t pfn, bool away)
{
	if ((p2m_lookup(p, pfn).v != pfn.v) == away)
		return 0;
	if (away)
		return p2m_move_away(p, pfn);
	p2m_move_home(p, pfn);
	return 0;
}

s64 call_test_move_page(struct domain *d, u64 pfn, u64 away)
{
	struct vcpu *v = current_vcpu();
	s64 err;

	if (!is_debug_build() || !(d->layers & VL_LAYER_MEMORY))
		return -VL_EOPNOTSUPP;
	if (away > 1)
		return -VL_EINVAL;
	if (pfn >> P2M_PFN_BITS != 0 || domain_buffer(d, (pa_t){pfn << PAGE_SHIFT}, 1) == NULL)
		return -VL_EFAULT;
	if (v == NULL || events_use(d, (pfn_t){pfn}))
		return -VL_EBUSY;
	remote_stop_others(v);
	err = grant_is_in_use(d, pfn) ? -VL_EBUSY : move(&d->p2m, (pfn_t){pfn}, away == 1);
	domain_p2m_changed(d);
	remote_start_others(v);
	return err < 0 ? err : (s64)p2m_lookup(&d->p2m, (pfn_t){pfn}).v;
}
