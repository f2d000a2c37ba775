/* SPDX-License-Identifier: MIT */
/*
 * Portions of memory, see portions.h.
 */
#include "dom-tools/lib/portions.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dom-tools/lib/guests.h"
#include "dom-tools/lib/request.h"

int vl_get_portions(struct vl_client *c, struct vl_portions *p, struct vl_error *e)
{
	struct request r = {.name = "portions", .io.nr = VL_CALL_PORTIONS};
	uint64_t filled, end = 0;
	int rc;

	memset(p, 0, sizeof(*p));
	request_buffer(&r, 0, p, sizeof(*p));
	rc = request_answer(c, &r, &filled, e);
	if (rc)
		return rc;
	if (filled != sizeof(*p) || p->count > VL_MAX_PORTIONS)
		return request_nonsense(&r, e, "wrong size");
	for (uint32_t i = 0; i < p->count; i++) {
		const struct vl_portion *one = &p->portion[i];

		if (one->start < end || one->size == 0 || one->size > UINT64_MAX - one->start)
			return request_nonsense(&r, e, "portions that do not ascend");
		end = one->start + one->size;
	}
	return 0;
}

static int explain_range(struct vl_client *c, struct vl_error *e)
{
	struct vl_ioctl_memory m = {0};
	struct vl_error ignored;
	uint64_t end = 0;

	if (vl_guest_memory(c, &m, &ignored))
		return vl_fail(e, ERANGE, "this guest has not so much memory");
	for (uint32_t i = 0; i < m.count && i < VL_MEMORY_RANGES; i++)
		if (m.range[i].start + m.range[i].size > end)
			end = m.range[i].start + m.range[i].size;
	return vl_fail(e, ERANGE, "this guest's memory ends at 0x%" PRIx64, end);
}

int vl_change_portion(struct vl_client *c, bool add, const struct vl_portion *p, struct vl_error *e)
{
	struct request r = {.name = add ? "portion_add" : "portion_remove",
			    .io.nr = add ? VL_CALL_PORTION_ADD : VL_CALL_PORTION_REMOVE,
			    .io.arg = {p->start, p->size}};
	uint64_t count;
	int rc = request_answer(c, &r, &count, e);

	switch (-rc) {
	case VL_EEXIST:
		return vl_fail(e, EEXIST, "this memory is virtualized already");
	case VL_ENOENT:
		return vl_fail(e, ENOENT, "nothing of this memory is virtualized");
	case VL_ERANGE:
		return explain_range(c, e);
	case VL_ENOSPC:
		return vl_fail(e, ENOSPC,
			       "there would be more than %u portions of virtualized memory",
			       VL_MAX_PORTIONS);
	case VL_EBUSY:
		return vl_fail(e, EBUSY,
			       "other domains need all of memory virtualized; `vl list` shows "
			       "them, and `vl destroy` ends one");
	default:
		return rc;
	}
}
