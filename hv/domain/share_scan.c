// SPDX-License-Identifier: MIT
/*
 * See domain/share_scan.h. Owns no invariant: whatever it has seen may be wrong
 * by now, and nothing follows from it but a comparison.
 */
#include "domain/share_scan.h"

#include "domain/contents.h"
#include "domain/owner.h"
#include "domain/share.h"
#include "lib/string.h"

void share_scan_begin(struct share_scan *s, struct share_set *set, u64 nr_sets)
{
	memset(set, 0, nr_sets * sizeof(*set));
	s->set = set;
	s->nr_sets = nr_sets;
	s->zero = (struct share_seen){0};
	s->at = (struct p2m_owner){0};
	s->all = false;
}

/* A page in a frame of the partition has its own kept for it already; of one that is about to end,
 * nobody needs less. */
static bool can_share(const struct domain *d, u64 pfn)
{
	mfn_t mfn = p2m_lookup(&d->p2m, (pfn_t){pfn});

	return mfn.v != P2M_NOTHING && !p2m_is_partition((pa_t){mfn.v << PAGE_SHIFT}) &&
	       !owner_is_pinned(d, pfn);
}

static bool has_pages(const struct domain *d)
{
	return !domain_owns_machine(d) && d->p2m.own && d->state != VL_STATE_DYING;
}

/* --- what has been seen --- */

static struct share_seen *find(struct share_set *set, u64 hash)
{
	for (u32 i = 0; i < SHARE_WAYS; i++)
		if (set->seen[i].page.domid != 0 && set->seen[i].hash == hash)
			return &set->seen[i];
	return NULL;
}

static struct share_seen *make_room(struct share_set *set)
{
	for (u32 i = SHARE_WAYS - 1; i > 0; i--)
		set->seen[i] = set->seen[i - 1];
	set->seen[0] = (struct share_seen){0};
	return &set->seen[0];
}

/* The page that was seen, if it has the same contents as this one still; NULL: no. */
static struct domain *find_same(const struct share_seen *seen, const struct domain *d, u64 pfn)
{
	const struct p2m_owner *page = &seen->page;
	struct domain *other = page->domid != 0 ? domain_find(page->domid, NULL) : NULL;

	if (other == NULL || !has_pages(other) || (other == d && page->pfn == pfn) ||
	    !can_share(other, page->pfn) ||
	    !contents_equal(p2m_lookup(&other->p2m, (pfn_t){page->pfn}),
			    p2m_lookup(&d->p2m, (pfn_t){pfn})))
		return NULL;
	return other;
}

/* True if the page has been merged with the one that was seen, or was before; else it is the one
 * that was seen from here on. */
static bool merge_or_note(struct share_scan *s, struct share_seen *seen, struct domain *d, u64 pfn)
{
	struct domain *same = find_same(seen, d, pfn);
	pfn_t other = {seen->page.pfn};

	if (same == NULL) {
		seen->page = (struct p2m_owner){d->domid, pfn};
		return false;
	}
	if (p2m_lookup(&same->p2m, other).v == p2m_lookup(&d->p2m, (pfn_t){pfn}).v)
		return false;
	share_merge(d, pfn, same, other.v);
	s->merged++;
	return true;
}

static void look(struct share_scan *s, struct domain *d, u64 pfn)
{
	struct share_set *set;
	struct share_seen *seen;
	u64 hash;

	s->looked++;
	if (share_rests(d, pfn, s->passes) || !can_share(d, pfn))
		return;
	if (contents_zero(p2m_lookup(&d->p2m, (pfn_t){pfn}), &hash)) {
		s->zeros += merge_or_note(s, &s->zero, d, pfn);
		return;
	}
	if (!s->all)
		return;
	set = &s->set[hash % s->nr_sets];
	seen = find(set, hash);
	if (seen == NULL)
		seen = make_room(set);
	seen->hash = hash;
	merge_or_note(s, seen, d, pfn);
}

/* --- all pages --- */

bool share_scan_next(struct share_scan *s)
{
	struct domain *d;

	while ((d = domain_next(s->at.domid)) != NULL) {
		if (d->domid != s->at.domid)
			s->at = (struct p2m_owner){d->domid, 0};
		if (has_pages(d) && p2m_next_moved(&d->p2m, &s->at.pfn)) {
			look(s, d, s->at.pfn++);
			return true;
		}
		s->at = (struct p2m_owner){d->domid + 1, 0};
	}
	s->at = (struct p2m_owner){0};
	s->all = true;
	s->passes++;
	return false;
}
