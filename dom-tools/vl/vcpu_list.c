/* SPDX-License-Identifier: MIT */
/*
 * `vl vcpu-list`: the vcpus of the domains, one a line in xl's columns. No
 * hypercall tells of a single vcpu yet; what is said here follows from the
 * domain: the first guest's vcpus are on the CPUs of the same numbers, in both
 * modes, and all have their domain's state.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "dom-tools/vl/domain_text.h"
#include "dom-tools/vl/output.h"

/* The domain that owns the machine. */
static bool is_first(const struct vl_domain_info *d)
{
	return d->domid == 0;
}

static void print_vcpu(const struct domain_table *t, const struct vl_domain_info *d, uint32_t vcpu,
		       int width)
{
	char name[PRINTABLE_SIZE], cpu[16] = "-", time[32] = "-";

	if (is_first(d))
		snprintf(cpu, sizeof(cpu), "%" PRIu32, vcpu);
	if (t->alone)
		snprintf(time, sizeof(time), "%.1f", domain_uptime(t, d));
	printf("%-*s %5" PRIu32 " %5" PRIu32 " %5s %-6s %10s\n", width, printable(name, d->name),
	       d->domid, vcpu, cpu, domain_state_letters(d->state), time);
}

static void print_text(const struct domain_table *t)
{
	int width = domain_name_width(&t->list);

	if (t->list.count)
		printf("%-*s %5s %5s %5s %-6s %10s\n", width, "Name", "ID", "VCPU", "CPU", "State",
		       "Time(s)");
	for (size_t i = 0; i < t->list.count; i++)
		for (uint32_t v = 0; v < t->list.domain[i].nr_vcpus; v++)
			print_vcpu(t, &t->list.domain[i], v, width);
}

static struct json_object *vcpu_json(const struct domain_table *t, const struct vl_domain_info *d,
				     uint32_t vcpu)
{
	struct json_object *o = json_new_object();

	json_add_text(o, "name", d->name);
	json_add_u64(o, "domid", d->domid);
	json_add_u64(o, "vcpu", vcpu);
	if (is_first(d))
		json_add_u64(o, "cpu", vcpu);
	json_add_text(o, "state", vl_state_name(d->state));
	if (t->alone)
		json_add_seconds(o, "cpu_seconds", domain_uptime(t, d));
	return o;
}

static void print_json(const struct domain_table *t)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < t->list.count; i++)
		for (uint32_t v = 0; v < t->list.domain[i].nr_vcpus; v++)
			json_append(array, vcpu_json(t, &t->list.domain[i], v));
	json_print(stdout, array);
}

int cmd_vcpu_list(struct invocation *inv, struct vl_error *e)
{
	return domain_table_show(inv, print_text, print_json, e);
}
