// SPDX-License-Identifier: MIT
/*
 * The failpoint. Of several CPUs that make a transition, those that find it fail.
 */
#include "lib/failpoint.h"

static u64 failpoint;

u64 failpoint_get(void)
{
	return __atomic_load_n(&failpoint, __ATOMIC_RELAXED);
}

void failpoint_set(u64 step)
{
	__atomic_store_n(&failpoint, step, __ATOMIC_RELAXED);
}
