/* SPDX-License-Identifier: MIT */
/*
 * Which frame the first guest gave for each page of a later domain. While pages
 * share frames, and after that, a page may be in a frame that was given for
 * another one, of another domain; but what the first guest gave for a page is
 * what it gets back for it, at once (invariant M19). So this is written down from
 * the moment on at which sharing is turned on.
 */
#ifndef VELLUM_DOMAIN_SHARE_HOME_H
#define VELLUM_DOMAIN_SHARE_HOME_H

#include "domain/domain.h"

/** Write down what it has, unless that has been done; false: there is no memory for that. */
bool share_home_begin(struct domain *d);

/** A page was given to it. */
void share_home_note(struct domain *d, pfn_t pfn, mfn_t mfn);

void share_home_end(struct domain *d);

/** Whether frames of the domain may have changed places with those of others. */
static inline bool share_home_is_known(const struct domain *d)
{
	return d->home != NULL;
}

/**
 * A page is about to be taken, and its contents are worth nothing: it is in the frame that was
 * given for it. Whoever had that gets the page's. There is no group (share_end_some()), and the
 * vcpus of all domains with share_home_is_known() stand still. A frame that somebody has mapped
 * stays where it is.
 */
void share_go_home(struct domain *d, pfn_t pfn);

#endif
