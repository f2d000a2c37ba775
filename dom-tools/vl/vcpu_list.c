/* SPDX-License-Identifier: MIT */
/*
 * `vl vcpu-list`: the vcpus of the domains, one a line in xl's columns. What a
 * Vellum that is too old does not tell, or another guest is not told, is left
 * out; the first guest's vcpus are then still on the CPUs of the same numbers.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dom-tools/vl/domain_text.h"
#include "dom-tools/vl/output.h"

struct row {
	const struct vl_domain_info *domain;
	uint32_t vcpu;
	bool told; /* `status` is */
	struct vl_vcpu_status status;
};

struct rows {
	struct domain_table table;
	size_t count;
	struct row *row;
};

/* One that went since the list was made is told of as by an old Vellum. */
static int get_row(struct vl_client *c, struct row *r, struct vl_error *e)
{
	int rc = vl_get_vcpu(c, r->domain->domid, r->vcpu, &r->status, e);

	r->told = rc == 0;
	return rc == -ENOENT || rc == -ENOSYS || rc == -EPERM ? 0 : rc;
}

static int get_rows(struct vl_client *c, struct rows *rows, struct vl_error *e)
{
	const struct vl_domain_list *list = &rows->table.list;
	size_t most = 0;
	int rc = 0;

	for (size_t i = 0; i < list->count; i++)
		most += list->domain[i].nr_vcpus;
	rows->row = calloc(most + 1, sizeof(*rows->row));
	if (!rows->row)
		return vl_fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < list->count; i++)
		for (uint32_t v = 0; v < list->domain[i].nr_vcpus && rc == 0; v++) {
			struct row *r = &rows->row[rows->count++];

			*r = (struct row){.domain = &list->domain[i], .vcpu = v};
			rc = get_row(c, r, e);
		}
	return rc;
}

static bool is_offline(const struct row *r)
{
	return r->told && !(r->status.flags & VL_VCPU_ONLINE);
}

/* Negative: it is on none, or it is not known on which. */
static int64_t cpu_of(const struct row *r)
{
	if (is_offline(r) || (!r->told && r->domain->domid != 0))
		return -1;
	return r->told ? r->status.cpu : r->vcpu;
}

/* A single guest has its CPUs for itself. Negative: it is not known. */
static double seconds_of(const struct rows *rows, const struct row *r)
{
	if (rows->table.alone)
		return domain_uptime(&rows->table, r->domain);
	return r->told ? (double)r->status.run / (double)rows->table.tsc_rate : -1;
}

/* What it does while its domain runs; NULL: it waits for its turn, or it is not known. */
static const char *activity(const struct row *r)
{
	if (is_offline(r))
		return "offline";
	if (!r->told)
		return NULL;
	if (r->status.flags & VL_VCPU_RUNNING)
		return "running";
	return r->status.flags & VL_VCPU_HALTED ? "blocked" : "waiting";
}

static const char *state_of(const struct row *r)
{
	const char *what = activity(r);

	return r->domain->state == VL_STATE_RUNNING && what ? what
							    : vl_state_name(r->domain->state);
}

/* xl's three letters. */
static void letters(char *to, const struct row *r)
{
	const char *state = state_of(r);

	snprintf(to, 4, "---");
	if (state[0] == 'r')
		to[0] = 'r';
	else if (state[0] == 'b')
		to[1] = 'b';
	else if (state[0] == 'p' || state[0] == 'o')
		to[2] = 'p';
}

static void print_row(const struct rows *rows, const struct row *r, int width)
{
	char name[PRINTABLE_SIZE], state[4], cpu[16] = "-", time[32] = "-";
	double seconds = seconds_of(rows, r);

	letters(state, r);
	if (cpu_of(r) >= 0)
		snprintf(cpu, sizeof(cpu), "%" PRId64, cpu_of(r));
	if (seconds >= 0)
		snprintf(time, sizeof(time), "%.1f", seconds);
	printf("%-*s %5" PRIu32 " %5" PRIu32 " %5s %5s %10s\n", width,
	       printable(name, r->domain->name), r->domain->domid, r->vcpu, cpu, state, time);
}

static void print_text(const struct rows *rows)
{
	int width = domain_name_width(&rows->table.list);

	if (rows->table.list.count)
		printf("%-*s %5s %5s %5s %5s %10s\n", width, "Name", "ID", "VCPU", "CPU", "State",
		       "Time(s)");
	for (size_t i = 0; i < rows->count; i++)
		print_row(rows, &rows->row[i], width);
}

static struct json_object *row_json(const struct rows *rows, const struct row *r)
{
	struct json_object *o = json_new_object();

	json_add_text(o, "name", r->domain->name);
	json_add_u64(o, "domid", r->domain->domid);
	json_add_u64(o, "vcpu", r->vcpu);
	if (cpu_of(r) >= 0)
		json_add_u64(o, "cpu", (uint64_t)cpu_of(r));
	json_add_text(o, "state", state_of(r));
	if (seconds_of(rows, r) >= 0)
		json_add_seconds(o, "cpu_seconds", seconds_of(rows, r));
	if (r->told)
		json_add_seconds(o, "waited_seconds",
				 (double)r->status.waited / (double)rows->table.tsc_rate);
	return o;
}

static void print_json(const struct rows *rows)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < rows->count; i++)
		json_append(array, row_json(rows, &rows->row[i]));
	json_print(stdout, array);
}

int cmd_vcpu_list(struct invocation *inv, struct vl_error *e)
{
	struct rows rows = {0};
	int rc = domain_table_get(&inv->client, inv->nr_operands ? inv->operands[0] : NULL,
				  &rows.table, e);

	if (rc)
		return rc;
	rc = get_rows(&inv->client, &rows, e);
	if (rc == 0 && option_given(inv, "json"))
		print_json(&rows);
	else if (rc == 0)
		print_text(&rows);
	free(rows.row);
	domain_table_free(&rows.table);
	return rc;
}
