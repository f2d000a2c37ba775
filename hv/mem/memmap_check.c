// SPDX-License-Identifier: MIT
/*
 * The verifier of ledger row M10. It shares no code with memmap.c on purpose:
 * it states what a guest's map must be, not how one is made, and runs at each
 * start of a guest as well as in the tests.
 */
#include "mem/memmap.h"

#include "public/errno.h"

/* Index of the range that holds address `pos`, or -1. */
static int find(const struct memmap *map, u64 pos)
{
	for (u32 i = 0; i < map->count; i++)
		if (pos >= map->range[i].start && pos - map->range[i].start < map->range[i].size)
			return (int)i;
	return -1;
}

static int check_form(const struct memmap *map, struct failure *f)
{
	u64 end = 0;

	if (map->count > MEMMAP_MAX)
		return fail(f, VL_EINVAL, "The guest's memory map claims %u ranges.", map->count);
	for (u32 i = 0; i < map->count; i++) {
		const struct vl_memory_range *r = &map->range[i];

		if (r->start < end || r->size == 0 || ((r->start | r->size) & ~PAGE_MASK) != 0 ||
		    r->start >= MEMMAP_ADDRESS_END || r->size > MEMMAP_ADDRESS_END - r->start)
			return fail(f, VL_EINVAL,
				    "The guest's memory map is malformed at range %u (%#lx, size "
				    "%#lx); report this as a bug of Vellum.",
				    i, r->start, r->size);
		end = r->start + r->size;
	}
	return 0;
}

/* Whether RAM at `pos` may be kept from the guest. */
static bool may_hide(u64 pos, enum memory_mode mode)
{
	return mode == MEM_CONTIGUOUS || (mode == MEM_WITH_LOW && pos >= MEMMAP_LOW_END);
}

/* Whether the guest may be told `shown` at `pos` where the machine has `real` (0: a hole). */
static bool may_show(u64 pos, u32 real, u32 shown, bool in_partition, enum memory_mode mode)
{
	if (in_partition)
		return real == VL_MEMORY_RAM && shown == VL_MEMORY_RESERVED;
	if (real != VL_MEMORY_RAM)
		return shown == real;
	return shown == VL_MEMORY_RAM || (may_hide(pos, mode) && shown == VL_MEMORY_RESERVED);
}

/* Type of the map at `pos`; lowers *next to where that ends. */
static u32 look(const struct memmap *map, u64 pos, u64 *next)
{
	int i = find(map, pos);

	if (i >= 0) {
		u64 end = map->range[i].start + map->range[i].size;

		*next = end < *next ? end : *next;
		return map->range[i].type;
	}
	for (u32 k = 0; k < map->count; k++)
		if (map->range[k].start > pos && map->range[k].start < *next)
			*next = map->range[k].start;
	return 0;
}

/* Compare the two maps over the whole address space, one stretch without a change at a time. */
static int check_truth(const struct memmap *guest, const struct memmap *machine,
		       struct range partition, enum memory_mode mode, struct failure *f)
{
	u64 next;

	for (u64 pos = 0; pos < MEMMAP_ADDRESS_END; pos = next) {
		bool in_partition = pos >= partition.start && pos < partition.end;
		u32 real, shown;

		next = MEMMAP_ADDRESS_END;
		real = look(machine, pos, &next);
		shown = look(guest, pos, &next);
		if (pos < partition.start && partition.start < next)
			next = partition.start;
		if (in_partition && partition.end < next)
			next = partition.end;
		if (pos < MEMMAP_LOW_END && next > MEMMAP_LOW_END)
			next = MEMMAP_LOW_END;
		if (!may_show(pos, real, shown, in_partition, mode))
			return fail(f, VL_EINVAL,
				    "The guest's memory map says type %u at %#lx to %#lx, where %s "
				    "type %u; report this as a bug of Vellum.",
				    shown, pos, next,
				    in_partition ? "Vellum's partition is and the machine has"
						 : "the machine has",
				    real);
	}
	return 0;
}

/* The RAM from `floor` on is one range in [1 MiB, 4 GiB). */
static int check_contiguous(const struct memmap *guest, u64 floor, struct failure *f)
{
	struct range ram = {0, 0};
	u32 pieces = 0;

	for (u32 i = 0; i < guest->count; i++) {
		struct range r = memory_range(&guest->range[i]);

		if (guest->range[i].type != VL_MEMORY_RAM || r.end <= floor)
			continue;
		ram = (struct range){r.start < floor ? floor : r.start, r.end};
		pieces++;
	}
	if (pieces != 1 || ram.start < MEMMAP_LOW_END || ram.end > MEMMAP_32BIT_END)
		return fail(f, VL_EINVAL,
			    "The guest's RAM is not one range between 1 MiB and 4 GiB but %u, the "
			    "last from %#lx to %#lx; report this as a bug of Vellum.",
			    pieces, ram.start, ram.end);
	return 0;
}

int memmap_check_guest(const struct memmap *guest, const struct memmap *machine,
		       struct range partition, enum memory_mode mode, struct failure *f)
{
	int err = check_form(guest, f);

	if (!err)
		err = check_form(machine, f);
	if (!err)
		err = check_truth(guest, machine, partition, mode, f);
	if (!err && mode != MEM_ALL)
		err = check_contiguous(guest, mode == MEM_WITH_LOW ? MEMMAP_LOW_END : 0, f);
	return err;
}
