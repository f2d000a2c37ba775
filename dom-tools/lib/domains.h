/* SPDX-License-Identifier: MIT */
/*
 * Sets of domains: all of them, and the one that a user named. Wherever vl
 * takes a domain it takes an id or a name through vl_find_domain(), so that
 * the rule for telling them apart exists once: digits only are an id.
 */
#ifndef DOM_TOOLS_LIB_DOMAINS_H
#define DOM_TOOLS_LIB_DOMAINS_H

#include "dom-tools/lib/client.h"

/** Domains in ascending order of id, as they were at some moment each. */
struct vl_domain_list {
	size_t count;
	struct vl_domain_info *domain;
};

/**
 * List all domains that this guest may see; one that goes away meanwhile is left out. Returns 0 and
 * a list to be freed by vl_free_domains(), or a negative errno with its sentence in `e` and nothing
 * to free.
 */
int vl_list_domains(struct vl_client *c, struct vl_domain_list *list, struct vl_error *e);

/** Free what vl_list_domains() made. */
void vl_free_domains(struct vl_domain_list *list);

/**
 * Find a domain by what a user wrote: an id if it is all digits, else a name. Returns 0 or a
 * negative errno with its sentence in `e`. ENOENT: no such domain; EEXIST: several have the name.
 */
int vl_find_domain(struct vl_client *c, const char *id_or_name, struct vl_domain_info *info,
		   struct vl_error *e);

#endif
