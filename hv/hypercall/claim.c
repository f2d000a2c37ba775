// SPDX-License-Identifier: MIT
/*
 * What there is of the machine beside the memory of a guest that was left it.
 */
#include "domain/domain.h"
#include "hypercall/buffer.h"
#include "lib/string.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

s64 call_memory_claim(struct domain *d, pa_t map, u64 map_size)
{
	const struct memmap *all = &d->memory;
	s64 err;
	u8 *at;

	/* The p2m, and all that is made of it, is no matter in passthrough. */
	if (d->mode != VL_MODE_PASSTHROUGH)
		return -VL_EBUSY;
	err = buffer_find(d, map, map_size, 1, &at);
	if (err < 0)
		return err;
	domain_claim_memory(d);
	memcpy(at, all->range, min_u64(map_size, all->count * sizeof(all->range[0])));
	return all->count;
}
