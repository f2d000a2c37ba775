// SPDX-License-Identifier: MIT
/*
 * Installing the hypercall page: all that a kernel has to do to be able to
 * call. The page stores Vellum's entries into the current root for the time
 * of the call, and finds that root by CR3 and `direct_map`; so each root must
 * be writable at that place, as paging.c takes care of.
 */
#include "mini/hypercall.h"

#include "lib/string.h"
#include "mini/memory.h"

const struct vl_hypercall_data *hypercall_data(void)
{
	return (const void *)((const char *)hypercall_page + VL_HYPERCALL_DATA_OFFSET);
}

void hypercall_init(void)
{
	/* The text is mapped read-only: write through the direct map. */
	char *copy = pa_to_ptr(ptr_to_pa((const char *)hypercall_page));
	struct vl_hypercall_data *data = (void *)(copy + VL_HYPERCALL_DATA_OFFSET);

	memcpy(copy, pa_to_ptr((pa_t){start_info->hypercall_page}), VL_HYPERCALL_PAGE_SIZE);
	data->direct_map = DIRECT_MAP;
}
