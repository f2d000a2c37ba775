// SPDX-License-Identifier: MIT
/*
 * Calls on the consoles of later domains: of the first guest, which shows them,
 * and of the guest whose console it is.
 */
#include "cpu/domain_platform.h"
#include "hypercall/buffer.h"
#include "lib/string.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

s64 call_domain_console_read(struct domain *d, u64 domid, pa_t text, u64 text_size)
{
	struct domain *found = domain_find(domid, d);
	struct vl_console_read io;
	u8 *buffer;
	s64 n;

	if (found == NULL)
		return -VL_ENOENT;
	n = buffer_find(d, text, text_size, sizeof(io), &buffer);
	if (n < 0)
		return n;
	/* A copy: the guest may write to its buffer while we look at it. */
	memcpy(&io, buffer, sizeof(io));
	n = domain_platform_read_console(found, &io.pos, &io.end, buffer + sizeof(io),
					 text_size - sizeof(io));
	if (n < 0)
		return n;
	io.size = (u32)n;
	io.reserved = 0;
	memcpy(buffer, &io, sizeof(io));
	return n;
}

s64 call_domain_console_write(struct domain *d, u64 domid, u64 pa, u64 size)
{
	struct domain *found = domain_find(domid, d);
	const void *buffer = domain_buffer(d, (pa_t){pa}, size);

	if (found == NULL)
		return -VL_ENOENT;
	return buffer != NULL ? domain_platform_type(found, buffer, size) : -VL_EFAULT;
}

s64 call_console_put(struct domain *d, u64 pa, u64 size)
{
	const void *buffer = domain_buffer(d, (pa_t){pa}, size);

	return buffer != NULL ? domain_platform_print(d, buffer, size) : -VL_EFAULT;
}

s64 call_console_get(struct domain *d, u64 pa, u64 size)
{
	void *buffer = domain_buffer(d, (pa_t){pa}, size);

	return buffer != NULL ? domain_platform_get(d, buffer, size) : -VL_EFAULT;
}
