/* SPDX-License-Identifier: MIT */
/*
 * `vl uptime`: how long the domains have been there, in the form of xl's.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "dom-tools/vl/domain_text.h"
#include "dom-tools/vl/output.h"

#define DAY 86400

/* "3 days,  4:05:06" */
static void print_uptime(uint64_t seconds)
{
	uint64_t days = seconds / DAY, rest = seconds % DAY;

	if (days)
		printf("%" PRIu64 " day%s, ", days, days == 1 ? "" : "s");
	printf("%2" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "\n", rest / 3600, rest / 60 % 60,
	       rest % 60);
}

static void print_text(const struct domain_table *t)
{
	int width = domain_name_width(&t->list);
	char name[PRINTABLE_SIZE];

	if (t->list.count)
		printf("%-*s %5s %s\n", width, "Name", "ID", "Uptime");
	for (size_t i = 0; i < t->list.count; i++) {
		const struct vl_domain_info *d = &t->list.domain[i];

		printf("%-*s %5" PRIu32 " ", width, printable(name, d->name), d->domid);
		print_uptime((d->tsc_now - d->tsc_start) / t->tsc_rate);
	}
}

static void print_json(const struct domain_table *t)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < t->list.count; i++) {
		const struct vl_domain_info *d = &t->list.domain[i];
		struct json_object *o = json_new_object();

		json_add_text(o, "name", d->name);
		json_add_u64(o, "domid", d->domid);
		json_add_seconds(o, "uptime_seconds", domain_uptime(t, d));
		json_append(array, o);
	}
	json_print(stdout, array);
}

int cmd_uptime(struct invocation *inv, struct vl_error *e)
{
	return domain_table_show(inv, print_text, print_json, e);
}
