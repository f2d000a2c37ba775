// SPDX-License-Identifier: MIT
/*
 * Planning of a guest's memory, see plan.h. With two parts beside the kernel,
 * each is either above it or below, and all four ways can be tried.
 */
#include "dom-tools/guest/plan.h"

/* Highest place for `size` bytes, beginning at a page, inside `in`; empty if there is none. */
static struct range highest(struct range in, u64 size)
{
	u64 start;

	if (in.end < in.start || range_size(in) < size)
		return (struct range){0, 0};
	start = round_down(in.end - size, PAGE_SIZE);
	if (start < in.start)
		return (struct range){0, 0};
	return (struct range){start, start + size};
}

/* The RAM disk goes into what is left below the start area, or on the kernel's other side. */
static bool place_initrd(const struct guest_parts *parts, struct range in, struct guest_plan *plan)
{
	if (parts->initrd_size == 0) {
		plan->initrd = (struct range){0, 0};
		return true;
	}
	if (in.end - 1 > parts->initrd_max)
		in.end = parts->initrd_max + 1;
	plan->initrd = highest(in, parts->initrd_size);
	return range_size(plan->initrd) > 0;
}

static bool place(const struct guest_parts *parts, struct range start_in, struct range initrd_in,
		  struct guest_plan *plan)
{
	plan->start = highest(start_in, parts->start_size);
	if (range_size(plan->start) == 0)
		return false;
	if (range_overlaps(initrd_in, plan->start))
		initrd_in.end = plan->start.start;
	return place_initrd(parts, initrd_in, plan);
}

bool guest_plan(const struct guest_parts *parts, u64 ram_start, u64 size, struct guest_plan *out)
{
	struct range ram = {ram_start, ram_start + size};
	struct range below = {ram.start, round_down(parts->kernel.start, PAGE_SIZE)};
	struct range above = {round_up(parts->kernel.end, PAGE_SIZE), ram.end};

	out->ram = ram;
	if (ram.end < ram.start || !range_contains(ram, parts->kernel))
		return false;
	return place(parts, above, above, out) || place(parts, above, below, out) ||
	       place(parts, below, above, out) || place(parts, below, below, out);
}

/* Sizes at which something changes: each part above the kernel, or not. */
u64 guest_least(const struct guest_parts *parts, u64 ram_start)
{
	u64 initrd = round_up(parts->initrd_size, PAGE_SIZE), least = 0;
	u64 kernel = round_up(parts->kernel.end, PAGE_SIZE) - ram_start;
	const u64 beside[] = {0, parts->start_size, initrd, parts->start_size + initrd};
	struct guest_plan plan;

	if (parts->kernel.start < ram_start)
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(beside); i++)
		if (guest_plan(parts, ram_start, kernel + beside[i], &plan) &&
		    (least == 0 || kernel + beside[i] < least))
			least = kernel + beside[i];
	return least;
}

bool guest_choose(const struct guest_parts *parts, const struct vl_ioctl_memory *machine, u64 size,
		  struct guest_plan *out)
{
	for (u32 i = 0; i < machine->count && i < VL_MEMORY_RANGES; i++) {
		const struct vl_memory_range *r = &machine->range[i];

		if (size <= r->size && r->start + size <= GUEST_END &&
		    guest_plan(parts, r->start, size, out))
			return true;
	}
	return false;
}
