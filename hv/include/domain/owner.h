/* SPDX-License-Identifier: MIT */
/*
 * Who has which frame. All RAM of the machine but the partition is the first
 * guest's at first, each page at the frame of its own number. It gives pages to
 * later domains, and gets exactly these back. Between the two, its p2m says who
 * has the page, and the other's says which frame it is: so every frame has one
 * owner, and its way home is known.
 *
 * Callers exclude each other, and the vcpus of both domains stand still
 * (cpu/remote.h, rearranging) and flush afterwards.
 */
#ifndef VELLUM_DOMAIN_OWNER_H
#define VELLUM_DOMAIN_OWNER_H

#include "domain/domain.h"
#include "lib/debug.h"

/**
 * `count` pages of the first guest's, list[], become the page frames from `pfn` on of `to`. All, or
 * none with
 *  -VL_EFAULT: one is not its own RAM, or is twice in the list; or `to` is shown no RAM there;
 *  -VL_EBUSY: one is not at home, or shared: with Vellum, or mapped by another domain;
 *  -VL_EEXIST: `to` has a page there;
 *  -VL_ENOMEM: no memory for tables of a p2m.
 */
int owner_give(struct domain *first, struct domain *to, u64 pfn, const u64 *list, u64 count);

/**
 * Whether the page frames from `pfn` on can be taken from a domain: 0; -VL_EFAULT: it does not have
 * one of them; -VL_EBUSY: one is shared.
 */
int owner_can_take(const struct domain *from, u64 pfn, u64 count);

/** Vellum has a pointer to a page of a domain's, or shows it at another address; or another domain
 * has mapped it: it stays where it is. */
bool owner_is_pinned(const struct domain *d, u64 pfn);

/** Take them, if they can be taken: each is cleared, and at home again. */
void owner_take(struct domain *first, struct domain *from, u64 pfn, u64 count);

/** The same of the `count` lowest that it has, whatever is in them, or all; returns how many. */
u64 owner_take_any(struct domain *first, struct domain *from, u64 count);

/**
 * Pages of later domains have changed frames among each other, or some are in frames of the
 * partition, and as many frames are free for them: the first guest's p2m says again who has which.
 * Takes time for all that was given away.
 */
void owner_relabel(struct domain *first);

/** Debug builds: panics unless each page that the first guest gave away is had by the domain that
 * it names, and no other domain has any frame. */
void owner_debug_audit(const struct domain *first);

static inline void owner_audit(const struct domain *first)
{
	if (is_debug_build())
		owner_debug_audit(first);
}

#endif
