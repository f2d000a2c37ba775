/* SPDX-License-Identifier: MIT */
/*
 * Typed hypercalls and the checks of their answers, see client.h. The
 * sentence for an error of Vellum is made here: the caller of this library
 * knows what it wanted, but only this file knows what the call documents.
 */
#include "dom-tools/lib/client.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "dom-tools/lib/request.h"

/* Bytes of the structures in ABI 0.1: no Vellum of this major version fills less. */
#define HV_INFO_LEAST     160
#define DOMAIN_INFO_LEAST 80
#define COUNTERS_LEAST    144
#define SCHED_INFO_LEAST  48
#define VCPU_STATUS_LEAST 24

#define SWITCH_TRIES 100
#define SWITCH_PAUSE 10000000 /* ns */

/*
 * A call that fills a structure of which ABI 0.1 had `least` bytes. The structure is zeroed first:
 * fields that Vellum does not know yet read as 0.
 */
static int fill(struct vl_client *c, struct request *r, uint32_t arg, void *buffer, size_t size,
		size_t least, struct vl_error *e)
{
	uint64_t filled;
	int rc;

	memset(buffer, 0, size);
	request_buffer(r, arg, buffer, size);
	rc = request_answer(c, r, &filled, e);
	if (rc)
		return rc;
	if (filled < least || filled > size)
		return request_nonsense(r, e, "wrong size");
	return 0;
}

int vl_connect(struct vl_client *c, struct vl_transport *t, struct vl_error *e)
{
	struct request r = {.name = "version", .io.nr = VL_CALL_VERSION};
	uint64_t version;
	int rc;

	*c = (struct vl_client){.transport = t};
	rc = request_answer(c, &r, &version, e);
	if (rc)
		return rc;
	if (version > UINT32_MAX)
		return request_nonsense(&r, e, "not a version");
	c->abi_major = (uint32_t)version >> 16;
	c->abi_minor = (uint32_t)version & 0xffff;
	if (c->abi_major != VL_ABI_MAJOR)
		return vl_fail(e, EPROTO,
			       "the running Vellum speaks ABI %u.%u but this vl speaks ABI %d.%d; "
			       "use the vl that was built with that Vellum",
			       c->abi_major, c->abi_minor, VL_ABI_MAJOR, VL_ABI_MINOR);
	return 0;
}

int vl_get_hv_info(struct vl_client *c, struct vl_hv_info *info, struct vl_error *e)
{
	struct request r = {.name = "hv_info", .io.nr = VL_CALL_HV_INFO};
	int rc = fill(c, &r, 0, info, sizeof(*info), HV_INFO_LEAST, e);

	if (rc)
		return rc;
	info->version[sizeof(info->version) - 1] = 0;
	info->build[sizeof(info->build) - 1] = 0;
	return 0;
}

int vl_get_domain(struct vl_client *c, uint32_t domid, struct vl_domain_info *info,
		  struct vl_error *e)
{
	struct request r = {.name = "domain_info", .io.nr = VL_CALL_DOMAIN_INFO};
	int rc;

	r.io.arg[0] = domid;
	rc = fill(c, &r, 1, info, sizeof(*info), DOMAIN_INFO_LEAST, e);
	if (rc == -VL_ENOENT && domid == VL_DOMID_SELF)
		return request_nonsense(&r, e, "it does not know its caller");
	if (rc == -VL_ENOENT)
		return vl_fail(e, ENOENT,
			       "no domain has the id %u; `vl list` shows those there are", domid);
	if (rc)
		return rc;
	if (domid != VL_DOMID_SELF && info->domid != domid)
		return request_nonsense(&r, e, "another domain's id");
	info->name[sizeof(info->name) - 1] = 0;
	return 0;
}

