/* SPDX-License-Identifier: MIT */
/*
 * `vl pci-take` and `vl pci-return`: a PCI function goes from this guest to
 * Vellum and back.
 */
#include "dom-tools/vl/pci.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dom-tools/lib/devices.h"
#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/pci_move.h"
#include "dom-tools/vl/command.h"

static int parse(const struct invocation *inv, uint32_t *function, struct vl_error *e)
{
	if (vl_pci_parse(inv->operands[0], function))
		return 0;
	return vl_fail(e, VL_USAGE,
		       "`%s` is no PCI function; write BUS:DEVICE.FUNCTION, as 00:03.0",
		       inv->operands[0]);
}

int cmd_pci_take(struct invocation *inv, struct vl_error *e)
{
	const char *bridge = option_value(inv, "bridge");
	struct vl_uplink uplink = {0};
	struct vl_error ignored;
	uint32_t function;
	int rc = parse(inv, &function, e);

	if (rc == 0 && bridge && (!*bridge || strlen(bridge) >= sizeof(uplink.bridge)))
		rc = vl_fail(e, VL_USAGE, "a bridge has a name of 1 to %zu characters",
			     sizeof(uplink.bridge) - 1);
	if (rc == 0)
		rc = vl_pci_to_vellum(&inv->client, function, e);
	if (rc || !bridge)
		return rc;
	memcpy(uplink.bridge, bridge, strlen(bridge));
	rc = vl_uplink(&inv->client, function, VL_UPLINK_ON, &uplink, e);
	if (rc)
		vl_pci_from_vellum(&inv->client, function, &ignored);
	return rc;
}

int cmd_pci_return(struct invocation *inv, struct vl_error *e)
{
	struct vl_uplink uplink = {0};
	uint32_t function;
	int rc = parse(inv, &function, e);

	if (rc)
		return rc;
	rc = vl_uplink(&inv->client, function, VL_UPLINK_OFF, &uplink, e);
	if (rc && rc != -VL_ENOENT)
		return rc;
	return vl_pci_from_vellum(&inv->client, function, e);
}

static int check_no_virtio(struct vl_client *c, struct vl_error *e)
{
	struct vl_devices devices;
	struct vl_error ignored;

	if (vl_get_devices(c, 0, &devices, &ignored))
		return 0;
	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
		if (devices.there[i])
			return vl_fail(
				e, EBUSY,
				"this guest has a virtio device of Vellum's: `vl %s-detach "
				"0 %" PRIu32 "` first",
				devices.device[i].kind == VL_DEVICE_NET ? "network" : "block", i);
	return 0;
}

int pci_check_none(struct vl_client *c, struct vl_error *e)
{
	struct vl_pci_taken taken;
	struct vl_error ignored;
	char name[PCI_NAME_SIZE];

	if (vl_pci_taken(c, &taken, &ignored))
		return 0;
	if (taken.count == 0)
		return check_no_virtio(c, e);
	vl_pci_name(name, taken.function[0].function);
	return vl_fail(e, EBUSY,
		       "PCI function %s is Vellum's, which drives it: `vl pci-return %s` first",
		       name, name);
}
