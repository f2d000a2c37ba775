// SPDX-License-Identifier: MIT
/*
 * The mover. Owns the other half of invariant M7: a frame of the partition that
 * a p2m gives out was taken out of the allocator here, and is in it again only
 * when no p2m names it.
 */
#include "p2m/mover.h"

#include "lib/debug.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"

#define POISON 0xcc

/* Frames that stay for the shadow, which cannot do without some. */
#define RESERVE 256

static void copy_frame(mfn_t to, mfn_t from)
{
	memcpy(direct(mfn_to_ma(to)), direct(mfn_to_ma(from)), PAGE_SIZE);
}

static mfn_t home_of(pfn_t pfn)
{
	return (mfn_t){pfn.v};
}

static bool is_partition(mfn_t mfn)
{
	ma_t ma = mfn_to_ma(mfn);

	return range_overlaps((struct range){ma.v, ma.v + PAGE_SIZE}, frames_partition());
}

int p2m_move_away(struct p2m *p, pfn_t pfn)
{
	mfn_t spare;
	int err;

	assert(p2m_lookup(p, pfn).v == pfn.v);
	if (frames_free_count() <= RESERVE || !frame_alloc(&spare))
		return -VL_ENOMEM;
	err = p2m_set(p, pfn, spare, PAGE_SHIFT);
	if (err < 0) {
		frame_free(spare);
		return err;
	}
	copy_frame(spare, home_of(pfn));
	/* Whoever still uses the home frame is to notice. */
	if (is_debug_build())
		memset(direct(mfn_to_ma(home_of(pfn))), POISON, PAGE_SIZE);
	return 0;
}

/* What its frame has is at home already. */
static void set_home(struct p2m *p, pfn_t pfn)
{
	mfn_t away = p2m_lookup(p, pfn);
	int err = p2m_set(p, pfn, home_of(pfn), PAGE_SHIFT);

	assert(err == 0); /* its entry exists */
	if (is_partition(away))
		frame_free(away);
}

void p2m_move_home(struct p2m *p, pfn_t pfn)
{
	mfn_t away = p2m_lookup(p, pfn);

	assert(away.v != pfn.v);
	copy_frame(home_of(pfn), away);
	set_home(p, pfn);
}

void p2m_copy_home(const struct p2m *p, struct range frames)
{
	for (u64 pfn = frames.start; p2m_next_moved(p, &pfn) && pfn < frames.end; pfn++)
		copy_frame(home_of((pfn_t){pfn}), p2m_lookup(p, (pfn_t){pfn}));
}

void p2m_come_home(struct p2m *p, struct range frames)
{
	for (u64 pfn = frames.start; p2m_next_moved(p, &pfn) && pfn < frames.end; pfn++)
		set_home(p, (pfn_t){pfn});
}

void p2m_leave(struct p2m *p)
{
	for (u64 pfn = 0; p2m_next_moved(p, &pfn); pfn++) {
		mfn_t away = p2m_lookup(p, (pfn_t){pfn});

		if (is_partition(away))
			frame_free(away);
	}
	p2m_destroy(p);
}

void p2m_wipe(mfn_t mfn)
{
	memset(direct(mfn_to_ma(mfn)), 0, PAGE_SIZE);
}
