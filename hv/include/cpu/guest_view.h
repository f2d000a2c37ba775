/* SPDX-License-Identifier: MIT */
/*
 * Pages of a guest's memory that its devices use, as they were found: a request
 * names the same ones several times. Only within one exit of the domain's own, in
 * which nothing of its memory moves.
 */
#ifndef VELLUM_CPU_GUEST_VIEW_H
#define VELLUM_CPU_GUEST_VIEW_H

#include "domain/domain.h"

#define GUEST_VIEW_PAGES 32u

struct guest_view {
	const struct domain *domain;
	struct domain_near near;
	u64 tag[GUEST_VIEW_PAGES]; /* pfn + 1; 0: none */
	u8 *at[GUEST_VIEW_PAGES];
};

/** Nothing is found yet. */
void guest_view_init(struct guest_view *v, const struct domain *d);

/** As domain_buffer(); for struct guest_memory. */
void *guest_view_find(void *view, u64 pa, u64 size);

#endif
