/* SPDX-License-Identifier: MIT */
/*
 * `vl info`: the hypervisor, and the mode of the guest that vl runs in, with
 * its layers and counters. The text form is `key: value`, one space and no
 * padding: scripts grep for `mode: passthrough`.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>

#include "dom-tools/lib/devices.h"
#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/portions.h"
#include "dom-tools/vl/device_text.h"
#include "dom-tools/vl/output.h"
#include "dom-tools/vl/pci.h"

#define KIB 1024

struct facts {
	struct vl_hv_info hv;
	struct vl_domain_info self;
	struct vl_domain_counters counters;
	struct vl_portions portions;
	bool has_counters, has_portions; /* Vellum is not too old for them */
};

static const struct {
	const char *key;
	uint32_t layer;
} layers[] = {
	{"layer_cpu", VL_LAYER_CPU},
	{"layer_memory", VL_LAYER_MEMORY},
	{"layer_interrupts", VL_LAYER_INTERRUPTS},
	{"layer_io", VL_LAYER_IO},
};

#define COUNTER(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct vl_domain_counters, field)                                 \
	}

static const struct {
	const char *key;
	size_t offset;
} counters[] = {
	COUNTER(virtualized),         COUNTER(devirtualized),      COUNTER(virtualize_cycles),
	COUNTER(devirtualize_cycles), COUNTER(exits_hypercall),    COUNTER(exits_syscall),
	COUNTER(exits_interrupt),     COUNTER(exits_hidden_fault), COUNTER(exits_guest_fault),
	COUNTER(exits_emulated),      COUNTER(exits_reflected),    COUNTER(shadow_fills),
	COUNTER(shadow_flushes),      COUNTER(shadow_evictions),   COUNTER(shadow_tables),
	COUNTER(p2m_tables),          COUNTER(p2m_moved),          COUNTER(io_accesses),
};

