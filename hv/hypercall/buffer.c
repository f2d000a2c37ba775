// SPDX-License-Identifier: MIT
/*
 * The buffers that calls are given (hypercall/buffer.h).
 */
#include "hypercall/buffer.h"

#include "lib/string.h"
#include "public/errno.h"

s64 buffer_find(const struct domain *d, pa_t pa, u64 size, u64 least, u8 **at)
{
	if (size < least)
		return -VL_EINVAL;
	*at = domain_buffer(d, pa, size);
	return *at != NULL ? 0 : -VL_EFAULT;
}

s64 buffer_read(const struct domain *d, pa_t pa, u64 size, void *to, u64 least)
{
	u8 *at;
	s64 err = buffer_find(d, pa, size, least, &at);

	if (err == 0)
		memcpy(to, at, least);
	return err;
}

s64 buffer_answer(const struct domain *d, pa_t pa, u64 size, const void *from, u64 known)
{
	u8 *at;
	s64 err = buffer_find(d, pa, size, 1, &at);

	if (err < 0)
		return err;
	memcpy(at, from, min_u64(size, known));
	return (s64)min_u64(size, known);
}
