// SPDX-License-Identifier: MIT
/*
 * Memory maps (see mem/memmap.h). Pure. Maps are short, so everything is a
 * scan over all ranges; that needs neither scratch memory nor a sort, and a
 * reader can check it by eye. The verifier of M10 is memmap_check.c.
 */
#include "mem/memmap.h"

#include "lib/string.h"
#include "public/errno.h"

#define MIB_OF(bytes) ((bytes) / MIB)

/* Types from least to most restrictive. Bad RAM must not even be read, so it wins over reserved. */
static u32 severity(u32 type)
{
	switch (type) {
	case VL_MEMORY_RAM:
		return 1;
	case VL_MEMORY_ACPI:
		return 2;
	case VL_MEMORY_NVS:
		return 3;
	case VL_MEMORY_BAD:
		return 5;
	default:
		return 4;
	}
}

static u32 known_type(u32 type)
{
	return severity(type) == 4 ? VL_MEMORY_RESERVED : type;
}

/* What a raw range covers: wrapping and too high ends cut off, all but RAM grown to whole pages. */
static struct range extent(const struct vl_memory_range *raw)
{
	u64 end = raw->start + raw->size;

	if (raw->size == 0 || raw->start >= MEMMAP_ADDRESS_END)
		return (struct range){0, 0};
	if (end < raw->start || end > MEMMAP_ADDRESS_END)
		end = MEMMAP_ADDRESS_END;
	if (raw->type == VL_MEMORY_RAM)
		return (struct range){raw->start, end};
	return (struct range){round_down(raw->start, PAGE_SIZE), round_up(end, PAGE_SIZE)};
}

/* The type at address `pos`, 0 in a hole; `*next` becomes the next address where it may change. */
static u32 type_at(const struct vl_memory_range *raw, u32 count, u64 pos, u64 *next)
{
	u32 type = 0;

	*next = MEMMAP_ADDRESS_END;
	for (u32 i = 0; i < count; i++) {
		struct range r = extent(&raw[i]);

		if (r.start == r.end)
			continue;
		if (r.start > pos)
			*next = min_u64(*next, r.start);
		else if (r.end > pos) {
			*next = min_u64(*next, r.end);
			if (type == 0 || severity(raw[i].type) > severity(type))
				type = known_type(raw[i].type);
		}
	}
	return type;
}

/* Add [start, end) above all that is in the map, joining it to its neighbour if that is alike. */
static int append(struct memmap *map, u64 start, u64 end, u32 type, struct failure *f)
{
	struct vl_memory_range *last = map->count > 0 ? &map->range[map->count - 1] : NULL;

	if (last != NULL && last->type == type && last->start + last->size == start) {
		last->size += end - start;
		return 0;
	}
	if (map->count == MEMMAP_MAX)
		return fail(f, VL_E2BIG,
			    "The memory map falls into more than %u ranges; remove \"cutmem\" and "
			    "\"badram\" commands from grub.cfg or report this machine.",
			    MEMMAP_MAX);
	map->range[map->count++] =
		(struct vl_memory_range){.start = start, .size = end - start, .type = type};
	return 0;
}

/* Trim RAM to whole pages and drop what vanishes. Only now: a page may lie across two raw ranges.
 */
static void trim_ram(struct memmap *map)
{
	u32 kept = 0;

	for (u32 i = 0; i < map->count; i++) {
		struct vl_memory_range r = map->range[i];
		u64 start = round_up(r.start, PAGE_SIZE);
		u64 end = round_down(r.start + r.size, PAGE_SIZE);

		if (start >= end)
			continue;
		r.start = start;
		r.size = end - start;
		map->range[kept++] = r;
	}
	map->count = kept;
}

int memmap_normalize(const struct vl_memory_range *raw, u32 count, struct memmap *out,
		     struct failure *f)
{
	u64 next;

	out->count = 0;
	for (u64 pos = 0; pos < MEMMAP_ADDRESS_END; pos = next) {
		u32 type = type_at(raw, count, pos, &next);
		int err = type == 0 ? 0 : append(out, pos, next, type, f);

		if (err)
			return err;
	}
	trim_ram(out);
	return 0;
}

/* The part of `r` in [1 MiB, 4 GiB), where partition and guest start; empty if there is none. */
static struct range clip(struct range r)
{
	r.start = max_u64(r.start, MEMMAP_LOW_END);
	r.end = min_u64(r.end, MEMMAP_32BIT_END);
	return r.start < r.end ? r : (struct range){0, 0};
}

static struct range larger(struct range a, struct range b)
{
	return range_size(b) > range_size(a) ? b : a;
}

/* The larger part of `r` when `hole` is taken out. */
static struct range without(struct range r, struct range hole)
{
	struct range below = {r.start, max_u64(r.start, min_u64(r.end, hole.start))};
	struct range above = {min_u64(r.end, max_u64(r.start, hole.end)), r.end};

	return range_overlaps(r, hole) ? larger(below, above) : r;
}

/* Largest RAM in [1 MiB, 4 GiB) that does not touch `hole`. */
static struct range largest_piece(const struct memmap *map, struct range hole)
{
	struct range best = {0, 0};

	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].type == VL_MEMORY_RAM)
			best = larger(best, without(clip(memory_range(&map->range[i])), hole));
	return best;
}

struct range memmap_main_range(const struct memmap *map)
{
	return largest_piece(map, (struct range){0, 0});
}

