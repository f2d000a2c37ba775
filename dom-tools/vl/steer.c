/* SPDX-License-Identifier: MIT */
/*
 * The commands that tell another domain to stop or to go on. They print
 * nothing when it is done.
 */
#include "dom-tools/vl/command.h"

#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/guests.h"

/* The domain that the user named. */
static int find(struct invocation *inv, struct vl_domain_info *d, struct vl_error *e)
{
	return vl_find_domain(&inv->client, inv->operands[0], d, e);
}

int cmd_destroy(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc = find(inv, &d, e);

	return rc ? rc : vl_guest_destroy(&inv->client, &d, e);
}

int cmd_pause(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc = find(inv, &d, e);

	return rc ? rc : vl_guest_pause(&inv->client, &d, e);
}

int cmd_unpause(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc = find(inv, &d, e);

	return rc ? rc : vl_guest_unpause(&inv->client, &d, e);
}

static int ask_to_end(struct invocation *inv, uint32_t reason, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc = find(inv, &d, e);

	if (rc == 0)
		rc = vl_guest_shutdown(&inv->client, &d, reason, e);
	if (rc == 0 && option_given(inv, "wait"))
		rc = vl_guest_wait(&inv->client, d.domid, true, e);
	return rc;
}

int cmd_shutdown(struct invocation *inv, struct vl_error *e)
{
	return ask_to_end(inv, VL_SHUTDOWN_POWEROFF, e);
}

int cmd_reboot(struct invocation *inv, struct vl_error *e)
{
	return ask_to_end(inv, VL_SHUTDOWN_REBOOT, e);
}
