/* SPDX-License-Identifier: MIT */
/*
 * Remapping a domain that is paused: see p2m/remap.h.
 *
 * The caller is alone (remote_begin_alone()), no vcpu of any later domain runs
 * between the first of these calls and the end, and all of them flush then.
 */
#ifndef VELLUM_DOMAIN_REMAP_H
#define VELLUM_DOMAIN_REMAP_H

#include "domain/domain.h"
#include "p2m/remap.h"

/** Later domains whose pages may be in the way of another's. */
#define REMAP_OTHERS 16

struct domain_remap {
	struct remap remap;
	struct domain *domain;
	struct owners_space space[REMAP_OTHERS];
	mfn_t kept; /* the spare frame between two chains; 0: none. Finding one takes long */
	bool alone; /* nobody else has any frame: the first guest is gone */
};

/**
 * Begin for a domain whose memory is virtualized. `alone`: there is no other domain any more, the
 * first guest included; all RAM that the domain is shown is its own. Else places of pages must have
 * been given to it, or to another later domain, whose page makes room. Nothing is moved.
 *  -VL_EBUSY: one of the domains shares pages with others;
 *  -VL_E2BIG: more than REMAP_OTHERS later domains.
 */
int domain_remap_begin(struct domain_remap *r, struct domain *d, enum remap_mode mode,
		       enum owners_kind owners, bool alone);

/** remap_step(); whatever the answer, what Vellum knows by address of the domains' pages is found
 * again. 0: d's p2m is the identity for each page that it has. */
s64 domain_remap_step(struct domain_remap *r, u64 pages);

/** Whether a domain maps pages of another, or shares frames with others: frames are not to change
 * places then. */
bool domain_somebody_shares(void);

/** remap_abort(). */
void domain_remap_abort(struct domain_remap *r);

#endif
