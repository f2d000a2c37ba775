// SPDX-License-Identifier: MIT
/*
 * The CPUs that a guest tells of.
 */
#include "cpu/percpu.h"
#include "domain/domain.h"
#include "hypercall/share.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

s64 call_add_cpu(struct domain *d, u64 apic_id)
{
	s64 answer = -VL_EBUSY;

	if (!share_is_on() || apic_id >= NR_APIC_IDS)
		answer = apic_id < NR_APIC_IDS ? cpu_add((u32)apic_id) : -VL_EINVAL;

	d->nr_vcpus = cpu_count();
	return answer;
}
