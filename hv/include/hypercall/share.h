/* SPDX-License-Identifier: MIT */
/*
 * Page sharing, as other calls have to know of it.
 */
#ifndef VELLUM_HYPERCALL_SHARE_H
#define VELLUM_HYPERCALL_SHARE_H

#include "lib/types.h"

/** Whether Vellum looks for equal pages, or some share a frame still. */
bool share_is_on(void);

/** Stop looking, and un-share some pages: how many share a frame still. In a hypercall of the first
 * guest. */
u64 share_off(void);

#endif
