/* SPDX-License-Identifier: MIT */
/*
 * `vl list`: the domains, one a line like xl's, or as a JSON array. The name
 * column is as wide as the longest name; the header appears only with rows.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <string.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/vl/output.h"

#define MIB (1024 * 1024)

static int name_width(const struct vl_domain_list *list)
{
	char name[PRINTABLE_SIZE];
	size_t width = 16;

	for (size_t i = 0; i < list->count; i++) {
		size_t n = strlen(printable(name, list->domain[i].name));

		width = n > width ? n : width;
	}
	return (int)width;
}

static void print_text(const struct vl_domain_list *list)
{
	char name[PRINTABLE_SIZE];
	int width = name_width(list);

	if (list->count)
		printf("%-*s %5s %7s %5s %-8s %-12s %s\n", width, "Name", "ID", "Mem", "VCPUs",
		       "State", "Mode", "Calls");
	for (size_t i = 0; i < list->count; i++) {
		const struct vl_domain_info *d = &list->domain[i];

		printf("%-*s %5" PRIu32 " %7" PRIu64 " %5" PRIu32 " %-8s %-12s %" PRIu64 "\n",
		       width, printable(name, d->name), d->domid, d->memory / MIB, d->nr_vcpus,
		       vl_state_name(d->state), vl_mode_name(d->mode), d->hypercalls);
	}
}

static struct json_object *domain_json(const struct vl_domain_info *d)
{
	struct json_object *o = json_new_object();

	json_add_text(o, "name", d->name);
	json_add_u64(o, "domid", d->domid);
	json_add_text(o, "state", vl_state_name(d->state));
	json_add_text(o, "mode", vl_mode_name(d->mode));
	json_add_u64(o, "memory", d->memory);
	json_add_u64(o, "vcpus", d->nr_vcpus);
	json_add_u64(o, "hypercalls", d->hypercalls);
	json_add_u64(o, "uptime_tsc", d->tsc_now - d->tsc_start);
	return o;
}

static void print_json(const struct vl_domain_list *list)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < list->count; i++)
		json_append(array, domain_json(&list->domain[i]));
	json_print(stdout, array);
}

static void print_list(const struct invocation *inv, const struct vl_domain_list *list)
{
	if (option_given(inv, "json"))
		print_json(list);
	else
		print_text(list);
}

int cmd_list(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_list list;
	struct vl_domain_info one;
	int rc;

	if (inv->nr_operands) {
		rc = vl_find_domain(&inv->client, inv->operands[0], &one, e);
		if (rc == 0)
			print_list(inv, &(struct vl_domain_list){.count = 1, .domain = &one});
		return rc;
	}
	rc = vl_list_domains(&inv->client, &list, e);
	if (rc)
		return rc;
	print_list(inv, &list);
	vl_free_domains(&list);
	return 0;
}
