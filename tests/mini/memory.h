/* SPDX-License-Identifier: MIT */
/*
 * What the guest was given: the start info, its memory map, and the step from
 * physical addresses to pointers.
 */
#ifndef MINI_MEMORY_H
#define MINI_MEMORY_H

#include "lib/types.h"
#include "mini/layout.h"
#include "public/start.h"

/** The start info; set before anything else runs, and never changed. */
extern const struct vl_start_info *start_info;

/** Physical address → pointer, by the direct map. Good for the guest's RAM, and before
 * paging_init() for everything below 4 GiB. */
static inline void *pa_to_ptr(pa_t pa)
{
	return (void *)(pa.v + DIRECT_MAP);
}

/** Pointer into the direct map or into the kernel image → physical address. */
static inline pa_t ptr_to_pa(const volatile void *p)
{
	u64 va = (u64)p;

	return (pa_t){va >= KERNEL_BASE ? va - KERNEL_BASE : va - DIRECT_MAP};
}

/** Check magic and version of the structure at `info` and remember it; panics if it is not one. */
void memory_init(pa_t info);

/** Range `i` of the memory map, i < start_info->memory_map_count. */
const struct vl_memory_range *memory_range(u32 i);

/** Physical addresses of range `i`. */
struct range memory_bounds(u32 i);

/** Whether [start, start + size) lies in one range of type VL_MEMORY_RAM; false if it wraps. */
bool memory_is_ram(u64 start, u64 size);

/** Sum and number of the ranges of type VL_MEMORY_RAM. */
u64 memory_ram_bytes(void);
u32 memory_ram_ranges(void);

/** The kernel's own image, physical. */
struct range memory_image(void);

/** The pages that hold what the start info points to; the initrd, empty if there is none. */
struct range memory_reserved(void);
struct range memory_initrd(void);

#endif
