/* SPDX-License-Identifier: MIT */
/*
 * Calls and the checks of their answers, see request.h.
 */
#include "dom-tools/lib/request.h"

#include <errno.h>
#include <string.h>

static const struct {
	int err;
	const char *name;
	const char *meaning;
} errors[] = {
	{VL_EPERM, "EPERM", "this guest may not do it"},
	{VL_ENOENT, "ENOENT", "there is no such object"},
	{VL_EIO, "EIO", "the hardware refused, or a failpoint of a debug build"},
	{VL_ENXIO, "ENXIO", "Vellum has no driver for it"},
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

int request_nonsense(const struct request *r, struct vl_error *e, const char *what)
{
	return vl_fail(e, EPROTO,
		       "Vellum's answer to hypercall %s makes no sense (%s); this is a bug, please "
		       "report it",
		       r->name, what);
}

int request_check(const struct vl_client *c, const struct request *r, struct vl_error *e)
{
	if (r->io.result < -4095)
		return request_nonsense(r, e, "no known error");
	if (r->io.result < 0)
		return refused(c, r, (int)-r->io.result, e);
	return 0;
}

int request_answer(struct vl_client *c, struct request *r, uint64_t *result, struct vl_error *e)
{
	int rc = c->transport->ops->call(c->transport, &r->io, e);

	if (rc == 0)
		rc = request_check(c, r, e);
	if (rc)
		return rc;
	*result = (uint64_t)r->io.result;
	return 0;
}

void request_buffer(struct request *r, uint32_t arg, void *buffer, size_t size)
{
	r->io.buffer = (uint64_t)(uintptr_t)buffer;
	r->io.buffer_size = (uint32_t)size;
	r->io.buffer_arg = arg;
}

static int check_log(const struct request *r, const struct vl_console_read *head, uint64_t pos,
		     uint64_t copied, size_t room, struct vl_error *e)
{
	if (head->size != copied || copied > room)
		return request_nonsense(r, e, "wrong size");
	if (head->pos < pos || head->pos > head->end || copied > head->end - head->pos)
		return request_nonsense(r, e, "a position that was not asked for");
	if (copied == 0 && head->pos < head->end)
		return request_nonsense(r, e, "no text although there is some");
	return 0;
}

int request_text(struct vl_client *c, struct request *r, uint32_t arg, uint64_t pos,
		 struct vl_log_chunk *chunk, struct vl_error *e)
{
	struct {
		struct vl_console_read head;
		char text[sizeof(chunk->text)];
	} buffer = {.head.pos = pos};
	uint64_t copied;
	int rc;

	request_buffer(r, arg, &buffer, sizeof(buffer));
	rc = request_answer(c, r, &copied, e);
	if (rc == 0)
		rc = check_log(r, &buffer.head, pos, copied, sizeof(buffer.text), e);
	if (rc)
		return rc;
	chunk->start = buffer.head.pos;
	chunk->end = buffer.head.end;
	chunk->size = buffer.head.size;
	memcpy(chunk->text, buffer.text, chunk->size);
	return 0;
}
