/* SPDX-License-Identifier: MIT */
/*
 * Samples and their lines, see top_text.h.
 */
#include "dom-tools/vl/top_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/vl/output.h"

#define KIB 1024
#define MIB (KIB * KIB)

enum {
	LINE_DOMAINS,
	LINE_MEMORY,
	LINE_EMPTY,
	LINE_HEADER,
	LINE_FIRST_DOMAIN,
};

/* Running sums, of which rates are the differences. */
struct sums {
	uint64_t calls;
	uint64_t exits;
	uint64_t interrupts;
	uint64_t faults;
	uint64_t emulated;
	uint64_t fills;
};

static int get_counters(struct vl_client *c, struct sample *s, struct vl_error *e)
{
	struct vl_domain_list *list = &s->table.list;

	s->counters = calloc(list->count + 1, sizeof(*s->counters));
	if (!s->counters)
		return vl_fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < list->count; i++) {
		int rc = vl_get_counters(c, list->domain[i].domid, &s->counters[i], e);

		/* It went since the list was made, or this Vellum cannot tell. */
		if (rc == -ENOENT || rc == -ENOSYS)
			memset(&s->counters[i], 0, sizeof(s->counters[i]));
		else if (rc)
			return rc;
	}
	return 0;
}

int sample_get(struct vl_client *c, uint64_t tsc_rate, struct sample *s, struct vl_error *e)
{
	int rc;

	*s = (struct sample){.table.tsc_rate = tsc_rate};
	rc = vl_get_hv_info(c, &s->hv, e);
	if (rc == 0)
		rc = vl_list_domains(c, &s->table.list, e);
	if (rc)
		return rc;
	s->table.alone = s->hv.nr_domains == 1;
	rc = domain_table_times(c, &s->table, e);
	if (rc == 0)
		rc = get_counters(c, s, e);
	if (rc)
		sample_free(s);
	return rc;
}

void sample_free(struct sample *s)
{
	domain_table_free(&s->table);
	free(s->counters);
	*s = (struct sample){0};
}

size_t top_lines(const struct sample *now)
{
	return LINE_FIRST_DOMAIN + now->table.list.count;
}

static struct sums sum(const struct sample *s, size_t i)
{
	const struct vl_domain_counters *c = &s->counters[i];

	return (struct sums){
		.calls = s->table.list.domain[i].hypercalls,
		.exits = c->exits_hypercall + c->exits_syscall + c->exits_interrupt +
			 c->exits_hidden_fault + c->exits_guest_fault + c->exits_emulated +
			 c->exits_reflected,
		.interrupts = c->exits_interrupt,
		.faults = c->exits_hidden_fault + c->exits_guest_fault,
		.emulated = c->exits_emulated,
		.fills = c->shadow_fills,
	};
}

/* The same domain's place in another sample, -1 if it was not there. Ids are used again. */
static int place_in(const struct sample *s, const struct vl_domain_info *d)
{
	for (size_t i = 0; s && i < s->table.list.count; i++)
		if (s->table.list.domain[i].domid == d->domid &&
		    s->table.list.domain[i].tsc_start == d->tsc_start)
			return (int)i;
	return -1;
}

/* A rate; counters can go back when a domain's layers come and go. */
static double per_second(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static void domain_line(char *to, size_t i, const struct sample *now, const struct sample *before)
{
	const struct vl_domain_info *d = &now->table.list.domain[i];
	double cpu = domain_cpu_seconds(&now->table, d);
	int there = place_in(before, d);
	struct sums was = there >= 0 ? sum(before, (size_t)there) : (struct sums){0};
	uint64_t since = there >= 0 ? before->table.list.domain[there].tsc_now : d->tsc_start;
	double seconds = (double)(d->tsc_now - since) / (double)now->table.tsc_rate;
	struct sums is = sum(now, i);
	char name[PRINTABLE_SIZE], time[32] = "-";

	if (cpu >= 0)
		snprintf(time, sizeof(time), "%.1f", cpu);
	snprintf(to, TOP_LINE,
		 "%-16.16s %5" PRIu32 " %-6s %-11s %7" PRIu64 " %5" PRIu32
		 " %9s %8.0f %8.0f %7.0f %8.0f %7.0f %7.0f",
		 printable(name, d->name), d->domid, domain_state_letters(d->state),
		 vl_mode_name(d->mode), d->memory / MIB, d->nr_vcpus, time,
		 per_second(is.calls, was.calls, seconds), per_second(is.exits, was.exits, seconds),
		 per_second(is.interrupts, was.interrupts, seconds),
		 per_second(is.faults, was.faults, seconds),
		 per_second(is.emulated, was.emulated, seconds),
		 per_second(is.fills, was.fills, seconds));
}

void top_line(char *to, size_t n, const struct sample *now, const struct sample *before)
{
	const struct vl_hv_info *hv = &now->hv;
	char version[PRINTABLE_SIZE];

	to[0] = 0;
	if (n == LINE_DOMAINS)
		snprintf(to, TOP_LINE, "Vellum %s, %" PRIu32 " domain%s, %" PRIu32 " CPU%s",
			 printable(version, hv->version), hv->nr_domains,
			 hv->nr_domains == 1 ? "" : "s", hv->nr_cpus, hv->nr_cpus == 1 ? "" : "s");
	else if (n == LINE_MEMORY)
		snprintf(to, TOP_LINE,
			 "RAM %" PRIu64 " KiB, partition %" PRIu64 " KiB, of which %" PRIu64
			 " KiB free",
			 hv->machine_ram / KIB, hv->partition_size / KIB, hv->partition_free / KIB);
	else if (n == LINE_HEADER)
		snprintf(to, TOP_LINE, "%-16s %5s %-6s %-11s %7s %5s %9s %8s %8s %7s %8s %7s %7s",
			 "Name", "ID", "State", "Mode", "Mem", "VCPUs", "Time(s)", "Calls/s",
			 "Exits/s", "Irqs/s", "Faults/s", "Emul/s", "Fills/s");
	else if (n >= LINE_FIRST_DOMAIN && n < top_lines(now))
		domain_line(to, n - LINE_FIRST_DOMAIN, now, before);
}
