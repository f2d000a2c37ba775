/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices as text, see device_text.h.
 */
#include "dom-tools/vl/device_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024

/* Of virtio's status. */
#define STATUS_DRIVER_OK   0x04u
#define STATUS_NEEDS_RESET 0x40u
#define STATUS_FAILED      0x80u

const char *device_state(const struct vl_device *d)
{
	if (d->flags & VL_DEVICE_HELD)
		return "held";
	if (d->flags & VL_DEVICE_LEAVING)
		return "leaving";
	if (d->status & (STATUS_NEEDS_RESET | STATUS_FAILED))
		return "broken";
	if (d->status == 0)
		return "unused";
	return d->status & STATUS_DRIVER_OK ? "up" : "starting";
}

const char *device_mac(char to[MAC_TEXT_SIZE], const uint8_t mac[6])
{
	snprintf(to, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return to;
}

static void add_net(struct json_object *o, const struct vl_device *d)
{
	char mac[MAC_TEXT_SIZE];

	json_add_text(o, "mac", device_mac(mac, d->mac));
	json_add(o, "bridge", json_new_text(d->bridge, strnlen(d->bridge, sizeof(d->bridge))));
	json_add_u64(o, "rx_frames", d->reads);
	json_add_u64(o, "rx_bytes", d->read_bytes);
	json_add_u64(o, "tx_frames", d->writes);
	json_add_u64(o, "tx_bytes", d->write_bytes);
	json_add_u64(o, "dropped", d->dropped);
	json_add_u64(o, "refused", d->refused);
}

static void add_disk(struct json_object *o, const struct vl_device *d)
{
	json_add_u64(o, "size", d->size);
	json_add(o, "read_only", json_object_new_boolean((d->flags & VL_DEVICE_READ_ONLY) != 0));
	json_add_u64(o, "reads", d->reads);
	json_add_u64(o, "read_bytes", d->read_bytes);
	json_add_u64(o, "writes", d->writes);
	json_add_u64(o, "write_bytes", d->write_bytes);
	json_add_u64(o, "refused", d->refused);
}

struct json_object *device_json(const struct vl_device *d, uint32_t index)
{
	struct json_object *o = json_new_object();

	json_add_u64(o, "index", index);
	json_add_text(o, "kind", d->kind == VL_DEVICE_NET ? "network" : "disk");
	json_add_text(o, "state", device_state(d));
	json_add_u64(o, "address", VL_DEVICE_ADDRESS(index));
	json_add_u64(o, "line", VL_DEVICE_LINE(index));
	json_add_u64(o, "faults", d->faults);
	if (d->kind == VL_DEVICE_NET)
		add_net(o, d);
	else
		add_disk(o, d);
	return o;
}

static void print_line(const struct vl_device *d, uint32_t index)
{
	char mac[MAC_TEXT_SIZE], bridge[PRINTABLE_SIZE];

	printf("virtio_%" PRIu32 ": ", index);
	if (d->kind == VL_DEVICE_NET)
		printf("network %s bridge=%s", device_mac(mac, d->mac),
		       printable(bridge, d->bridge));
	else
		printf("disk %" PRIu64 " KiB %s", d->size / KIB,
		       d->flags & VL_DEVICE_READ_ONLY ? "r" : "w");
	printf(" %s\n", device_state(d));
}

void device_print_lines(const struct vl_devices *d)
{
	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
		if (d->there[i])
			print_line(&d->device[i], i);
}

struct json_object *device_list_json(const struct vl_devices *d)
{
	struct json_object *array = json_new_array();

	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
		if (d->there[i])
			json_append(array, device_json(&d->device[i], i));
	return array;
}
