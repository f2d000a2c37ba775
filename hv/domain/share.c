// SPDX-License-Identifier: MIT
/*
 * See domain/share.h. Owns invariant M18: a page that shares its frame is
 * written to by nobody, and a group has as many frames as pages.
 *
 * The first guest's p2m has an entry for each frame that it gave away. Of a
 * group's frame that is in use the entry says SHARED and which frame is kept
 * first; of one that is kept, KEPT and which is next: a list, which ends with a
 * frame that names itself. So nothing is allocated, and whoever leaves needs to
 * know nobody else of the group. The last one of a group finds its list empty when
 * it is written to, and has the frame to itself.
 */
#include "domain/share.h"

#include "domain/contents.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "public/errno.h"

/* In the place of a domid. */
#define SHARED 0xffffu
#define KEPT   0xfffeu
_Static_assert(VL_DOMID_MAX < KEPT, "no domain has these ids");

#define LOOKS_A_PAGE 16u

/* Pages that were written to lately, and how often, as far as they fit. */
#define RESTING    512u
#define LEVEL_BITS 3u
#define MOST_LEVEL ((1u << LEVEL_BITS) - 1)

static struct {
	void (*changed)(const struct domain *d);
	u64 kept, broken;
	struct p2m_owner at;  /* share_end_some(): where it goes on */
	u64 resting[RESTING]; /* domid, page frame, level */
} share;

void share_init(void (*changed)(const struct domain *d))
{
	share.changed = changed;
	memset(share.resting, 0, sizeof(share.resting));
}

void share_changed(const struct domain *d)
{
	share.changed(d);
}

static struct p2m *given(void)
{
	return &domain_first()->p2m;
}

static mfn_t frame_of(const struct domain *d, u64 pfn)
{
	return p2m_lookup(&d->p2m, (pfn_t){pfn});
}

/* --- a group's frames --- */

static void name(u64 frame, u32 as, u64 next)
{
	p2m_give_again(given(), (pfn_t){frame}, (struct p2m_owner){as, next});
}

/* What follows a frame of a group; false: nothing. */
static bool next_of(u64 frame, u32 as, u64 *next)
{
	struct p2m_owner owner;

	if (!p2m_is_given(given(), (pfn_t){frame}, &owner) || owner.domid != as)
		panic("frame %lx is not one of a group's", frame);
	*next = owner.pfn;
	return owner.pfn != frame;
}

static void push(u64 frame, u64 kept)
{
	u64 next;

	name(kept, KEPT, next_of(frame, SHARED, &next) ? next : kept);
	name(frame, SHARED, kept);
	share.kept++;
}

/* A frame that is kept, or that of the group itself, if its page is the last one. */
static u64 pop(u64 frame)
{
	u64 kept, next;

	if (!next_of(frame, SHARED, &kept))
		return frame;
	name(frame, SHARED, next_of(kept, KEPT, &next) ? next : frame);
	share.kept--;
	return kept;
}

bool share_has(const struct p2m_owner *owner)
{
	return owner->domid >= KEPT;
}

/* --- pages --- */

mfn_t share_leave(const struct domain *d, u64 pfn)
{
	mfn_t frame = frame_of(d, pfn);

	return p2m_is_shared(&d->p2m, (pfn_t){pfn}) ? (mfn_t){pop(frame.v)} : frame;
}

static void break_off(struct domain *d, u64 pfn)
{
	mfn_t frame = frame_of(d, pfn), own;
	int err;

	own = share_leave(d, pfn);
	name(own.v, d->domid, pfn);
	err = p2m_set(&d->p2m, (pfn_t){pfn}, own, PAGE_SHIFT);
	assert(err == 0); /* its entry is of 4 KiB */
	share.broken++;
	if (own.v == frame.v)
		return;
	contents_copy(own, frame);
	share.changed(d);
}

/* --- pages that are written to again and again --- */

static u64 page_of(const struct domain *d, u64 pfn)
{
	return ((u64)d->domid << P2M_PFN_BITS | pfn) << LEVEL_BITS;
}
_Static_assert(VL_DOMID_MAX < (u64)1 << (64 - P2M_PFN_BITS - LEVEL_BITS), "a page and its level");

static u64 *rest_of(const struct domain *d, u64 pfn)
{
	return &share.resting[(d->domid * 67 + pfn) % RESTING];
}