int vl_rename_domain(struct vl_client *c, uint32_t domid, const char *name, struct vl_error *e)
{
	struct request r = {.name = "domain_rename", .io.nr = VL_CALL_DOMAIN_RENAME};
	struct vl_domain_name buffer = {{0}};
	uint64_t nothing;
	int rc;

	strncpy(buffer.name, name, sizeof(buffer.name) - 1);
	r.io.arg[0] = domid;
	request_buffer(&r, 1, &buffer, sizeof(buffer));
	rc = request_answer(c, &r, &nothing, e);
	if (rc == -VL_EEXIST)
		return vl_fail(e, EEXIST, "another domain has the name `%s` already", name);
	if (rc == -VL_EPERM)
		return vl_fail(e, EPERM, "only the first guest may rename domains; run vl there");
	return rc;
}

int vl_next_domain(struct vl_client *c, uint32_t from, uint32_t *domid, struct vl_error *e)
{
	struct request r = {.name = "domain_next", .io.nr = VL_CALL_DOMAIN_NEXT};
	uint64_t next;
	int rc;

	if (from > VL_DOMID_MAX)
		return vl_fail(e, ENOENT, "domain ids end at %u", VL_DOMID_MAX);
	r.io.arg[0] = from;
	rc = request_answer(c, &r, &next, e);
	if (rc)
		return rc;
	if (next < from || next > VL_DOMID_MAX)
		return request_nonsense(&r, e, "an id that was not asked for");
	*domid = (uint32_t)next;
	return 0;
}

int vl_read_log(struct vl_client *c, uint64_t pos, struct vl_log_chunk *chunk, struct vl_error *e)
{
	struct request r = {.name = "console_read", .io.nr = VL_CALL_CONSOLE_READ};
	int rc = request_text(c, &r, 0, pos, chunk, e);

	if (rc == -VL_EPERM)
		return vl_fail(e, EPERM,
			       "only the first guest may read Vellum's log; run vl there");
	return rc;
}

int vl_get_counters(struct vl_client *c, uint32_t domid, struct vl_domain_counters *counters,
		    struct vl_error *e)
{
	struct request r = {.name = "domain_counters", .io.nr = VL_CALL_DOMAIN_COUNTERS};

	r.io.arg[0] = domid;
	return fill(c, &r, 1, counters, sizeof(*counters), COUNTERS_LEAST, e);
}

int vl_get_sched(struct vl_client *c, uint32_t domid, struct vl_sched_info *info,
		 struct vl_error *e)
{
	struct request r = {.name = "domain_sched_info", .io.nr = VL_CALL_DOMAIN_SCHED_INFO};

	r.io.arg[0] = domid;
	return fill(c, &r, 1, info, sizeof(*info), SCHED_INFO_LEAST, e);
}

int vl_get_vcpu(struct vl_client *c, uint32_t domid, uint32_t vcpu, struct vl_vcpu_status *status,
		struct vl_error *e)
{
	struct request r = {.name = "vcpu_status", .io.nr = VL_CALL_VCPU_STATUS};

	r.io.arg[0] = domid;
	r.io.arg[1] = vcpu;
	return fill(c, &r, 2, status, sizeof(*status), VCPU_STATUS_LEAST, e);
}

/* Ranges in ascending order from `pfn` on, each of at least a frame, and a `next` behind them. */
static int check_ranges(const struct request *r, uint64_t pfn, const struct vl_p2m_chunk *chunk,
			struct vl_error *e)
{
	uint64_t end = pfn;

	for (size_t i = 0; i < chunk->count; i++) {
		const struct vl_p2m_range *range = &chunk->range[i];

		if (range->pfn < end || range->count == 0 || range->count > UINT64_MAX - range->pfn)
			return request_nonsense(r, e, "ranges that do not ascend");
		end = range->pfn + range->count;
	}
	if (chunk->next < end || chunk->next <= pfn)
		return request_nonsense(r, e, "it does not go on");
	return 0;
}

int vl_read_p2m(struct vl_client *c, uint32_t domid, uint64_t pfn, struct vl_p2m_chunk *chunk,
		struct vl_error *e)
{
	struct request r = {.name = "p2m_read", .io.nr = VL_CALL_P2M_READ};
	struct {
		struct vl_p2m_read head;
		struct vl_p2m_range range[VL_P2M_CHUNK];
	} buffer = {0};
	uint64_t count;
	int rc;

