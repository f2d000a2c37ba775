/* SPDX-License-Identifier: MIT */
/*
 * Typed hypercalls and the checks of their answers, see client.h. The
 * sentence for an error of Vellum is made here: the caller of this library
 * knows what it wanted, but only this file knows what the call documents.
 */
#include "dom-tools/lib/client.h"

#include <errno.h>
#include <string.h>

/* Bytes of the structures in ABI 0.1: no Vellum of this major version fills less. */
#define HV_INFO_LEAST     160
#define DOMAIN_INFO_LEAST 80
#define COUNTERS_LEAST    144

/* A call in the making: the name is for messages. */
struct request {
	const char *name;
	struct vl_ioctl_call io;
};

static const struct {
	int err;
	const char *name;
	const char *meaning;
} errors[] = {
	{VL_EPERM, "EPERM", "this guest may not do it"},
	{VL_ENOENT, "ENOENT", "there is no such object"},
	{VL_EIO, "EIO", "the hardware refused, or a failpoint of a debug build"},
	{VL_E2BIG, "E2BIG", "an argument is too long"},
	{VL_ENOEXEC, "ENOEXEC", "not an image that can be started"},
	{VL_EAGAIN, "EAGAIN", "not now, try again"},
	{VL_ENOMEM, "ENOMEM", "Vellum's partition is too small; raise vellum_mem="},
	{VL_EFAULT, "EFAULT", "a buffer was not in the caller's RAM"},
	{VL_EBUSY, "EBUSY", "it is in use"},
	{VL_EEXIST, "EEXIST", "it exists already"},
	{VL_EINVAL, "EINVAL", "an argument was outside its range"},
	{VL_ENOSPC, "ENOSPC", "the result did not fit"},
	{VL_ERANGE, "ERANGE", "the machine has no such thing"},
	{VL_EBADMSG, "EBADMSG", "a checksum does not match"},
	{VL_EOPNOTSUPP, "EOPNOTSUPP", "not possible in this mode or on this machine"},
	{VL_EUCLEAN, "EUCLEAN",
	 "the kernel did not have Vellum verified; boot the kernel that was built with this vl"},
};

/* The sentence for an error that the caller of `answer` does not know better. */
static int refused(const struct vl_client *c, const struct request *r, int err, struct vl_error *e)
{
	if (err == VL_ENOSYS)
		return vl_fail(e, err,
			       "this Vellum (ABI %u.%u) is too old for hypercall %s; "
			       "install the Vellum that belongs to this vl and boot it",
			       c->abi_major, c->abi_minor, r->name);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].err == err)
			return vl_fail(e, err, "Vellum refused hypercall %s: %s (%s)", r->name,
				       errors[i].meaning, errors[i].name);
	return vl_fail(e, err, "Vellum refused hypercall %s: error %d", r->name, err);
}

static int nonsense(const struct request *r, struct vl_error *e, const char *what)
{
	return vl_fail(e, EPROTO,
		       "Vellum's answer to hypercall %s makes no sense (%s); this is a bug, please "
		       "report it",
		       r->name, what);
}

/* Returns 0 if the answer is one, or a negative errno with sentence. */
static int check_result(const struct vl_client *c, const struct request *r, struct vl_error *e)
{
	if (r->io.result < -4095)
		return nonsense(r, e, "no known error");
	if (r->io.result < 0)
		return refused(c, r, (int)-r->io.result, e);
	return 0;
}

/* Issue the call. Returns 0 and the answer, which is >= 0, or a negative errno with sentence. */
static int answer(struct vl_client *c, struct request *r, uint64_t *result, struct vl_error *e)
{
	int rc = c->transport->ops->call(c->transport, &r->io, e);

	if (rc == 0)
		rc = check_result(c, r, e);
	if (rc)
		return rc;
	*result = (uint64_t)r->io.result;
	return 0;
}

static void set_buffer(struct request *r, uint32_t arg, void *buffer, size_t size)
{
	r->io.buffer = (uint64_t)(uintptr_t)buffer;
	r->io.buffer_size = (uint32_t)size;
	r->io.buffer_arg = arg;
}

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
	set_buffer(r, arg, buffer, size);
	rc = answer(c, r, &filled, e);
	if (rc)
		return rc;
	if (filled < least || filled > size)
		return nonsense(r, e, "wrong size");
	return 0;
}

