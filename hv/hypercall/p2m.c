// SPDX-License-Identifier: MIT
/*
 * Calls on a domain's p2m: reading it, and for tests moving a page.
 */
#include "p2m/p2m.h"

#include "cpu/remote.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "hypercall/buffer.h"
#include "hypercall/live_remap.h"
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

/* Those of them that are in a portion. */
static struct range virtualized_frames(const struct domain *d, u64 pfn)
{
	struct range ram = ram_frames(d, pfn);

	while (ram.start != ram.end) {
		struct range portion = portions_next(&d->p2m.portions, ram.start);

		if (portion.start == portion.end)
			return portion;
		if (portion.start < ram.end)
			return (struct range){portion.start, min_u64(portion.end, ram.end)};
		ram = ram_frames(d, portion.start);
	}
	return ram;
}

/* Fill the buffer, whose head tells where to go on; how many there are in it. */
static s64 read_ranges(const struct domain *d, u64 pfn, u8 *buffer, u64 size)
{
	struct vl_p2m_read head = {.next = pfn};
	u64 room = size - sizeof(head);
	u32 steps = STEPS_A_CALL;

	if (buffer == NULL)
		return -VL_EFAULT;
	while (room >= sizeof(struct vl_p2m_range) && steps > 0) {
		struct range ram = virtualized_frames(d, head.next);
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
		memcpy(buffer + sizeof(head) + head.count++ * sizeof(out), &out, sizeof(out));
		room -= sizeof(out);
	}
	memcpy(buffer, &head, sizeof(head));
	return head.count;
}

/* Its own: it changes only while its vcpus, this one among them, are in no call. Another's: while
 * one CPU is alone with that. */
static s64 read_other(struct domain *d, u64 domid, u64 pfn, pa_t ranges, u64 size)
{
	struct vcpu *v = current_vcpu();
	const struct domain *found;
	s64 answer;

	if (v == NULL)
		return domain_find(domid, d) != NULL ? -VL_EOPNOTSUPP : -VL_ENOENT;
	remote_begin_alone(v);
	found = domain_find(domid, d);
	/* The buffer's page may have been given away up to here. */
	answer = found != NULL ? read_ranges(found, pfn, domain_buffer(d, ranges, size), size)
			       : -VL_ENOENT;
	remote_end_alone(v);
	return answer;
}

s64 call_p2m_read(struct domain *d, u64 domid, u64 pfn, pa_t ranges, u64 ranges_size)
{
	const u64 least = sizeof(struct vl_p2m_read) + sizeof(struct vl_p2m_range);
	bool is_own = domid == VL_DOMID_SELF || domid == d->domid;
	u8 *buffer;
	s64 err = buffer_find(d, ranges, ranges_size, least, &buffer);

	if (err < 0)
		return err;
	if (!is_own)
		return read_other(d, domid, pfn, ranges, ranges_size);
	if (!(d->layers & VL_LAYER_MEMORY))
		return -VL_EOPNOTSUPP;
	return read_ranges(d, pfn, buffer, ranges_size);
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

static bool is_virtualized(const struct domain *d, u64 pfn)
{
	return (d->layers & VL_LAYER_MEMORY) && !d->p2m.own &&
	       portions_have(&d->p2m.portions, (struct range){pfn, pfn + 1});
}

/* All but the caller stand still: what another CPU has done first is seen. */
static s64 move_if_possible(struct domain *d, u64 pfn, bool away)
{
	if (!is_virtualized(d, pfn))
		return -VL_EOPNOTSUPP;
	if (grant_is_in_use(d, pfn) || live_remap_is_on() ||
	    p2m_lookup(&d->p2m, (pfn_t){pfn}).v == P2M_NOTHING)
		return -VL_EBUSY;
	return move(&d->p2m, (pfn_t){pfn}, away);
}

s64 call_test_move_page(struct domain *d, u64 pfn, u64 away)
{
	struct vcpu *v = current_vcpu();
	s64 err;

	if (!is_debug_build() || !(d->layers & VL_LAYER_MEMORY) || d->p2m.own)
		return -VL_EOPNOTSUPP;
	if (away > 1)
		return -VL_EINVAL;
	if (pfn >> P2M_PFN_BITS != 0 || domain_buffer(d, (pa_t){pfn << PAGE_SHIFT}, 1) == NULL)
		return -VL_EFAULT;
	if (v == NULL || events_use(d, (pfn_t){pfn}))
		return -VL_EBUSY;
	remote_stop_others(v);
	err = move_if_possible(d, pfn, away == 1);
	domain_p2m_changed(d);
	remote_start_others(v);
	return err < 0 ? err : (s64)p2m_lookup(&d->p2m, (pfn_t){pfn}).v;
}
