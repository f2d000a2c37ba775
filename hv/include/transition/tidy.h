/* SPDX-License-Identifier: MIT */
/*
 * What a transition leaves to be done later, so that it is short.
 */
#ifndef VELLUM_TRANSITION_TIDY_H
#define VELLUM_TRANSITION_TIDY_H

#include "lib/types.h"

/** In passthrough: free up to `tables` shadow tables of the last virtualized time. */
void transition_tidy(u64 tables);

#endif
