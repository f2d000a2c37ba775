// SPDX-License-Identifier: MIT
/*
 * What is told of a domain's devices (cpu/domain_io.h), as they are at one moment: behind both
 * locks of the domain, and the switch's for what its port has counted.
 */
#include "cpu/domain_io.h"

#include "cpu/io_device.h"
#include "lib/string.h"

static void tell_net(const struct io_device *d, struct vl_device *info)
{
	const struct switch_port *p = &domain_io_switch()->port[d->port];

	memcpy(info->mac, d->net.mmio.config, sizeof(info->mac));
	memcpy(info->bridge, p->name, sizeof(info->bridge));
	info->reads = p->counts.got;
	info->read_bytes = p->counts.got_bytes;
	info->writes = p->counts.sent;
	info->write_bytes = p->counts.sent_bytes;
	info->dropped = p->counts.dropped;
	info->refused = p->counts.refused + d->net.refused;
	domain_io_switch_done();
}

static void tell_disk(const struct virtio_blk *b, struct vl_device *info)
{
	info->size = b->disk.sectors * SECTOR_SIZE;
	info->reads = b->reads;
	info->read_bytes = b->read_bytes;
	info->writes = b->writes;
	info->write_bytes = b->write_bytes;
	info->refused = b->refused;
}

static void tell(const struct io_device *d, struct vl_device *info)
{
	*info = (struct vl_device){
		.kind = d->mmio->id,
		.flags = d->flags | d->state,
		.status = d->mmio->status,
		.faults = (u32)d->mmio->faults,
	};
	if (info->kind == VL_DEVICE_NET)
		tell_net(d, info);
	else
		tell_disk(&d->blk, info);
}

bool domain_io_info(struct domain *d, u64 index, struct vl_device *info)
{
	const struct io_device *device = NULL;

	if (index >= VL_MAX_DEVICES)
		return false;
	lock_take(&d->lock);
	lock_take(&d->irq_lock);
	device = d->device[index];
	if (device != NULL && device->state == IO_GONE)
		device = NULL;
	if (device != NULL)
		tell(device, info);
	lock_release(&d->irq_lock);
	lock_release(&d->lock);
	return device != NULL;
}
