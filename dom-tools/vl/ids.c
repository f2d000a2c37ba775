/* SPDX-License-Identifier: MIT */
/*
 * `vl domid`, `vl domname`: from one way to name a domain to the other, one
 * word and nothing else, for scripts. `vl rename`: another name.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/name.h"
#include "dom-tools/vl/output.h"

int cmd_domid(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc = vl_find_domain(&inv->client, inv->operands[0], &d, e);

	if (rc == 0)
		printf("%" PRIu32 "\n", d.domid);
	return rc;
}

int cmd_domname(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	char name[PRINTABLE_SIZE];
	int rc = vl_find_domain(&inv->client, inv->operands[0], &d, e);

	if (rc == 0)
		puts(printable(name, d.name));
	return rc;
}

int cmd_rename(struct invocation *inv, struct vl_error *e)
{
	const char *name = inv->operands[1];
	const char *wrong = vl_name_problem(name);
	struct vl_domain_info d;
	int rc;

	if (wrong)
		return vl_fail(e, EINVAL, "the name `%s` %s", name, wrong);
	rc = vl_find_domain(&inv->client, inv->operands[0], &d, e);
	return rc ? rc : vl_rename_domain(&inv->client, d.domid, name, e);
}
