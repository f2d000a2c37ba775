// SPDX-License-Identifier: MIT
/*
 * Calls on the machine's disks that are Vellum's.
 */
#include "cpu/disks.h"
#include "cpu/domain_io.h"
#include "cpu/pci_owner.h"
#include "cpu/remote.h"
#include "hypercall/buffer.h"
#include "hypercall/device_owner.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

/* Of a guest in passthrough nothing is Vellum's. */
static s64 alone(int (*change)(u32 function), u64 function)
{
	struct vcpu *v = current_vcpu();
	s64 err;

	if (v == NULL || function >= VL_PCI_NONE)
		return -VL_ENOENT;
	remote_stop_others(v);
	err = change((u32)function);
	remote_start_others(v);
	return err;
}

s64 call_disk_begin(struct domain *d, u64 function)
{
	(void)d;
	return alone(disks_begin, function);
}

s64 call_disk_end(struct domain *d, u64 function)
{
	(void)d;
	return alone(disks_end, function);
}

s64 call_disk_info(struct domain *d, u64 index, pa_t info, u64 info_size)
{
	struct vl_disk_info out;
	u8 *buffer;
	s64 err = buffer_find(d, info, info_size, sizeof(out), &buffer);

	if (err == 0)
		err = index < VL_MAX_DISKS ? disks_info((u32)index, &out) : -VL_ENOENT;
	if (err == 0)
		err = buffer_answer(d, info, info_size, &out, sizeof(out));
	return err < 0 ? err : 0;
}

s64 call_disk_add(struct domain *d, u64 domid, pa_t extent, u64 extent_size)
{
	struct domain *found;
	struct vl_disk_extent wanted;
	s64 answer = buffer_read(d, extent, extent_size, &wanted, sizeof(wanted));

	if (answer == 0 && (wanted.flags & ~VL_DEVICE_READ_ONLY))
		answer = -VL_EINVAL;
	if (answer == 0)
		answer = device_owner_new(d, domid, wanted.line, &found);
	if (answer < 0)
		return answer;
	answer = domain_io_add_disk(found, &wanted);
	device_owner_done(d, found);
	return answer;
}
