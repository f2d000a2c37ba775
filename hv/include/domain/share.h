/* SPDX-License-Identifier: MIT */
/*
 * Page sharing: pages of later domains with the same contents are in one machine
 * frame, which none of them may write to; one that is written to gets a frame of
 * its own first. The frame with its pages is a *group*.
 *
 * Memory for that can never be missing: the frames that pages had before stay
 * with their group, unused (*kept*), one less than the group has pages. So a
 * page that leaves takes one of them, in a time that does not go by how many
 * there are. Where they are is in the first guest's p2m, whose entries of these
 * frames name no owner then, but the next one of the group.
 *
 * The first guest's pages are never shared: devices write to them.
 *
 * There is one CPU, and no vcpu runs while any of these is called; what a domain
 * knew of its pages is not good any more when `changed` has been called for it.
 */
#ifndef VELLUM_DOMAIN_SHARE_H
#define VELLUM_DOMAIN_SHARE_H

#include "domain/domain.h"

/** Begin; `changed` is called when frames of a domain's pages have changed, and may not call back.
 */
void share_init(void (*changed)(const struct domain *d));

/** Frames of a domain's pages have changed: whoever began is told. */
void share_changed(const struct domain *d);

/** The page has a frame of its own, with what was in the shared one. Does nothing to others. */
void share_break(struct domain *d, u64 pfn);

/**
 * Whether this page is to be left alone this time: one that is written to again and again, as page
 * tables are by each walk, is merged in each second pass at most, then in each fourth, down to one
 * of 128; where it stays merged until the next one looks, in more of them again.
 */
bool share_rests(const struct domain *d, u64 pfn, u64 pass);

/** Two pages with the same contents, in different frames, are in one: that of `to`. */
void share_merge(struct domain *d, u64 pfn, struct domain *to, u64 to_pfn);

/** The page is about to have no frame any more: which one is free then. Its p2m is the caller's. */
mfn_t share_leave(const struct domain *d, u64 pfn);

/** Whether the owner that the first guest's p2m names for a frame means that it is in a group. */
bool share_has(const struct p2m_owner *owner);

/** Un-share up to `pages` pages of all domains, looking at a number of entries that is bounded by
 * it, too; how many pages share a frame still. */
u64 share_end_some(u64 pages);

/** Pages of all domains that share a frame; frames that are kept; pages that left a group, since
 * boot. */
u64 share_pages(void);
u64 share_kept(void);
u64 share_broken(void);

/** Debug builds: panics unless each group has as many frames as pages. */
void share_debug_audit(void);

#endif
