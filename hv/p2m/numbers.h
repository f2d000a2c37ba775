/* SPDX-License-Identifier: MIT */
/*
 * Numbers by machine frame, for owners.c.
 */
#ifndef VELLUM_P2M_NUMBERS_H
#define VELLUM_P2M_NUMBERS_H

#include "p2m/owners.h"

/** Where the number of a frame is, made if need be (it is 0 then); NULL: no page for it. */
u64 *numbers_make(struct frame_numbers *n, u64 frame, const struct p2m_memory *memory);

/** The same if it was made; NULL: it was not, or may not have been. */
u64 *numbers_find(const struct frame_numbers *n, u64 frame);

/** Give all pages back: every number is 0. */
void numbers_end(struct frame_numbers *n, const struct p2m_memory *memory);

#endif
