// SPDX-License-Identifier: MIT
/*
 * See domain/share_home.h. Owns invariant M19. A table of frame numbers for the
 * domain's RAM, 0 for a page that it never had.
 */
#include "domain/share_home.h"

#include "domain/contents.h"
#include "domain/owner.h"
#include "domain/share.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"

static u64 pages_of(const struct domain *d)
{
	return range_size(d->main_ram.at[0]) >> PAGE_SHIFT;
}

static u64 frames_of(const struct domain *d)
{
	return (pages_of(d) * sizeof(u64) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static u64 *home_of(const struct domain *d, pfn_t pfn)
{
	u64 i = pfn.v - (d->main_ram.at[0].start >> PAGE_SHIFT);

	return d->home != NULL && i < pages_of(d) ? &d->home[i] : NULL;
}

void share_home_note(struct domain *d, pfn_t pfn, mfn_t mfn)
{
	u64 *home = home_of(d, pfn);

	if (home != NULL)
		*home = mfn.v;
}

bool share_home_begin(struct domain *d)
{
	mfn_t mfn;

	if (d->home != NULL)
		return true;
	if (!frame_alloc_run(frames_of(d), &mfn))
		return false;
	d->home = direct(mfn_to_ma(mfn));
	memset(d->home, 0, frames_of(d) << PAGE_SHIFT);
	for (u64 pfn = 0; p2m_next_moved(&d->p2m, &pfn); pfn++)
		share_home_note(d, (pfn_t){pfn}, p2m_lookup(&d->p2m, (pfn_t){pfn}));
	return true;
}

void share_home_end(struct domain *d)
{
	mfn_t first;

	if (d->home == NULL)
		return;
	first = ma_to_mfn((ma_t){(u64)d->home - DIRECT_BASE});
	for (u64 i = 0; i < frames_of(d); i++)
		frame_free((mfn_t){first.v + i});
	d->home = NULL;
}

static void put(struct domain *d, u64 pfn, mfn_t mfn)
{
	int err;

	p2m_give_again(&domain_first()->p2m, (pfn_t){mfn.v}, (struct p2m_owner){d->domid, pfn});
	err = p2m_set(&d->p2m, (pfn_t){pfn}, mfn, PAGE_SHIFT);
	assert(err == 0); /* its entry is of 4 KiB */
}

/* Who has a frame, and may have another one; NULL: nobody. */
static struct domain *who_has(mfn_t mfn, struct p2m_owner *owner)
{
	struct domain *d = NULL;

	if (p2m_is_given(&domain_first()->p2m, (pfn_t){mfn.v}, owner) && !share_has(owner))
		d = domain_find(owner->domid, NULL);
	return d != NULL && p2m_lookup(&d->p2m, (pfn_t){owner->pfn}).v == mfn.v ? d : NULL;
}

void share_go_home(struct domain *d, pfn_t pfn)
{
	const u64 *home = home_of(d, pfn);
	mfn_t has = p2m_lookup(&d->p2m, pfn), wanted = {home != NULL ? *home : 0};
	struct p2m_owner owner;
	struct domain *other;

	if (wanted.v == 0 || wanted.v == has.v || who_has(has, &owner) != d)
		return;
	other = who_has(wanted, &owner);
	if (other == NULL || owner_is_pinned(other, owner.pfn))
		return;
	contents_copy(has, wanted);
	put(other, owner.pfn, has);
	put(d, pfn.v, wanted);
	share_changed(other);
}
