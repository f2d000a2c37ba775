// SPDX-License-Identifier: MIT
/*
 * Calls by which the first guest manages domains.
 */
#include "domain/domain.h"

#include "lib/string.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static s64 set_target(struct domain *d, struct domain *found, u64 size)
{
	if (d != domain_first() || found == d)
		return -VL_EPERM;
	if (size % PAGE_SIZE != 0 || size > memmap_ram_total(&found->memory))
		return -VL_EINVAL;
	__atomic_store_n(&found->memory_target, size, __ATOMIC_RELAXED);
	return (s64)size;
}

s64 call_memory_target(struct domain *d, u64 domid, u64 size)
{
	struct domain *found = domain_find(domid, d);
	u64 target;

	if (d != domain_first() && found != d)
		return -VL_EPERM;
	if (found == NULL)
		return -VL_ENOENT;
	if (size != 0)
		return set_target(d, found, size);
	target = __atomic_load_n(&found->memory_target, __ATOMIC_RELAXED);
	return (s64)(target != 0 ? target : memmap_ram_total(&found->memory));
}

s64 call_domain_rename(struct domain *d, u64 domid, pa_t name, u64 name_size)
{
	struct domain *found = domain_find(domid, d);
	struct vl_domain_name copy;
	const void *buffer;

	if (found == NULL)
		return -VL_ENOENT;
	if (name_size < sizeof(copy))
		return -VL_EINVAL;
	buffer = domain_buffer(d, name, name_size);
	if (buffer == NULL)
		return -VL_EFAULT;
	/* The guest may write to its buffer while we look at it. */
	memcpy(&copy, buffer, sizeof(copy));
	return domain_rename(found, &copy);
}
