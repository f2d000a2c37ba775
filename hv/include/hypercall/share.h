/* SPDX-License-Identifier: MIT */
/*
 * Page sharing, as other calls have to know of it.
 */
#ifndef VELLUM_HYPERCALL_SHARE_H
#define VELLUM_HYPERCALL_SHARE_H

#include "domain/domain.h"

/** Whether Vellum looks for equal pages, or some share a frame still. */
bool share_is_on(void);

/** Before pages of a domain are taken: no page is shared any more, and each
 * can have the frame that was given for it; a piece of that, and how many pages share one still.
 * Nothing to do, 0, if it has always been off. */
u64 share_end_for(const struct domain *d);

/** Write down what a new domain gets, if that is to be; false: there is no memory for it. */
bool share_begin_for(struct domain *d);

/** Stop looking, and un-share some pages: how many share a frame still. In a hypercall of the first
 * guest. */
u64 share_off(void);

#endif
