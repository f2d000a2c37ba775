// SPDX-License-Identifier: MIT
/*
 * See domain/scatter.h. It changes which of a domain's frames is which page, or puts a page into
 * a frame of the partition and keeps its own frame free for it: in either case owner_relabel() has
 * to follow.
 */
#include "domain/scatter.h"

#include "domain/owner.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"

#define POISON  0xcc
#define RESERVE 512 /* frames of the partition that stay for others */

static u64 next_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 2685821657736338717ull) >> 11;
}

static mfn_t frame_of(const struct domain *d, u64 pfn)
{
	return p2m_lookup(&d->p2m, (pfn_t){pfn});
}

static void set(struct domain *d, u64 pfn, mfn_t mfn)
{
	int err = p2m_set(&d->p2m, (pfn_t){pfn}, mfn, PAGE_SHIFT);

	assert(err == 0); /* a later domain's pages have entries of their own */
}

static void exchange(struct domain *d, u64 a, u64 b)
{
	mfn_t x = frame_of(d, a), y = frame_of(d, b);
	u64 *p = direct(mfn_to_ma(x)), *q = direct(mfn_to_ma(y));

	for (u64 i = 0; a != b && i < PAGE_SIZE / sizeof(u64); i++) {
		u64 was = p[i];

		p[i] = q[i];
		q[i] = was;
	}
	set(d, a, y);
	set(d, b, x);
}

static void put_beside(struct domain *d, u64 pfn)
{
	mfn_t spare, from = frame_of(d, pfn);
	bool got = frame_alloc_run(1, &spare);

	assert(got); /* domain_scatter() has looked */
	memcpy(direct(mfn_to_ma(spare)), direct(mfn_to_ma(from)), PAGE_SIZE);
	memset(direct(mfn_to_ma(from)), POISON, PAGE_SIZE);
	set(d, pfn, spare);
}

static bool can_move(const struct domain *d, u64 pfn)
{
	mfn_t mfn = frame_of(d, pfn);

	return mfn.v != P2M_NOTHING && !p2m_is_partition((pa_t){mfn.v << PAGE_SHIFT});
}

/* The same pages each time that somebody asks. */
static bool is_chosen(u64 pfn, u64 seed, u64 percent)
{
	u64 state = (pfn + 1) * 0x9e3779b97f4a7c15 ^ seed;

	return next_random(&state) % 100 < percent;
}

s64 domain_scatter(struct domain *d, u64 seed, u64 percent, u64 beside)
{
	struct range ram = d->main_ram.at[0];
	u64 first = ram.start >> PAGE_SHIFT, pages = range_size(ram) >> PAGE_SHIFT;
	u64 state = seed | 1;

	if (beside > 0 && frames_free_count() < RESERVE + beside)
		return -VL_ENOMEM;
	for (u64 i = 0; i < pages; i++) {
		u64 a = first + i, b = a;

		if (!is_chosen(a, seed, percent) || !can_move(d, a))
			continue;
		do
			b = first + next_random(&state) % pages;
		while (!is_chosen(b, seed, percent) || !can_move(d, b));
		exchange(d, a, b);
	}
	for (; beside > 0; beside--) {
		u64 a = first + next_random(&state) % pages;

		if (can_move(d, a))
			put_beside(d, a);
	}
	owner_relabel(domain_first());
	domain_p2m_changed(d);
	return (s64)d->p2m.moved;
}
