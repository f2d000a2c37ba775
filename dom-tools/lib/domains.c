/* SPDX-License-Identifier: MIT */
/*
 * Walks over the domains, see domains.h. A walk is not a snapshot: domains
 * come and go between two hypercalls, which is why a domain that vanished
 * after its id was learned is skipped and not an error.
 */
#include "dom-tools/lib/domains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(struct vl_domain_list *list, const struct vl_domain_info *info,
		  struct vl_error *e)
{
	struct vl_domain_info *grown =
		reallocarray(list->domain, list->count + 1, sizeof(*list->domain));

	if (!grown)
		return vl_fail(e, ENOMEM, "out of memory while listing the domains");
	list->domain = grown;
	list->domain[list->count++] = *info;
	return 0;
}

static int walk(struct vl_client *c, struct vl_domain_list *list, struct vl_error *e)
{
	struct vl_domain_info info;
	uint32_t domid = 0;
	int rc;

	for (;; domid++) {
		rc = vl_next_domain(c, domid, &domid, e);
		if (rc == -ENOENT)
			return 0;
		if (rc)
			return rc;
		rc = vl_get_domain(c, domid, &info, e);
		/* Gone, or none of ours: a later guest sees itself alone. */
		if (rc == -ENOENT || rc == -VL_EPERM)
			continue;
		if (rc == 0)
			rc = append(list, &info, e);
		if (rc)
			return rc;
	}
}

int vl_list_domains(struct vl_client *c, struct vl_domain_list *list, struct vl_error *e)
{
	int rc;

	*list = (struct vl_domain_list){0};
	rc = walk(c, list, e);
	if (rc)
		vl_free_domains(list);
	return rc;
}

void vl_free_domains(struct vl_domain_list *list)
{
	free(list->domain);
	*list = (struct vl_domain_list){0};
}

static int find_by_id(struct vl_client *c, const char *id, struct vl_domain_info *info,
		      struct vl_error *e)
{
	unsigned long n;

	errno = 0;
	n = strtoul(id, NULL, 10);
	if (errno || n > VL_DOMID_MAX)
		return vl_fail(e, ENOENT, "%s is no domain id: they go from 0 to %u", id,
			       VL_DOMID_MAX);
	return vl_get_domain(c, (uint32_t)n, info, e);
}

static int find_by_name(struct vl_client *c, const char *name, struct vl_domain_info *info,
			struct vl_error *e)
{
	struct vl_domain_list list;
	size_t found = 0;
	int rc = vl_list_domains(c, &list, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.domain[i].name, name) == 0 && found++ == 0)
			*info = list.domain[i];
	vl_free_domains(&list);
	if (found == 0)
		return vl_fail(e, ENOENT,
			       "no domain has the name `%s`; `vl list` shows those there are",
			       name);
	if (found > 1)
		return vl_fail(e, EEXIST,
			       "%zu domains have the name `%s`; use the id, `vl list` shows it",
			       found, name);
	return 0;
}

int vl_find_domain(struct vl_client *c, const char *id_or_name, struct vl_domain_info *info,
		   struct vl_error *e)
{
	if (*id_or_name && strspn(id_or_name, "0123456789") == strlen(id_or_name))
		return find_by_id(c, id_or_name, info, e);
	return find_by_name(c, id_or_name, info, e);
}
