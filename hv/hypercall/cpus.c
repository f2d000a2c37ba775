// SPDX-License-Identifier: MIT
/*
 * The CPUs that a guest tells of. One, so far.
 */
#include "lib/x86.h"
#include "public/errno.h"
#include "public/hypercall.h"
#include "hypercall_handlers.h"

#define APIC_ID_LIMIT 255

s64 call_add_cpu(struct domain *d, u64 apic_id)
{
	(void)d;
	if (apic_id >= APIC_ID_LIMIT)
		return -VL_EINVAL;
	return apic_id == cpuid(1, 0).ebx >> 24 ? 0 : -VL_ENOSPC;
}
