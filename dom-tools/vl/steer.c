/* SPDX-License-Identifier: MIT */
/*
 * The commands that tell another domain to stop, to go on, or how much memory
 * to have. They print nothing when it is done.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/guests.h"
#include "dom-tools/vl/home.h"

/* The domain that the user named. */
static int find(struct invocation *inv, struct vl_domain_info *d, struct vl_error *e)
{
	return vl_find_domain(&inv->client, inv->operands[0], d, e);
}

static int destroy_itself(struct invocation *inv, const struct vl_domain_info *d,
			  struct vl_error *e)
{
	uint64_t how;
	int rc = home_how(inv, &how, e);

	if (rc)
		return rc;
	if (!option_given(inv, "force"))
		return vl_fail(e, EPERM,
			       "domain %" PRIu32 " (%s) is the guest that you are in; with --force "
			       "it ends at once, unsaved, and the other guest gets the machine",
			       d->domid, d->name);
	return vl_guest_hand_over(&inv->client, how, e);
}

int cmd_destroy(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d, self;
	int rc = find(inv, &d, e);

	if (rc == 0)
		rc = vl_get_domain(&inv->client, VL_DOMID_SELF, &self, e);
	if (rc)
		return rc;
	return d.domid == self.domid ? destroy_itself(inv, &d, e)
				     : vl_guest_destroy(&inv->client, &d, e);
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

/* MiB without a unit, as xl has it. */
static int parse_memory(const char *text, uint64_t *bytes, struct vl_error *e)
{
	static const char units[] = "kmg";
	unsigned long long n;
	unsigned int shift = 20;
	const char *unit;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit && *unit) {
		shift = 10 * ((unsigned int)(unit - units) + 1);
		end++;
	}
	if (*text < '0' || *text > '9' || *end || errno || n == 0 || n > UINT64_MAX >> shift)
		return vl_fail(e, VL_USAGE, "mem-set: `%s` is no size of memory", text);
	*bytes = (uint64_t)n << shift;
	return 0;
}

int cmd_mem_set(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	uint64_t size = 0;
	int rc = parse_memory(inv->operands[1], &size, e);

	if (rc == 0)
		rc = find(inv, &d, e);
	if (rc == 0)
		rc = vl_guest_resize(&inv->client, &d, size, e);
	if (rc == 0 && option_given(inv, "wait"))
		rc = vl_guest_wait_memory(&inv->client, d.domid, size, e);
	return rc;
}
