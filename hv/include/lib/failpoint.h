/* SPDX-License-Identifier: MIT */
/*
 * What tests of debug builds let fail: the call set_failpoint names a step by
 * its number, and whoever makes such steps next takes it for his own.
 */
#ifndef VELLUM_LIB_FAILPOINT_H
#define VELLUM_LIB_FAILPOINT_H

#include "lib/types.h"

/** No step: other CPUs' requests to flush pages do nothing, until the next transition. */
#define FAILPOINT_FLUSH_PAGES ((u64)1 << 32)

/** The step that fails, counted from 1; 0: none does. */
u64 failpoint_get(void);
void failpoint_set(u64 step);

#endif
