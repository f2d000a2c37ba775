// SPDX-License-Identifier: MIT
/*
 * Calls by which the first guest manages domains.
 */
#include "domain/domain.h"

#include "hypercall/buffer.h"
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
	s64 err;

	if (found == NULL)
		return -VL_ENOENT;
	err = buffer_read(d, name, name_size, &copy, sizeof(copy));
	return err < 0 ? err : domain_rename(found, &copy);
}
