/* SPDX-License-Identifier: MIT */
/*
 * `vl sched`: the shares of the CPUs that domains have when there are not
 * enough for all, and how they are changed.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "dom-tools/lib/guests.h"
#include "dom-tools/vl/domain_text.h"
#include "dom-tools/vl/options.h"
#include "dom-tools/vl/output.h"

#define WEIGHT_MOST 65535

static void print_row(const struct vl_domain_info *d, uint32_t weight, int width)
{
	char name[PRINTABLE_SIZE];

	printf("%-*s %5" PRIu32 " %6" PRIu32 "\n", width, printable(name, d->name), d->domid,
	       weight);
}

static struct json_object *row_json(const struct vl_domain_info *d, uint32_t weight)
{
	struct json_object *o = json_new_object();

	json_add_text(o, "name", d->name);
	json_add_u64(o, "domid", d->domid);
	json_add_u64(o, "weight", weight);
	return o;
}

/* Nothing is printed before all is known. */
static int show(struct invocation *inv, const struct vl_domain_list *list, struct vl_error *e)
{
	struct json_object *array = json_new_array();
	int width = domain_name_width(list);
	uint32_t weight[list->count + 1];
	int rc = 0;

	for (size_t i = 0; i < list->count && rc == 0; i++)
		rc = vl_guest_weight(&inv->client, &list->domain[i], 0, &weight[i], e);
	for (size_t i = 0; i < list->count && rc == 0; i++)
		json_append(array, row_json(&list->domain[i], weight[i]));
	if (rc == 0 && option_given(inv, "json")) {
		json_print(stdout, array);
		return 0;
	}
	json_object_put(array);
	if (rc == 0 && list->count)
		printf("%-*s %5s %6s\n", width, "Name", "ID", "Weight");
	for (size_t i = 0; i < list->count && rc == 0; i++)
		print_row(&list->domain[i], weight[i], width);
	return rc;
}

int cmd_sched(struct invocation *inv, struct vl_error *e)
{
	const char *operand = inv->nr_operands ? inv->operands[0] : NULL;
	struct domain_table t;
	uint64_t weight = 0;
	uint32_t now;
	int rc = option_number(inv, "weight", 1, WEIGHT_MOST, &weight, e);

	if (rc)
		return rc;
	if (weight && !operand)
		return vl_fail(e, VL_USAGE, "sched: --weight needs a domain");
	rc = domain_table_get(&inv->client, operand, &t, e);
	if (rc)
		return rc;
	if (weight)
		rc = vl_guest_weight(&inv->client, &t.list.domain[0], (uint32_t)weight, &now, e);
	else
		rc = show(inv, &t.list, e);
	domain_table_free(&t);
	return rc;
}
