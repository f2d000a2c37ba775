/* SPDX-License-Identifier: MIT */
/*
 * What the tables of domains have in common: their first column, letters for
 * the state as xl has them, and how long a domain has been there and had CPUs.
 */
#ifndef DOM_TOOLS_VL_DOMAIN_TEXT_H
#define DOM_TOOLS_VL_DOMAIN_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/vl/command.h"

/** The domains that a command is about, and what it takes to tell times. */
struct domain_table {
	struct vl_domain_list list;
	struct vl_sched_info *sched; /* as the list's; weight 0: Vellum does not tell */
	uint64_t tsc_rate;
	bool alone; /* there is one domain on the whole machine */
};

/**
 * Fill it with the domain that the user named, or with all if that is NULL. Returns 0 and a table
 * for domain_table_free(), or a negative errno with its sentence in `e`.
 */
int domain_table_get(struct vl_client *c, const char *id_or_name, struct domain_table *t,
		     struct vl_error *e);

/** Fill t->sched, for those who have made the list themselves. As domain_table_get(). */
int domain_table_times(struct vl_client *c, struct domain_table *t, struct vl_error *e);

void domain_table_free(struct domain_table *t);

/**
 * A command about one domain, its operand, or all: get the table and show it as text, or with
 * --json as that. Returns 0, or a negative errno with its sentence in `e`.
 */
int domain_table_show(struct invocation *inv, void (*text)(const struct domain_table *),
		      void (*json)(const struct domain_table *), struct vl_error *e);

/** Width of a column that has to hold each printable name, at least 16. */
int domain_name_width(const struct vl_domain_list *list);

/** "r-----": one letter of xl's rbpscd at its place. */
const char *domain_state_letters(uint32_t state);

/** Seconds since the domain was entered. */
double domain_uptime(const struct domain_table *t, const struct vl_domain_info *d);

/**
 * Seconds that CPUs were the domain's: while it is the only one, all of its CPUs, all the time; of
 * several what Vellum has counted since it was made or, of the first guest, since there are others.
 * Negative if Vellum does not tell.
 */
double domain_cpu_seconds(const struct domain_table *t, const struct vl_domain_info *d);

#endif
