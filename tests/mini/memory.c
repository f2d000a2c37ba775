// SPDX-License-Identifier: MIT
/*
 * Reading the start info. The structures stay where Vellum put them, in the
 * reserved range, which frames.c never hands out.
 */
#include "mini/memory.h"

#include "mini/exit.h"
#include "mini/image.h"

const struct vl_start_info *start_info;

void memory_init(pa_t pa)
{
	const struct vl_start_info *info = pa_to_ptr(pa);

	if (pa.v == 0 || info->magic != VL_START_MAGIC)
		panic("no start info at %#lx: this kernel is started by Vellum", pa.v);
	if (info->abi_major != VL_ABI_MAJOR)
		panic("Vellum's ABI %u.%u is not the %u.x of this kernel", info->abi_major,
		      info->abi_minor, VL_ABI_MAJOR);
	if (info->size < sizeof(*info))
		panic("start info of %u bytes, this kernel needs %zu", info->size, sizeof(*info));
	start_info = info;
}

const struct vl_memory_range *memory_range(u32 i)
{
	const struct vl_memory_range *map = pa_to_ptr((pa_t){start_info->memory_map});

	return &map[i];
}

struct range memory_bounds(u32 i)
{
	const struct vl_memory_range *r = memory_range(i);

	return (struct range){r->start, r->start + r->size};
}

bool memory_is_ram(u64 start, u64 size)
{
	struct range wanted = {start, start + size};

	if (wanted.end < start)
		return false;
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		if (memory_range(i)->type == VL_MEMORY_RAM &&
		    range_contains(memory_bounds(i), wanted))
			return true;
	}
	return false;
}

u64 memory_ram_bytes(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		if (memory_range(i)->type == VL_MEMORY_RAM)
			sum += memory_range(i)->size;
	}
	return sum;
}

u32 memory_ram_ranges(void)
{
	u32 n = 0;

	for (u32 i = 0; i < start_info->memory_map_count; i++)
		n += memory_range(i)->type == VL_MEMORY_RAM;
	return n;
}

struct range memory_image(void)
{
	return (struct range){ptr_to_pa(image_start).v, ptr_to_pa(image_end).v};
}

struct range memory_reserved(void)
{
	return (struct range){start_info->reserved_start, start_info->reserved_end};
}

struct range memory_initrd(void)
{
	return (struct range){start_info->initrd, start_info->initrd + start_info->initrd_size};
}
