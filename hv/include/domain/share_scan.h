/* SPDX-License-Identifier: MIT */
/*
 * Looking for pages with the same contents, a page at a time, through all pages
 * of all later domains, again and again. What has been seen is kept in a table
 * of fixed size, by hash: it may forget, and what it says is looked at again
 * before two pages are merged. The first time through, pages of zeros are
 * looked for alone.
 */
#ifndef VELLUM_DOMAIN_SHARE_SCAN_H
#define VELLUM_DOMAIN_SHARE_SCAN_H

#include "domain/domain.h"

#define SHARE_WAYS 4u

/** Pages whose hashes have the same place, the last one first. */
struct share_set {
	struct share_seen {
		u64 hash;
		struct p2m_owner page; /* domid 0: none: the guest that was booted shares nothing */
	} seen[SHARE_WAYS];
};

struct share_scan {
	struct share_set *set;
	u64 nr_sets;
	struct share_seen zero; /* a page of zeros */
	struct p2m_owner at;    /* where it goes on */
	bool all;               /* not only zeros */
	u64 looked, passes, merged, zeros;
};

/** Begin with so many empty sets. Counters go on. */
void share_scan_begin(struct share_scan *s, struct share_set *set, u64 nr_sets);

/** Look at the next page. False: there was none any more, and the next call begins with the first
 * one again. Conditions as of domain/share.h. */
bool share_scan_next(struct share_scan *s);

#endif
