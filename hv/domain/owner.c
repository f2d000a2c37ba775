// SPDX-License-Identifier: MIT
/*
 * Frames change hands. Owns invariant M13: a frame has one owner, and none is
 * lost. A step that fails in the middle of a call is undone with all before it;
 * taking needs no memory and cannot fail.
 */
#include "domain/owner.h"

#include "domain/grant.h"
#include "domain/share.h"
#include "domain/share_home.h"
#include "lib/panic.h"
#include "mem/frames.h"
#include "p2m/mover.h"
#include "public/errno.h"

static struct range page_of(u64 pfn)
{
	return (struct range){pfn << PAGE_SHIFT, (pfn + 1) << PAGE_SHIFT};
}

static bool is_shown(const struct domain *d, u64 pfn)
{
	return pfn >> P2M_PFN_BITS == 0 && memmap_is_ram(&d->memory, page_of(pfn));
}

bool owner_is_pinned(const struct domain *d, u64 pfn)
{
	struct range page = page_of(pfn);

	for (u32 i = 0; i < ARRAY_SIZE(d->info); i++)
		if (d->info[i].at != NULL && d->info[i].pa.v >> PAGE_SHIFT == pfn)
			return true;
	for (u32 i = 0; i < ARRAY_SIZE(d->alias); i++) {
		const struct alias *a = &d->alias[i];

		if (range_overlaps(page, (struct range){a->pa.v, a->pa.v + a->size}))
			return true;
	}
	return events_use(d, (pfn_t){pfn}) || grant_is_in_use(d, pfn);
}

static bool is_beside(mfn_t mfn)
{
	return mfn.v != P2M_NOTHING && p2m_is_partition((pa_t){mfn.v << PAGE_SHIFT});
}

/* --- giving --- */

static int can_give(const struct domain *first, u64 pfn)
{
	u64 mfn;

	if (!is_shown(first, pfn))
		return -VL_EFAULT;
	mfn = p2m_lookup(&first->p2m, (pfn_t){pfn}).v;
	if (mfn == P2M_NOTHING)
		return -VL_EFAULT;
	return mfn != pfn || owner_is_pinned(first, pfn) ? -VL_EBUSY : 0;
}

/* In this order: as long as its frame is on the way, nobody has it. */
static int give_one(struct domain *first, struct domain *to, u64 pfn, u64 mfn)
{
	int err = can_give(first, mfn);

	if (err < 0)
		return err;
	if (p2m_lookup(&to->p2m, (pfn_t){pfn}).v != P2M_NOTHING)
		return -VL_EEXIST;
	err = p2m_give(&first->p2m, (pfn_t){mfn}, (struct p2m_owner){to->domid, pfn});
	if (err < 0)
		return err;
	err = p2m_set(&to->p2m, (pfn_t){pfn}, (mfn_t){mfn}, PAGE_SHIFT);
	if (err < 0)
		p2m_clear(&first->p2m, (pfn_t){mfn});
	else
		share_home_note(to, (pfn_t){pfn}, (mfn_t){mfn});
	return err;
}

/* Of a page that is in a frame of the partition, for a test: the frame that waits for it. */
static mfn_t frame_kept_for(const struct domain *first, const struct domain *d, u64 page)
{
	struct p2m_owner owner;
	u64 pfn = 0;

	for (; p2m_next_given(&first->p2m, &pfn); pfn++)
		if (p2m_is_given(&first->p2m, (pfn_t){pfn}, &owner) && owner.domid == d->domid &&
		    owner.pfn == page)
			break;
	return (mfn_t){pfn};
}

static mfn_t take_one(struct domain *first, struct domain *from, u64 pfn)
{
	mfn_t mfn = share_leave(from, pfn);
	struct p2m_owner owner;

	if (is_beside(mfn)) {
		frame_free(mfn);
		mfn = frame_kept_for(first, from, pfn);
	}
	assert(p2m_is_given(&first->p2m, (pfn_t){mfn.v}, &owner) &&
	       (p2m_is_shared(&from->p2m, (pfn_t){pfn})
			? share_has(&owner)
			: owner.domid == from->domid && owner.pfn == pfn));
	p2m_clear(&from->p2m, (pfn_t){pfn});
	p2m_clear(&first->p2m, (pfn_t){mfn.v});
	return mfn;
}

int owner_give(struct domain *first, struct domain *to, u64 pfn, const u64 *list, u64 count)
{
	u64 given = 0;
	int err = 0;

	if (pfn >> P2M_PFN_BITS != 0 ||
	    !memmap_is_ram(&to->memory,
			   (struct range){pfn << PAGE_SHIFT, (pfn + count) << PAGE_SHIFT}))
		return -VL_EFAULT;
	for (; err == 0 && given < count; given += err == 0)
		err = give_one(first, to, pfn + given, list[given]);
	while (err < 0 && given-- > 0)
		take_one(first, to, pfn + given);
	for (u64 i = 0; err == 0 && i < count; i++)
		domain_not_plain(first, list[i] << PAGE_SHIFT);
	return err;
}

/* --- taking --- */

int owner_can_take(const struct domain *from, u64 pfn, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		if ((pfn + i) >> P2M_PFN_BITS != 0 ||
		    p2m_lookup(&from->p2m, (pfn_t){pfn + i}).v == P2M_NOTHING)
			return -VL_EFAULT;
		if (owner_is_pinned(from, pfn + i))
			return -VL_EBUSY;
	}
	return 0;
}

