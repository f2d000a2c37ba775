// SPDX-License-Identifier: MIT
/*
 * Calls on the virtio devices of later domains.
 */
#include "cpu/domain_io.h"
#include "hypercall/buffer.h"
#include "hypercall/failing.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

s64 call_device_add(struct domain *d, u64 domid, pa_t device, u64 device_size)
{
	struct domain *found;
	struct vl_device wanted;
	s64 answer = buffer_read(d, device, device_size, &wanted, sizeof(wanted));

	if (answer == 0)
		answer = domain_io_check(&wanted);
	if (answer < 0)
		return answer;
	found = domain_use(domid);
	if (found == NULL)
		return -VL_ENOENT;
	begin_failing();
	answer = domain_io_add(found, &wanted);
	end_failing();
	domain_unuse(found);
	return answer;
}

/* The buffer is the caller's own RAM for as long as this CPU is in the call. */
s64 call_disk_write(struct domain *d, u64 domid, u64 index, u64 offset, u64 pa, u64 size)
{
	const void *from = domain_buffer(d, (pa_t){pa}, size);
	struct domain *found;
	s64 answer;

	if (from == NULL)
		return -VL_EFAULT;
	found = domain_use(domid);
	if (found == NULL)
		return -VL_ENOENT;
	begin_failing();
	answer = domain_io_fill(found, index, offset, from, size);
	end_failing();
	domain_unuse(found);
	return answer;
}

s64 call_device_info(struct domain *d, u64 domid, u64 index, pa_t device, u64 device_size)
{
	struct domain *found = domain_find(domid, d);
	struct vl_device info;

	if (found == NULL)
		return -VL_ENOENT;
	if (found != d && d != domain_first())
		return -VL_EPERM;
	if (!domain_io_info(found, index, &info))
		return -VL_ENOENT;
	return buffer_answer(d, device, device_size, &info, sizeof(info));
}

s64 call_device_show(struct domain *d, u64 domid, u64 index)
{
	struct domain *found = domain_use(domid);
	s64 answer;

	(void)d;
	if (found == NULL)
		return -VL_ENOENT;
	begin_failing();
	answer = domain_io_show(found, index);
	end_failing();
	domain_unuse(found);
	return answer;
}

s64 call_device_remove(struct domain *d, u64 domid, u64 index, u64 how)
{
	struct domain *found;
	s64 answer;

	(void)d;
	if (how > VL_REMOVE_NOW)
		return -VL_EINVAL;
	found = domain_use(domid);
	if (found == NULL)
		return -VL_ENOENT;
	answer = domain_io_remove(found, index, how);
	domain_unuse(found);
	return answer;
}
