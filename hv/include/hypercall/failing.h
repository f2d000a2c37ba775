/* SPDX-License-Identifier: MIT */
/*
 * Around the allocations of a call that tests of debug builds let fail, each in
 * turn (call set_failpoint).
 */
#ifndef VELLUM_HYPERCALL_FAILING_H
#define VELLUM_HYPERCALL_FAILING_H

#include "lib/debug.h"
#include "lib/failpoint.h"
#include "mem/frames.h"

static inline void begin_failing(void)
{
	if (!is_debug_build())
		return;
	frames_fail_at(failpoint_get());
	failpoint_set(0);
}

static inline void end_failing(void)
{
	frames_fail_at(0);
}

#endif
