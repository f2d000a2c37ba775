// SPDX-License-Identifier: MIT
/*
 * Calls on virtio devices. Whether the caller has any of its own decides what traps of its memory,
 * so its other vcpus stand still while that changes (L4).
 */
#include "hypercall/device_owner.h"

#include "cpu/apic.h"
#include "cpu/domain_io.h"
#include "cpu/remote.h"
#include "hypercall/buffer.h"
#include "hypercall/failing.h"
#include "public/errno.h"
#include "irq/ioapic.h"
#include "hypercall_handlers.h"

s64 device_owner_new(struct domain *d, u64 domid, u32 line, struct domain **found)
{
	struct vcpu *v = current_vcpu();

	if (line == 0) {
		*found = domain_use(domid);
		return *found != NULL ? 0 : -VL_ENOENT;
	}
	if (domid != d->domid || line >= NR_IOAPIC_PINS)
		return -VL_EINVAL;
	if (v == NULL || (d->layers & VL_LAYER_ALL) != VL_LAYER_ALL || !apic_can_own_timer(v))
		return -VL_EOPNOTSUPP;
	remote_stop_others(v);
	*found = d;
	return 0;
}

struct domain *device_owner(struct domain *d, u64 domid)
{
	if (domid != d->domid || d->nr_devices == 0)
		return domain_use(domid);
	remote_stop_others(current_vcpu());
	return d;
}

void device_owner_done(struct domain *d, struct domain *found)
{
	if (found == d)
		remote_start_others(current_vcpu());
	else
		domain_unuse(found);
}

s64 call_device_add(struct domain *d, u64 domid, pa_t device, u64 device_size)
{
	struct domain *found;
	struct vl_device wanted;
	s64 answer = buffer_read(d, device, device_size, &wanted, sizeof(wanted));

	if (answer == 0)
		answer = domain_io_check(&wanted);
	if (answer == 0 && wanted.line != 0 && (wanted.flags & VL_DEVICE_HELD))
		answer = -VL_EINVAL;
	if (answer == 0)
		answer = device_owner_new(d, domid, wanted.line, &found);
	if (answer < 0)
		return answer;
	begin_failing();
	answer = domain_io_add(found, &wanted);
	end_failing();
	device_owner_done(d, found);
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

	if (how > VL_REMOVE_NOW)
		return -VL_EINVAL;
	found = device_owner(d, domid);
	if (found == NULL)
		return -VL_ENOENT;
	answer = domain_io_remove(found, index, how);
	device_owner_done(d, found);
	return answer;
}
