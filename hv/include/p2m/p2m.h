/* SPDX-License-Identifier: MIT */
/*
 * The physical-to-machine map of one domain. Identity for now, as the moment
 * of virtualization makes it (M3).
 */
#ifndef VELLUM_P2M_P2M_H
#define VELLUM_P2M_P2M_H

#include "lib/failure.h"
#include "lib/types.h"

struct p2m {
	struct range partition; /* machine memory that no p2m gives out */
	ma_t nothing; /* what is at the partition's addresses for a guest: one frame of ones */
};

/** Make an identity p2m. -VL_ENOMEM or 0. */
int p2m_init(struct p2m *p, struct failure *f);
void p2m_destroy(struct p2m *p);

/** See struct shadow_p2m; `context` is a struct p2m. */
ma_t p2m_translate(void *context, pa_t pa, u32 *shift);

#endif
