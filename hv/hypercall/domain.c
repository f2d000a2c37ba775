// SPDX-License-Identifier: MIT
/*
 * Calls by which the first guest manages domains.
 */
#include "domain/domain.h"

#include "lib/string.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

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
