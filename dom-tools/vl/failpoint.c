/* SPDX-License-Identifier: MIT */
/*
 * Failpoints, see failpoint.h.
 */
#include "dom-tools/vl/failpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_step(const char *text, uint64_t *step, struct vl_error *e)
{
	char *end;

	errno = 0;
	*step = strtoull(text, &end, 10);
	if (!*text || *end || text[strspn(text, "0123456789")] || errno || *step == 0)
		return vl_fail(e, VL_USAGE, "--fail-at wants a number from 1 on, not `%s`", text);
	return 0;
}

int failpoint_set(struct invocation *inv, struct vl_error *e)
{
	const char *at = option_value(inv, "fail-at");
	uint64_t step;
	int rc = at ? parse_step(at, &step, e) : 0;

	return at && rc == 0 ? vl_set_failpoint(&inv->client, step, e) : rc;
}

void failpoint_clear(struct invocation *inv)
{
	struct vl_error ignored;

	if (option_value(inv, "fail-at"))
		vl_set_failpoint(&inv->client, 0, &ignored);
}
