/* SPDX-License-Identifier: MIT */
/*
 * `vl domid` and `vl domname`: from one way to name a domain to the other,
 * one word and nothing else, for scripts.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "dom-tools/lib/domains.h"
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