/* Whether [top of r - size] is a partition that leaves a guest. */
static bool try_partition(const struct memmap *machine, struct range r, u64 size, struct range *out)
{
	u64 top = round_down(r.end, MEMMAP_PARTITION_ALIGN);

	if (top < r.start || top - r.start < size)
		return false;
	*out = (struct range){top - size, top};
	return range_size(largest_piece(machine, *out)) >= MEMMAP_GUEST_MIN;
}

int memmap_choose_partition(const struct memmap *machine, u64 size, struct range *out,
			    struct failure *f)
{
	struct range largest = memmap_main_range(machine);

	*out = (struct range){0, 0};
	if (size > 0 && size <= MEMMAP_32BIT_END) {
		size = round_up(size, MEMMAP_PARTITION_ALIGN);
		for (u32 i = machine->count; i-- > 0;)
			if (machine->range[i].type == VL_MEMORY_RAM &&
			    try_partition(machine, clip(memory_range(&machine->range[i])), size,
					  out))
				return 0;
	}
	*out = (struct range){0, 0};
	return fail(f, VL_ENOMEM,
		    "Too little RAM: Vellum wants %lu MiB and a guest at least %lu MiB, but the "
		    "largest piece of RAM between 1 MiB and 4 GiB has %lu MiB; give the machine "
		    "more RAM or set a smaller vellum_mem=.",
		    MIB_OF(size), MIB_OF(MEMMAP_GUEST_MIN), MIB_OF(range_size(largest)));
}

static bool contains_address(struct range r, u64 pos)
{
	return r.start <= pos && pos < r.end;
}

static u64 next_edge(struct range r, u64 pos, u64 next)
{
	if (r.start > pos)
		next = min_u64(next, r.start);
	if (r.end > pos)
		next = min_u64(next, r.end);
	return next;
}

static u64 next_edge_of(const struct range_pair *pair, u64 pos, u64 next)
{
	return next_edge(pair->at[1], pos, next_edge(pair->at[0], pos, next));
}

/* Append one piece of machine RAM: what lies in `shown` and not in the partition is RAM. */
static int append_ram(struct memmap *out, struct range ram, const struct range_pair *shown,
		      struct range partition, struct failure *f)
{
	u64 next;

	for (u64 pos = ram.start; pos < ram.end; pos = next) {
		bool is_ram = range_pair_has(shown, pos) && !contains_address(partition, pos);
		int err;

		next = next_edge(partition, pos, next_edge_of(shown, pos, ram.end));
		err = append(out, pos, next, is_ram ? VL_MEMORY_RAM : VL_MEMORY_RESERVED, f);
		if (err)
			return err;
	}
	return 0;
}

static int build_guest(const struct memmap *machine, struct range partition,
		       const struct range_pair *shown, struct memmap *out, struct failure *f)
{
	out->count = 0;
	for (u32 i = 0; i < machine->count; i++) {
		const struct vl_memory_range *r = &machine->range[i];
		int err = r->type == VL_MEMORY_RAM
				  ? append_ram(out, memory_range(r), shown, partition, f)
				  : append(out, r->start, r->start + r->size, r->type, f);

		if (err)
			return err;
	}
	return 0;
}

int memmap_for_guest(const struct memmap *machine, struct range partition, enum memory_mode mode,
		     struct memmap *out, struct failure *f)
{
	struct range main = largest_piece(machine, partition);
	struct range_pair shown = {.at = {main}};

	if (range_size(main) < MEMMAP_GUEST_MIN)
		return fail(
			f, VL_ENOMEM,
			"Too little RAM: beside Vellum's partition the guest would get %lu MiB, "
			"and needs %lu; give the machine more RAM or set a smaller "
			"vellum_mem=.",
			MIB_OF(range_size(main)), MIB_OF(MEMMAP_GUEST_MIN));
	if (mode == MEM_WITH_LOW)
		shown.at[1] = (struct range){0, MEMMAP_LOW_END};
	if (mode == MEM_ALL)
		shown.at[0] = (struct range){0, MEMMAP_ADDRESS_END};
	return build_guest(machine, partition, &shown, out, f);
}

u64 memmap_ram_total(const struct memmap *map)
{
	u64 total = 0;

	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].type == VL_MEMORY_RAM)
			total += map->range[i].size;
	return total;
}

struct range memmap_ram_at(const struct memmap *map, u64 pa)
{
	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].type == VL_MEMORY_RAM &&
		    pa - map->range[i].start < map->range[i].size)
			return memory_range(&map->range[i]);
	return (struct range){0};
}

bool memmap_is_ram(const struct memmap *map, struct range r)
{
	return r.start < r.end && range_contains(memmap_ram_at(map, r.start), r);
}

struct range_pair memmap_largest_ram(const struct memmap *map)
{
	struct range_pair p = {0};

	for (u32 i = 0; i < map->count; i++) {
		struct range r = memory_range(&map->range[i]);

		if (map->range[i].type != VL_MEMORY_RAM)
			continue;
		if (range_size(r) > range_size(p.at[0])) {
			p.at[1] = p.at[0];
			p.at[0] = r;
		} else if (range_size(r) > range_size(p.at[1])) {
			p.at[1] = r;
		}
	}
	return p;
}

u64 memmap_mapped_end(const struct memmap *map)
{
	for (u32 i = map->count; i-- > 0;)
		if (map->range[i].type == VL_MEMORY_RAM || map->range[i].type == VL_MEMORY_ACPI)
			return map->range[i].start + map->range[i].size;
	return 0;
}
