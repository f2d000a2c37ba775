/* SPDX-License-Identifier: MIT */
/*
 * `vl version`: which vl talks to which Vellum. The build passes VL_VERSION,
 * a string, see dom-tools/build.mk.
 */
#include "dom-tools/vl/version.h"

#include <stdio.h>

#include "dom-tools/vl/command.h"
#include "dom-tools/vl/output.h"

void print_tool_version(void)
{
	printf("vl: %s (ABI %d.%d)\n", VL_VERSION, VL_ABI_MAJOR, VL_ABI_MINOR);
}

static struct json_object *version_json(const char *version, uint32_t major, uint32_t minor)
{
	struct json_object *o = json_new_object();

	json_add_text(o, "version", version);
	json_add_u64(o, "abi_major", major);
	json_add_u64(o, "abi_minor", minor);
	return o;
}

int cmd_version(struct invocation *inv, struct vl_error *e)
{
	struct vl_hv_info hv;
	char name[PRINTABLE_SIZE];
	struct json_object *top;
	int rc = vl_get_hv_info(&inv->client, &hv, e);

	if (rc)
		return rc;
	if (!option_given(inv, "json")) {
		print_tool_version();
		printf("vellum: %s (ABI %u.%u)\n", printable(name, hv.version), hv.abi_major,
		       hv.abi_minor);
		return 0;
	}
	top = json_new_object();
	json_add(top, "vl", version_json(VL_VERSION, VL_ABI_MAJOR, VL_ABI_MINOR));
	json_add(top, "vellum", version_json(hv.version, hv.abi_major, hv.abi_minor));
	json_print(stdout, top);
	return 0;
}
