/* SPDX-License-Identifier: MIT */
/*
 * Page sharing in a world of text, see world.h.
 */
#include "tests/cli/world.h"

#include <stdio.h>
#include <string.h>

/* Off, each call leaves half of the pages, and none if they are few. */
int64_t world_share(struct world *w, uint64_t how, uint64_t rate, void *page, uint32_t size)
{
	struct vl_share_info *s = &w->share;

	if (how != VL_SHARE_KEEP && (how == VL_SHARE_ON || s->on || s->pages))
		fprintf(stderr, "vl-fake: share %llu %llu\n", (unsigned long long)how,
			(unsigned long long)rate);
	if (how != VL_SHARE_KEEP) {
		s->on = how == VL_SHARE_ON;
		s->rate = (uint32_t)rate;
	}
	if (how == VL_SHARE_OFF) {
		s->pages = s->pages > 10 ? s->pages / 2 : 0;
		s->frames = s->pages / 4;
		s->kept = s->pages - s->frames;
	}
	world_fill(page, size, s, sizeof(*s));
	return how == VL_SHARE_OFF ? (int64_t)s->pages : 0;
}
