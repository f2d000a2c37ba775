/* SPDX-License-Identifier: MIT */
/*
 * Shared pages. A domain offers one of its pages to another, which maps it at a
 * page frame where it has no RAM; the page stays its owner's. An offer that is
 * mapped cannot be revoked, and its page stays where it is, until the other has
 * unmapped it or is over; when the owner is over, it is unmapped by force.
 *
 * Callers exclude each other; while a p2m changes the vcpus of its domain stand
 * still, and flush afterwards (cpu/remote.h, rearranging).
 */
#ifndef VELLUM_DOMAIN_GRANT_H
#define VELLUM_DOMAIN_GRANT_H

#include "domain/domain.h"

/**
 * Offer a page to the domain `to`, for reading or for both. Returns a reference for grant_map(), or
 *  -VL_EFAULT: it is not the domain's own RAM; -VL_ENOSPC: it has VL_MAX_GRANTS offers;
 *  -VL_ENOMEM: no memory for its table of offers.
 */
s64 grant_offer(struct domain *d, u32 to, u64 pfn, bool read_only);

/** Take an offer back: 0; -VL_ENOENT: there is none; -VL_EBUSY: it is mapped. */
s64 grant_revoke(struct domain *d, u64 ref);

/**
 * Whether `d` may map an offer of `owner` at pfn: 0, or
 *  -VL_ENOENT: it was not offered this; -VL_EFAULT: the owner has not the page any more;
 *  -VL_EBUSY: it is not at home; -VL_EINVAL: at pfn is RAM of its own or of Vellum's, or no page;
 *  -VL_EEXIST: it has mapped something there; -VL_ENOSPC: it has VL_MAX_GRANTS mapped.
 */
s64 grant_can_map(const struct domain *d, const struct domain *owner, u64 ref, u64 pfn);

/** Map it, if it can be mapped. -VL_ENOMEM: no memory for tables, nothing has changed. */
s64 grant_map(struct domain *d, struct domain *owner, u64 ref, u64 pfn);

/** Whether `d` has mapped an offer at pfn; and no longer. */
bool grant_is_mapped(const struct domain *d, u64 pfn);
void grant_unmap(struct domain *d, u64 pfn);

/** Whether others have mapped this page. */
bool grant_is_in_use(const struct domain *owner, u64 pfn);

/** Whether `d` has mapped anything of that domain's. */
bool grant_uses(const struct domain *d, u32 owner);

/** The end of a domain: nothing is offered or mapped by it any more, nor of it. All domains that
 * use it stand still. */
void grant_end(struct domain *d);

#endif