static void bring_home(struct domain *first, struct domain *from, u64 pfn)
{
	share_go_home(from, (pfn_t){pfn});
	p2m_wipe(take_one(first, from, pfn));
}

void owner_take(struct domain *first, struct domain *from, u64 pfn, u64 count)
{
	for (u64 i = 0; i < count; i++)
		bring_home(first, from, pfn + i);
	domain_p2m_changed(first);
}

u64 owner_take_any(struct domain *first, struct domain *from, u64 count)
{
	u64 taken = 0;

	for (u64 pfn = 0; taken < count && p2m_next_moved(&from->p2m, &pfn); taken++)
		bring_home(first, from, pfn++);
	domain_p2m_changed(first);
	return taken;
}

/* --- new frames for old --- */

static void label_frames_of(struct domain *first, const struct domain *d)
{
	for (u64 pfn = 0; p2m_next_moved(&d->p2m, &pfn); pfn++) {
		mfn_t mfn = p2m_lookup(&d->p2m, (pfn_t){pfn});

		if (!is_beside(mfn) && !p2m_is_shared(&d->p2m, (pfn_t){pfn}))
			p2m_give_again(&first->p2m, (pfn_t){mfn.v},
				       (struct p2m_owner){d->domid, pfn});
	}
}

/* The next page from *page on that is in a frame of the partition. */
static void next_beside(struct p2m_owner *page)
{
	for (const struct domain *d = domain_next(page->domid); d != NULL;
	     d = domain_next(page->domid)) {
		if (d->domid != page->domid)
			*page = (struct p2m_owner){d->domid, 0};
		for (; p2m_next_moved(&d->p2m, &page->pfn); page->pfn++)
			if (is_beside(p2m_lookup(&d->p2m, (pfn_t){page->pfn})))
				return;
		*page = (struct p2m_owner){d->domid + 1, 0};
	}
	panic("a frame is free, and no page of its owner is away");
}

static bool is_had(const struct p2m_owner *owner, u64 frame)
{
	const struct domain *d = domain_find(owner->domid, NULL);

	return d != NULL && p2m_lookup(&d->p2m, (pfn_t){owner->pfn}).v == frame;
}

void owner_relabel(struct domain *first)
{
	struct p2m_owner beside = {1, 0}, owner;

	for (const struct domain *d = domain_next(1); d != NULL; d = domain_next(d->domid + 1))
		label_frames_of(first, d);
	for (u64 pfn = 0; p2m_next_given(&first->p2m, &pfn); pfn++) {
		p2m_is_given(&first->p2m, (pfn_t){pfn}, &owner);
		if (share_has(&owner) || is_had(&owner, pfn))
			continue;
		next_beside(&beside);
		p2m_give_again(&first->p2m, (pfn_t){pfn}, beside);
		beside.pfn++;
	}
}

/* --- the audit --- */

/* Each frame of a later domain is given to it: then no two can have one. */
static u64 audit_frames_of(const struct domain *first, const struct domain *d)
{
	u64 frames = 0;

	for (u64 pfn = 0; p2m_next_moved(&d->p2m, &pfn); pfn++) {
		mfn_t mfn = p2m_lookup(&d->p2m, (pfn_t){pfn});
		struct p2m_owner owner = {0};

		frames++;
		if (is_beside(mfn))
			continue;
		if (p2m_is_shared(&d->p2m, (pfn_t){pfn})) {
			if (!p2m_is_given(&first->p2m, (pfn_t){mfn.v}, &owner) ||
			    !share_has(&owner))
				panic("domain %u shares frame %lx as page %lx, but it is not in a "
				      "group",
				      d->domid, mfn.v, pfn);
			continue;
		}
		if (!p2m_is_given(&first->p2m, (pfn_t){mfn.v}, &owner) || owner.pfn != pfn ||
		    owner.domid != d->domid)
			panic("domain %u has frame %lx as page %lx, but it was given to domain %u "
			      "as "
			      "page %lx",
			      d->domid, mfn.v, pfn, owner.domid, owner.pfn);
		if (!is_shown(d, pfn) || !is_shown(first, mfn.v))
			panic("domain %u has frame %lx as page %lx, which is no RAM", d->domid,
			      mfn.v, pfn);
	}
	if (frames != d->p2m.frames)
		panic("domain %u has %lu frames, and believes %lu", d->domid, frames,
		      d->p2m.frames);
	return frames;
}

/* With as many given away as the others have together, each of which is one of them, none is lost.
 */
void owner_debug_audit(const struct domain *first)
{
	u64 frames = 0, given = 0;

	for (const struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1))
		frames += d != first ? audit_frames_of(first, d) : 0;
	for (u64 pfn = 0; p2m_next_given(&first->p2m, &pfn); pfn++) {
		struct p2m_owner owner = {0};
		const struct domain *d;

		given++;
		p2m_is_given(&first->p2m, (pfn_t){pfn}, &owner);
		d = domain_find(owner.domid, NULL);
		if (!share_has(&owner) && !is_had(&owner, pfn) &&
		    (d == NULL || !is_beside(p2m_lookup(&d->p2m, (pfn_t){owner.pfn}))))
			panic("frame %lx is given to page %lx of domain %u, which has another", pfn,
			      owner.pfn, owner.domid);
		if (range_pair_has(&first->plain, pfn << PAGE_SHIFT))
			panic("page %lx is given away, and plain", pfn);
	}
	if (given != first->p2m.given || given != frames)
		panic("%lu frames are given away (%lu were counted), %lu are had", given,
		      first->p2m.given, frames);
}