	r.io.arg[0] = domid;
	r.io.arg[1] = pfn;
	request_buffer(&r, 2, &buffer, sizeof(buffer));
	rc = request_answer(c, &r, &count, e);
	if (rc == -VL_EOPNOTSUPP)
		return vl_fail(e, EOPNOTSUPP,
			       "its memory is not virtualized, so there is no p2m; `vl virtualize` "
			       "makes one");
	if (rc)
		return rc;
	if (buffer.head.count != count || count > VL_P2M_CHUNK)
		return request_nonsense(&r, e, "wrong count");
	chunk->count = count;
	chunk->next = buffer.head.next;
	memcpy(chunk->range, buffer.range, count * sizeof(buffer.range[0]));
	return check_ranges(&r, pfn, chunk, e);
}

int vl_set_failpoint(struct vl_client *c, uint64_t step, struct vl_error *e)
{
	struct request r = {.name = "set_failpoint", .io.nr = VL_CALL_SET_FAILPOINT};
	uint64_t nothing;
	int rc;

	r.io.arg[0] = step;
	rc = request_answer(c, &r, &nothing, e);
	if (rc == -VL_EOPNOTSUPP)
		return vl_fail(e, EOPNOTSUPP,
			       "this Vellum has no failpoints; boot a debug build (`make debug`)");
	return rc;
}

int vl_switch_answer(struct vl_client *c, uint32_t mode, int64_t result, struct vl_error *e)
{
	struct request r = {.name = mode == VL_MODE_VIRTUALIZED ? "virtualize" : "devirtualize",
			    .io.result = result};

	if (result == -VL_EBADMSG)
		return vl_fail(
			e, VL_EBADMSG,
			"Vellum's code in memory is not what was booted, something overwrote "
			"it; reboot the machine (EBADMSG)");
	return request_check(c, &r, e);
}

/* Vellum does not say what is busy; the usual cause has a remedy. */
static int explain_busy(struct vl_client *c, int rc, struct vl_error *e)
{
	struct vl_hv_info hv;
	struct vl_error ignored;

	if (vl_get_hv_info(c, &hv, &ignored) || hv.nr_domains < 2)
		return rc;
	return vl_fail(e, EBUSY,
		       "other domains need Vellum (%" PRIu32
		       "); `vl list` shows them, and `vl destroy` "
		       "ends one",
		       hv.nr_domains - 1);
}

/* While Vellum says "not now" once more: the kernel has asked again and again, but another process
 * may be in the middle of an access to the interval timer, which takes two. It has to run. */
static int switch_patiently(struct vl_client *c, struct vl_ioctl_switch *s, struct vl_error *e)
{
	const struct timespec pause = {.tv_nsec = SWITCH_PAUSE};
	int rc = c->transport->ops->switch_mode(c->transport, s, e);

	for (int i = 0; i < SWITCH_TRIES && rc == 0 && s->result == -VL_EAGAIN; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		rc = c->transport->ops->switch_mode(c->transport, s, e);
	}
	return rc;
}

int vl_switch_mode(struct vl_client *c, uint32_t mode, uint32_t layers, struct vl_error *e)
{
	struct vl_ioctl_switch s = {.mode = mode, .layers = layers};
	int rc = switch_patiently(c, &s, e);

	if (rc == 0)
		rc = vl_switch_answer(c, mode, s.result, e);
	if (rc == -EBUSY && mode == VL_MODE_PASSTHROUGH)
		return explain_busy(c, rc, e);
	return rc;
}

const char *vl_mode_name(uint32_t mode)
{
	switch (mode) {
	case VL_MODE_PASSTHROUGH:
		return "passthrough";
	case VL_MODE_VIRTUALIZED:
		return "virtualized";
	default:
		return "unknown";
	}
}

const char *vl_state_name(uint32_t state)
{
	switch (state) {
	case VL_STATE_RUNNING:
		return "running";
	case VL_STATE_PAUSED:
		return "paused";
	case VL_STATE_CRASHED:
		return "crashed";
	case VL_STATE_SHUTDOWN:
		return "shutdown";
	case VL_STATE_DYING:
		return "dying";
	default:
		return "unknown";
	}
}
