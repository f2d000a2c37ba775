/* SPDX-License-Identifier: MIT */
/*
 * `vl info`: the hypervisor, and the mode of the guest that vl runs in. The
 * text form is `key: value`, one space and no padding: scripts grep for
 * `mode: passthrough`.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>

#include "dom-tools/vl/output.h"

#define KIB 1024

static void print_text(const struct vl_hv_info *hv, const struct vl_domain_info *self)
{
	char name[PRINTABLE_SIZE];

	printf("version: %s\n", printable(name, hv->version));
	printf("build: %s\n", printable(name, hv->build));
	printf("abi: %" PRIu32 ".%" PRIu32 "\n", hv->abi_major, hv->abi_minor);
	printf("mode: %s\n", vl_mode_name(self->mode));
	printf("domain: %" PRIu32 " (%s)\n", self->domid, printable(name, self->name));
	printf("domains: %" PRIu32 "\n", hv->nr_domains);
	printf("cpus: %" PRIu32 "\n", hv->nr_cpus);
	printf("machine_ram: %" PRIu64 " KiB\n", hv->machine_ram / KIB);
	printf("partition_start: 0x%" PRIx64 "\n", hv->partition_start);
	printf("partition_size: %" PRIu64 " KiB\n", hv->partition_size / KIB);
	printf("partition_free: %" PRIu64 " KiB\n", hv->partition_free / KIB);
	printf("image_size: %" PRIu64 " KiB\n", (hv->image_size + KIB - 1) / KIB);
	printf("hypercalls: %" PRIu64 "\n", hv->hypercalls);
}

static void print_json(const struct vl_hv_info *hv, const struct vl_domain_info *self)
{
	struct json_object *top = json_new_object();

	json_add_text(top, "version", hv->version);
	json_add_text(top, "build", hv->build);
	json_add_u64(top, "abi_major", hv->abi_major);
	json_add_u64(top, "abi_minor", hv->abi_minor);
	json_add_text(top, "mode", vl_mode_name(self->mode));
	json_add_u64(top, "domid", self->domid);
	json_add_text(top, "name", self->name);
	json_add_u64(top, "domains", hv->nr_domains);
	json_add_u64(top, "cpus", hv->nr_cpus);
	json_add_u64(top, "machine_ram", hv->machine_ram);
	json_add_u64(top, "partition_start", hv->partition_start);
	json_add_u64(top, "partition_size", hv->partition_size);
	json_add_u64(top, "partition_free", hv->partition_free);
	json_add_u64(top, "image_size", hv->image_size);
	json_add_u64(top, "hypercalls", hv->hypercalls);
	json_print(stdout, top);
}

int cmd_info(struct invocation *inv, struct vl_error *e)
{
	struct vl_hv_info hv;
	struct vl_domain_info self;
	int rc = vl_get_hv_info(&inv->client, &hv, e);

	if (rc == 0)
		rc = vl_get_domain(&inv->client, VL_DOMID_SELF, &self, e);
	if (rc)
		return rc;
	if (option_given(inv, "json"))
		print_json(&hv, &self);
	else
		print_text(&hv, &self);
	return 0;
}
