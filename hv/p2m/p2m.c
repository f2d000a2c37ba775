// SPDX-License-Identifier: MIT
/*
 * The identity p2m. Owns the half of invariant M7 that concerns Vellum: no
 * physical address of a guest is a frame of the partition.
 */
#include "p2m/p2m.h"

#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"

int p2m_init(struct p2m *p, struct failure *f)
{
	mfn_t mfn;

	if (!frame_alloc(&mfn))
		return fail(f, VL_ENOMEM,
			    "Vellum's partition has no memory for a p2m: give it more "
			    "with vellum_mem=");
	p->partition = frames_partition();
	p->nothing = mfn_to_ma(mfn);
	memset(direct(p->nothing), 0xff, PAGE_SIZE);
	return 0;
}

void p2m_destroy(struct p2m *p)
{
	frame_free(ma_to_mfn(p->nothing));
}

ma_t p2m_translate(void *context, pa_t pa, u32 *shift)
{
	const struct p2m *p = context;

	for (;; *shift -= 9) {
		u64 size = (u64)1 << *shift;
		struct range block = {round_down(pa.v, size), round_down(pa.v, size) + size};

		if (!range_overlaps(block, p->partition))
			return (ma_t){pa.v};
		if (*shift == PAGE_SHIFT)
			return p->nothing;
	}
}
