/* SPDX-License-Identifier: MIT */
/*
 * Portions of memory, see portion.h. A range is START-END, START+SIZE or START-,
 * which goes to the end; numbers are bytes, decimal or with 0x, or KiB, MiB, GiB.
 */
#include "dom-tools/vl/portion.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/lib/portions.h"
#include "dom-tools/vl/failpoint.h"

#define PAGE 4096

/* The number at *at, which moves behind it. */
static bool parse_number(const char **at, uint64_t *bytes)
{
	static const char units[] = "kmg";
	const char *text = *at, *unit;
	unsigned long long n;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	n = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit) {
		shift = 10 * ((unsigned int)(unit - units) + 1);
		end++;
	}
	*at = end;
	*bytes = (uint64_t)n << shift;
	return *text >= '0' && *text <= '9' && !errno && n <= UINT64_MAX >> shift;
}

/* `second` is an end or a size, as `sign` says. */
static int check_range(const char *text, uint64_t start, char sign, uint64_t second,
		       struct vl_portion *p, struct vl_error *e)
{
	if ((start | second) % PAGE)
		return vl_fail(e, VL_USAGE,
			       "`%s` begins or ends in the middle of a page; pages are of 4 KiB",
			       text);
	if (sign == '-' && second < start)
		return vl_fail(e, VL_USAGE, "`%s` ends before it begins", text);
	p->start = start;
	p->size = sign == '-' ? second - start : second;
	return p->size ? 0 : vl_fail(e, VL_USAGE, "`%s` is empty", text);
}

static int parse_range(const char *text, struct vl_portion *p, struct vl_error *e)
{
	const char *at = text;
	uint64_t start, second;
	char sign;

	if (parse_number(&at, &start) && (*at == '-' || *at == '+')) {
		sign = *at++;
		if (sign == '-' && !*at) {
			*p = (struct vl_portion){start, VL_PORTION_REST};
			return start % PAGE ? check_range(text, start, sign, start, p, e) : 0;
		}
		if (parse_number(&at, &second) && !*at)
			return check_range(text, start, sign, second, p, e);
	}
	return vl_fail(e, VL_USAGE,
		       "`%s` is no range of memory; write START-END, START+SIZE, or START- for the "
		       "rest, as 64M-128M or 0x4000000+65536",
		       text);
}

static int check_alone(const struct invocation *inv, struct vl_error *e)
{
	bool alone = option_given(inv, "memory");

	for (size_t i = 0; inv->command->options[i].name; i++) {
		const char *name = inv->command->options[i].name;

		if (strcmp(name, "memory") != 0 && strcmp(name, "fail-at") != 0)
			alone = alone && !inv->option[i];
	}
	return alone ? 0 : vl_fail(e, VL_USAGE, "a range of memory goes with --memory alone");
}

/* What Vellum's refusal would not say as well. */
static int check_cpu(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_counters now;
	int rc = vl_get_counters(&inv->client, VL_DOMID_SELF, &now, e);

	if (rc || now.layers & VL_LAYER_CPU)
		return rc;
	return vl_fail(e, EINVAL,
		       "the layer of memory stands on that of the CPU, which is not virtualized; "
		       "`vl virtualize --cpu` first");
}

static int change(struct invocation *inv, bool add, const struct vl_portion *p, struct vl_error *e)
{
	int rc = failpoint_set(inv, e);

	if (rc)
		return rc;
	rc = vl_change_portion(&inv->client, add, p, e);
	failpoint_clear(inv);
	return rc;
}

int portion_switch(struct invocation *inv, uint32_t mode, struct vl_error *e)
{
	struct vl_portion p;
	int rc = check_alone(inv, e);

	if (rc == 0)
		rc = parse_range(inv->operands[0], &p, e);
	if (rc == 0)
		rc = check_cpu(inv, e);
	return rc ? rc : change(inv, mode == VL_MODE_VIRTUALIZED, &p, e);
}

int portion_add_rest(struct invocation *inv, bool *is_part, struct vl_error *e)
{
	const struct vl_portion rest = {0, VL_PORTION_REST};
	struct vl_portions now;
	int rc = vl_get_portions(&inv->client, &now, e);

	*is_part = rc == 0 && now.count > 0 && !now.whole;
	if (rc == -ENOSYS)
		return 0; /* such a Vellum knows all or nothing */
	return rc || !*is_part ? rc : change(inv, true, &rest, e);
}
