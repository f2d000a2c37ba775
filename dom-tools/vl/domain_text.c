/* SPDX-License-Identifier: MIT */
/*
 * Tables of domains, see domain_text.h.
 */
#include "dom-tools/vl/domain_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/lib/machine.h"
#include "dom-tools/vl/output.h"

#define LEAST_WIDTH 16

static int get_list(struct vl_client *c, const char *id_or_name, struct vl_domain_list *list,
		    struct vl_error *e)
{
	int rc;

	if (!id_or_name)
		return vl_list_domains(c, list, e);
	*list = (struct vl_domain_list){.count = 1, .domain = calloc(1, sizeof(*list->domain))};
	if (!list->domain)
		return vl_fail(e, ENOMEM, "out of memory");
	rc = vl_find_domain(c, id_or_name, list->domain, e);
	if (rc)
		vl_free_domains(list);
	return rc;
}

int domain_table_times(struct vl_client *c, struct domain_table *t, struct vl_error *e)
{
	t->sched = calloc(t->list.count + 1, sizeof(*t->sched));
	if (!t->sched)
		return vl_fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < t->list.count && !t->alone; i++) {
		int rc = vl_get_sched(c, t->list.domain[i].domid, &t->sched[i], e);

		if (rc == -ENOENT || rc == -ENOSYS || rc == -EPERM)
			t->sched[i].weight = 0;
		else if (rc)
			return rc;
	}
	return 0;
}

int domain_table_get(struct vl_client *c, const char *id_or_name, struct domain_table *t,
		     struct vl_error *e)
{
	struct vl_hv_info hv;
	int rc = vl_get_hv_info(c, &hv, e);

	t->sched = NULL;
	if (rc == 0)
		rc = get_list(c, id_or_name, &t->list, e);
	if (rc)
		return rc;
	t->alone = hv.nr_domains == 1;
	rc = domain_table_times(c, t, e);
	if (rc)
		domain_table_free(t);
	else
		t->tsc_rate = t->list.count ? machine_tsc_rate() : 0;
	return rc;
}

void domain_table_free(struct domain_table *t)
{
	vl_free_domains(&t->list);
	free(t->sched);
	t->sched = NULL;
}

int domain_table_show(struct invocation *inv, void (*text)(const struct domain_table *),
		      void (*json)(const struct domain_table *), struct vl_error *e)
{
	struct domain_table t;
	int rc = domain_table_get(&inv->client, inv->nr_operands ? inv->operands[0] : NULL, &t, e);

	if (rc)
		return rc;
	if (option_given(inv, "json"))
		json(&t);
	else
		text(&t);
	domain_table_free(&t);
	return 0;
}

int domain_name_width(const struct vl_domain_list *list)
{
	char name[PRINTABLE_SIZE];
	size_t width = LEAST_WIDTH;

	for (size_t i = 0; i < list->count; i++) {
		size_t n = strlen(printable(name, list->domain[i].name));

		width = n > width ? n : width;
	}
	return (int)width;
}

const char *domain_state_letters(uint32_t state)
{
	switch (state) {
	case VL_STATE_RUNNING:
		return "r-----";
	case VL_STATE_PAUSED:
		return "--p---";
	case VL_STATE_CRASHED:
		return "----c-";
	case VL_STATE_SHUTDOWN:
		return "---s--";
	case VL_STATE_DYING:
		return "-----d";
	default:
		return "------";
	}
}

double domain_uptime(const struct domain_table *t, const struct vl_domain_info *d)
{
	return (double)(d->tsc_now - d->tsc_start) / (double)t->tsc_rate;
}

double domain_cpu_seconds(const struct domain_table *t, const struct vl_domain_info *d)
{
	const struct vl_sched_info *sched = &t->sched[d - t->list.domain];

	if (t->alone)
		return domain_uptime(t, d) * d->nr_vcpus;
	return sched->weight ? (double)sched->run / (double)t->tsc_rate : -1;
}
