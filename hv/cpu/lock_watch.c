// SPDX-License-Identifier: MIT
/*
 * Where lib/lock.h finds what the running CPU holds.
 */
#include "cpu/percpu.h"
#include "lib/lock.h"

struct lock_watch *lock_watch(void)
{
	return &this_cpu()->locks;
}
