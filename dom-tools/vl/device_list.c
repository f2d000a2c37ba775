/* SPDX-License-Identifier: MIT */
/*
 * `vl network-list` and `vl block-list`: virtio devices of a domain, one a line,
 * by the number of their window, which `vl network-detach` and `vl block-detach`
 * take.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/vl/device_text.h"

#define KIB 1024

static void print_net(const struct vl_device *d, uint32_t index)
{
	char mac[MAC_TEXT_SIZE], bridge[PRINTABLE_SIZE];

	printf("%3" PRIu32 " %-17s %-8s %-15s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 "\n", index,
	       device_mac(mac, d->mac), device_state(d), printable(bridge, d->bridge), d->reads,
	       d->writes, d->dropped);
}

static void print_disk(const struct vl_device *d, uint32_t index)
{
	printf("%3" PRIu32 " %-8s %9" PRIu64 " %-6s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 "\n",
	       index, device_state(d), d->size / KIB, d->flags & VL_DEVICE_READ_ONLY ? "r" : "w",
	       d->reads, d->writes, d->refused);
}

static void print_text(const struct vl_devices *d, uint32_t kind)
{
	if (vl_count_devices(d, kind) == 0)
		return;
	if (kind == VL_DEVICE_NET)
		printf("%3s %-17s %-8s %-15s %10s %10s %8s\n", "Idx", "Mac Addr.", "State",
		       "Bridge", "Rx", "Tx", "Dropped");
	else
		printf("%3s %-8s %9s %-6s %10s %10s %8s\n", "Idx", "State", "Size(KiB)", "Access",
		       "Reads", "Writes", "Errors");
	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++) {
		if (!d->there[i] || d->device[i].kind != kind)
			continue;
		if (kind == VL_DEVICE_NET)
			print_net(&d->device[i], i);
		else
			print_disk(&d->device[i], i);
	}
}

static void print_json(const struct vl_devices *d, uint32_t kind)
{
	struct json_object *array = json_new_array();

	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
		if (d->there[i] && d->device[i].kind == kind)
			json_append(array, device_json(&d->device[i], i));
	json_print(stdout, array);
}

static int list(struct invocation *inv, uint32_t kind, struct vl_error *e)
{
	struct vl_domain_info domain;
	struct vl_devices devices;
	int rc = vl_find_domain(&inv->client, inv->operands[0], &domain, e);

	if (rc == 0)
		rc = vl_get_devices(&inv->client, domain.domid, &devices, e);
	if (rc)
		return rc;
	if (option_given(inv, "json"))
		print_json(&devices, kind);
	else
		print_text(&devices, kind);
	return 0;
}

int cmd_network_list(struct invocation *inv, struct vl_error *e)
{
	return list(inv, VL_DEVICE_NET, e);
}

int cmd_block_list(struct invocation *inv, struct vl_error *e)
{
	return list(inv, VL_DEVICE_BLOCK, e);
}
