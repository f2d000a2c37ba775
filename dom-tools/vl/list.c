/* SPDX-License-Identifier: MIT */
/*
 * `vl list`: the domains, one a line like xl's with the mode behind, or as a
 * JSON array. The name column is as wide as the longest name; the header
 * appears only with rows.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>

#include "dom-tools/vl/domain_text.h"
#include "dom-tools/vl/output.h"

#define MIB (1024 * 1024)

static void print_row(const struct domain_table *t, const struct vl_domain_info *d, int width)
{
	double seconds = domain_cpu_seconds(t, d);
	char name[PRINTABLE_SIZE], time[32] = "-";

	if (seconds >= 0)
		snprintf(time, sizeof(time), "%.1f", seconds);
	printf("%-*s %5" PRIu32 " %7" PRIu64 " %5" PRIu32 " %-6s %10s %s\n", width,
	       printable(name, d->name), d->domid, d->memory / MIB, d->nr_vcpus,
	       domain_state_letters(d->state), time, vl_mode_name(d->mode));
}

static void print_text(const struct domain_table *t)
{
	int width = domain_name_width(&t->list);

	if (t->list.count)
		printf("%-*s %5s %7s %5s %-6s %10s %s\n", width, "Name", "ID", "Mem", "VCPUs",
		       "State", "Time(s)", "Mode");
	for (size_t i = 0; i < t->list.count; i++)
		print_row(t, &t->list.domain[i], width);
}

static struct json_object *domain_json(const struct domain_table *t, const struct vl_domain_info *d)
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
	json_add_seconds(o, "uptime_seconds", domain_uptime(t, d));
	if (domain_cpu_seconds(t, d) >= 0)
		json_add_seconds(o, "cpu_seconds", domain_cpu_seconds(t, d));
	return o;
}

static void print_json(const struct domain_table *t)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < t->list.count; i++)
		json_append(array, domain_json(t, &t->list.domain[i]));
	json_print(stdout, array);
}

int cmd_list(struct invocation *inv, struct vl_error *e)
{
	return domain_table_show(inv, print_text, print_json, e);
}