int vl_connect(struct vl_client *c, struct vl_transport *t, struct vl_error *e)
{
	struct request r = {.name = "version", .io.nr = VL_CALL_VERSION};
	uint64_t version;
	int rc;

	*c = (struct vl_client){.transport = t};
	rc = answer(c, &r, &version, e);
	if (rc)
		return rc;
	if (version > UINT32_MAX)
		return nonsense(&r, e, "not a version");
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
		return nonsense(&r, e, "it does not know its caller");
	if (rc == -VL_ENOENT)
		return vl_fail(e, ENOENT,
			       "no domain has the id %u; `vl list` shows those there are", domid);
	if (rc)
		return rc;
	if (domid != VL_DOMID_SELF && info->domid != domid)
		return nonsense(&r, e, "another domain's id");
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
	set_buffer(&r, 1, &buffer, sizeof(buffer));
	rc = answer(c, &r, &nothing, e);
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
	rc = answer(c, &r, &next, e);
	if (rc)
		return rc;
	if (next < from || next > VL_DOMID_MAX)
		return nonsense(&r, e, "an id that was not asked for");
	*domid = (uint32_t)next;
	return 0;
}

static int check_log(const struct request *r, const struct vl_console_read *head, uint64_t pos,
		     uint64_t copied, size_t room, struct vl_error *e)
{
	if (head->size != copied || copied > room)
		return nonsense(r, e, "wrong size");
	if (head->pos < pos || head->pos > head->end || copied > head->end - head->pos)
		return nonsense(r, e, "a position that was not asked for");
	if (copied == 0 && head->pos < head->end)
		return nonsense(r, e, "no text although there is some");
	return 0;
}

int vl_read_log(struct vl_client *c, uint64_t pos, struct vl_log_chunk *chunk, struct vl_error *e)
{
	struct request r = {.name = "console_read", .io.nr = VL_CALL_CONSOLE_READ};
	struct {
		struct vl_console_read head;
		char text[sizeof(chunk->text)];
	} buffer = {.head.pos = pos};
	uint64_t copied;
	int rc;

	set_buffer(&r, 0, &buffer, sizeof(buffer));
	rc = answer(c, &r, &copied, e);
	if (rc == -VL_EPERM)
		return vl_fail(e, EPERM,
			       "only the first guest may read Vellum's log; run vl there");
	if (rc)
		return rc;
	rc = check_log(&r, &buffer.head, pos, copied, sizeof(buffer.text), e);
	if (rc)
		return rc;
	chunk->start = buffer.head.pos;
	chunk->end = buffer.head.end;
	chunk->size = buffer.head.size;
	memcpy(chunk->text, buffer.text, chunk->size);
	return 0;
}

int vl_get_counters(struct vl_client *c, uint32_t domid, struct vl_domain_counters *counters,
		    struct vl_error *e)
{
	struct request r = {.name = "domain_counters", .io.nr = VL_CALL_DOMAIN_COUNTERS};

	r.io.arg[0] = domid;
	return fill(c, &r, 1, counters, sizeof(*counters), COUNTERS_LEAST, e);
}

/* Ranges in ascending order from `pfn` on, each of at least a frame, and a `next` behind them. */
static int check_ranges(const struct request *r, uint64_t pfn, const struct vl_p2m_chunk *chunk,
			struct vl_error *e)
{
	uint64_t end = pfn;

	for (size_t i = 0; i < chunk->count; i++) {
		const struct vl_p2m_range *range = &chunk->range[i];

		if (range->pfn < end || range->count == 0 || range->count > UINT64_MAX - range->pfn)
			return nonsense(r, e, "ranges that do not ascend");
		end = range->pfn + range->count;
	}
	if (chunk->next < end || chunk->next <= pfn)
		return nonsense(r, e, "it does not go on");
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
	set_buffer(&r, 2, &buffer, sizeof(buffer));
	rc = answer(c, &r, &count, e);
	if (rc == -VL_EOPNOTSUPP)
		return vl_fail(e, EOPNOTSUPP,
			       "its memory is not virtualized, so there is no p2m; `vl virtualize` "
			       "makes one");
	if (rc)
		return rc;
	if (buffer.head.count != count || count > VL_P2M_CHUNK)
		return nonsense(&r, e, "wrong count");
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
	rc = answer(c, &r, &nothing, e);
	if (rc == -VL_EOPNOTSUPP)
		return vl_fail(e, EOPNOTSUPP,
			       "this Vellum has no failpoints; boot a debug build (`make debug`)");
	return rc;
}

int vl_switch_mode(struct vl_client *c, uint32_t mode, uint32_t layers, struct vl_error *e)
{
	struct request r = {.name = mode == VL_MODE_VIRTUALIZED ? "virtualize" : "devirtualize"};
	struct vl_ioctl_switch s = {.mode = mode, .layers = layers};
	int rc = c->transport->ops->switch_mode(c->transport, &s, e);

	if (rc)
		return rc;
	r.io.result = s.result;
	if (s.result == -VL_EBADMSG)
		return vl_fail(
			e, VL_EBADMSG,
			"Vellum's code in memory is not what was booted, something overwrote "
			"it; reboot the machine (EBADMSG)");
	return check_result(c, &r, e);
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
	default:
		return "unknown";
	}
}
