/* SPDX-License-Identifier: MIT */
#include "dom-tools/vl/attach.h"

#include <string.h>

#include "dom-tools/lib/disks.h"
#include "dom-tools/lib/guests.h"

int attach_vif(struct vl_client *client, uint32_t domid, const struct config_vif *vif, uint8_t line,
	       struct vl_error *e)
{
	struct vl_device device = {.kind = VL_DEVICE_NET, .line = line};
	uint32_t index;

	memcpy(device.mac, vif->mac, sizeof(device.mac));
	memcpy(device.bridge, vif->bridge, sizeof(device.bridge));
	return vl_guest_add_device(client, domid, &device, &index, e);
}

int attach_extent(struct vl_client *client, uint32_t domid, const struct config_disk *disk,
		  uint8_t line, struct vl_error *e)
{
	const struct vl_disk_extent extent = {
		.disk = disk->disk,
		.partition = disk->partition,
		.start = disk->start,
		.sectors = disk->sectors,
		.flags = disk->read_only ? VL_DEVICE_READ_ONLY : 0,
		.line = line,
	};
	uint32_t index;

	return vl_guest_add_disk(client, domid, &extent, disk->name, &index, e);
}
