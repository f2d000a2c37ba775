/* SPDX-License-Identifier: MIT */
/*
 * The pages that the fuzzer of the hypercalls compares before and after a call: all RAM of domains,
 * the pages between, and one behind.
 */
#ifndef FUZZ_WINDOW_H
#define FUZZ_WINDOW_H

#include "domain/domain.h"
#include "domain/grant.h"

#define WATCH_START 0x100000u
#define WATCH_PAGES 17u

/** So many domains are compared; those that the calls of one input make are few. */
#define KEPT 8u

/** Note the window as its owners see it, wherever it is. */
void window_remember(void);

/** The same bytes but for what `caller` has at [buffer.start, buffer.end), and frames that came
 * home. */
void window_check(const struct domain *caller, struct range buffer);

/** Bits that Vellum may have set in a domain's page of events: they are no buffer of the call. */
void window_expect_events(void);

/** The same for a call that rearranges frames: what each domain has at the window's addresses. */
void window_remember_views(void);
void window_check_views(const struct domain *caller, struct range buffer);

/** Whether the frame is a page of `owner`, which knows that another domain maps it. */
bool window_lends(const struct domain *owner, mfn_t mfn);

#endif