static u64 level_of(const struct domain *d, u64 pfn)
{
	u64 level = *rest_of(d, pfn) ^ page_of(d, pfn);

	return level <= MOST_LEVEL ? level : 0;
}

void share_break(struct domain *d, u64 pfn)
{
	if (!p2m_is_shared(&d->p2m, (pfn_t){pfn}))
		return;
	break_off(d, pfn);
	*rest_of(d, pfn) = page_of(d, pfn) | min_u64(level_of(d, pfn) + 1, MOST_LEVEL);
}

bool share_rests(const struct domain *d, u64 pfn, u64 pass)
{
	u64 level = level_of(d, pfn);

	if (level != 0 && p2m_is_shared(&d->p2m, (pfn_t){pfn}))
		*rest_of(d, pfn) = page_of(d, pfn) | (level - 1);
	return (pass & (((u64)1 << level) - 1)) != 0;
}

static void begin_group(struct domain *d, u64 pfn)
{
	mfn_t frame = frame_of(d, pfn);

	if (p2m_is_shared(&d->p2m, (pfn_t){pfn}))
		return;
	name(frame.v, SHARED, frame.v);
	p2m_share(&d->p2m, (pfn_t){pfn}, frame);
	share.changed(d);
}

void share_merge(struct domain *d, u64 pfn, struct domain *to, u64 to_pfn)
{
	mfn_t frame = frame_of(to, to_pfn), left;

	assert(frame.v != frame_of(d, pfn).v);
	begin_group(to, to_pfn);
	left = share_leave(d, pfn);
	push(frame.v, left.v);
	p2m_share(&d->p2m, (pfn_t){pfn}, frame);
	share.changed(d);
}

/* --- the end --- */

u64 share_pages(void)
{
	u64 pages = 0;

	for (const struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1))
		pages += d->p2m.shared;
	return pages;
}

u64 share_kept(void)
{
	return share.kept;
}

u64 share_broken(void)
{
	return share.broken;
}

/* Of one domain, from share.at on. */
static void end_of(struct domain *d, u64 *pages, u64 *looks)
{
	for (; d->p2m.shared != 0 && *pages > 0 && *looks > 0; --*looks, share.at.pfn++) {
		if (!p2m_next_moved(&d->p2m, &share.at.pfn))
			share.at.pfn = 0; /* begun in the middle, or others were merged behind it */
		if (!p2m_is_shared(&d->p2m, (pfn_t){share.at.pfn}))
			continue;
		break_off(d, share.at.pfn);
		--*pages;
	}
}

u64 share_end_some(u64 pages)
{
	u64 looks = pages * LOOKS_A_PAGE;

	for (struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1)) {
		if (d->p2m.shared == 0)
			continue;
		if (d->domid != share.at.domid)
			share.at = (struct p2m_owner){d->domid, 0};
		end_of(d, &pages, &looks);
		if (pages == 0 || looks == 0)
			break;
	}
	return share_pages();
}

/* --- the audit --- */

static u64 length_of(u64 frame)
{
	u64 length = 0, at = frame, next;

	for (bool more = next_of(frame, SHARED, &next); more; more = next_of(at, KEPT, &next)) {
		at = next;
		if (++length > share.kept)
			panic("more frames are kept behind frame %lx than there are", frame);
	}
	return length;
}

/* Who uses a frame. */
static u64 pages_in(u64 frame)
{
	u64 pages = 0;

	for (const struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1))
		for (u64 pfn = 0; d->p2m.shared != 0 && p2m_next_moved(&d->p2m, &pfn); pfn++)
			pages += frame_of(d, pfn).v == frame;
	return pages;
}

void share_debug_audit(void)
{
	u64 kept = 0;

	for (u64 pfn = 0; p2m_next_given(given(), &pfn); pfn++) {
		struct p2m_owner owner;
		u64 length;

		p2m_is_given(given(), (pfn_t){pfn}, &owner);
		if (owner.domid != SHARED)
			continue;
		length = length_of(pfn);
		kept += length;
		if (pages_in(pfn) != length + 1)
			panic("frame %lx has %lu pages, and %lu frames are kept for them", pfn,
			      pages_in(pfn), length);
	}
	if (kept != share.kept)
		panic("%lu frames are kept, and %lu are believed to be", kept, share.kept);
}