/* In the order of their bits. */
static const char *const shadow_names[] = {
	"cached_roots", "prefill", "large", "shared", "walk_cache", "access_cache",
};
static const char *const fast_names[] = {
	"syscall", "sysret", "iret", "kernel_iret", "swapgs", "faults", "calls",
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t counter(const struct vl_domain_counters *c, size_t i)
{
	return *(const uint64_t *)((const char *)c + counters[i].offset);
}

static const char *layer_state(const struct vl_domain_counters *c, size_t i)
{
	return vl_mode_name(c->layers & layers[i].layer ? VL_MODE_VIRTUALIZED
							: VL_MODE_PASSTHROUGH);
}

/* The switches that are on as Vellum's options shadow= and fast= take them; bits without a name, of
 * a newer Vellum, are left out. */
#define SWITCHES_SIZE 96
static const char *switch_list(char *out, uint32_t on, const char *const *names, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		if (on & (uint32_t)1 << i)
			at += (size_t)snprintf(out + at, SWITCHES_SIZE - at, "%s%s",
					       at > 0 ? "," : "", names[i]);
	if (at == 0)
		snprintf(out, SWITCHES_SIZE, "none");
	return out;
}

static const char *shadow_list(char *out, const struct vl_hv_info *hv)
{
	return switch_list(out, hv->shadow, shadow_names, NR(shadow_names));
}

static const char *fast_list(char *out, const struct vl_hv_info *hv)
{
	return switch_list(out, hv->fast, fast_names, NR(fast_names));
}

/* As `vl devirtualize --memory` takes them. */
static void print_portions(const struct vl_portions *p)
{
	printf("portions:%s", p->whole ? " all" : p->count == 0 ? " none" : "");
	for (uint32_t i = 0; i < p->count && !p->whole; i++)
		printf(" 0x%" PRIx64 "-0x%" PRIx64, p->portion[i].start,
		       p->portion[i].start + p->portion[i].size);
	printf("\n");
}

static struct json_object *json_portions(const struct vl_portions *p)
{
	struct json_object *list = json_new_array();

	for (uint32_t i = 0; i < p->count; i++) {
		struct json_object *o = json_new_object();

		json_add_u64(o, "start", p->portion[i].start);
		json_add_u64(o, "size", p->portion[i].size);
		json_append(list, o);
	}
	return list;
}

static void print_text(const struct facts *f)
{
	const struct vl_hv_info *hv = &f->hv;
	char name[PRINTABLE_SIZE], list[SWITCHES_SIZE];

	printf("version: %s\n", printable(name, hv->version));
	printf("build: %s\n", printable(name, hv->build));
	printf("abi: %" PRIu32 ".%" PRIu32 "\n", hv->abi_major, hv->abi_minor);
	printf("mode: %s\n", vl_mode_name(f->self.mode));
	printf("domain: %" PRIu32 " (%s)\n", f->self.domid, printable(name, f->self.name));
	printf("domains: %" PRIu32 "\n", hv->nr_domains);
	printf("cpus: %" PRIu32 "\n", hv->nr_cpus);
	printf("machine_ram: %" PRIu64 " KiB\n", hv->machine_ram / KIB);
	printf("partition_start: 0x%" PRIx64 "\n", hv->partition_start);
	printf("partition_size: %" PRIu64 " KiB\n", hv->partition_size / KIB);
	printf("partition_free: %" PRIu64 " KiB\n", hv->partition_free / KIB);
	printf("image_size: %" PRIu64 " KiB\n", (hv->image_size + KIB - 1) / KIB);
	printf("hypercalls: %" PRIu64 "\n", hv->hypercalls);
	printf("shadow: %s\n", shadow_list(list, hv));
	printf("fast: %s\n", fast_list(list, hv));
	for (size_t i = 0; f->has_counters && i < NR(layers); i++)
		printf("%s: %s\n", layers[i].key, layer_state(&f->counters, i));
	if (f->has_portions)
		print_portions(&f->portions);
	for (size_t i = 0; f->has_counters && i < NR(counters); i++)
		printf("%s: %" PRIu64 "\n", counters[i].key, counter(&f->counters, i));
}

static void print_json(const struct facts *f)
{
	const struct vl_hv_info *hv = &f->hv;
	struct json_object *top = json_new_object();
	char list[SWITCHES_SIZE];

	json_add_text(top, "version", hv->version);
	json_add_text(top, "build", hv->build);
	json_add_u64(top, "abi_major", hv->abi_major);
	json_add_u64(top, "abi_minor", hv->abi_minor);
	json_add_text(top, "mode", vl_mode_name(f->self.mode));
	json_add_u64(top, "domid", f->self.domid);
	json_add_text(top, "name", f->self.name);
	json_add_u64(top, "domains", hv->nr_domains);
	json_add_u64(top, "cpus", hv->nr_cpus);
	json_add_u64(top, "machine_ram", hv->machine_ram);
	json_add_u64(top, "partition_start", hv->partition_start);
	json_add_u64(top, "partition_size", hv->partition_size);
	json_add_u64(top, "partition_free", hv->partition_free);
	json_add_u64(top, "image_size", hv->image_size);
	json_add_u64(top, "hypercalls", hv->hypercalls);
	json_add_text(top, "shadow", shadow_list(list, hv));
	json_add_text(top, "fast", fast_list(list, hv));
	for (size_t i = 0; f->has_counters && i < NR(layers); i++)
		json_add_text(top, layers[i].key, layer_state(&f->counters, i));
	if (f->has_portions)
		json_add(top, "portions", json_portions(&f->portions));
	for (size_t i = 0; f->has_counters && i < NR(counters); i++)
		json_add_u64(top, counters[i].key, counter(&f->counters, i));
	json_print(stdout, top);
}

static int get_facts(struct vl_client *c, struct facts *f, struct vl_error *e)
{
	int rc = vl_get_hv_info(c, &f->hv, e);

	if (rc == 0)
		rc = vl_get_domain(c, VL_DOMID_SELF, &f->self, e);
	if (rc)
		return rc;
	rc = vl_get_counters(c, VL_DOMID_SELF, &f->counters, e);
	f->has_counters = rc == 0;
	if (rc && rc != -ENOSYS)
		return rc;
	rc = vl_get_portions(c, &f->portions, e);
	f->has_portions = rc == 0;
	return rc == -ENOSYS ? 0 : rc;
}

/* The first guest has the machine's, others have what it gave them. */
static int show_devices(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info self;
	struct vl_devices virtio;
	int rc = pci_show(&inv->client, option_given(inv, "json"), e);

	if (rc != -EPERM)
		return rc;
	rc = vl_get_domain(&inv->client, VL_DOMID_SELF, &self, e);
	if (rc == 0)
		rc = vl_get_devices(&inv->client, self.domid, &virtio, e);
	if (rc)
		return rc;
	if (option_given(inv, "json"))
		json_print(stdout, device_list_json(&virtio));
	else
		device_print_lines(&virtio);
	return 0;
}

int cmd_info(struct invocation *inv, struct vl_error *e)
{
	struct facts f;
	int rc;

	if (option_given(inv, "devices"))
		return show_devices(inv, e);
	rc = get_facts(&inv->client, &f, e);
	if (rc)
		return rc;
	if (option_given(inv, "json"))
		print_json(&f);
	else
		print_text(&f);
	return 0;
}
