// SPDX-License-Identifier: MIT
/*
 * See moves.h.
 */
#include "tests/unit/moves.h"

#include <string.h>

static bool inside_type(const struct memmap *map, struct range r, u32 type)
{
	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].type == type && r.start >= map->range[i].start &&
		    r.end <= map->range[i].start + map->range[i].size)
			return true;
	return false;
}

static bool same(struct range a, struct range b)
{
	return a.start == b.start && a.end == b.end;
}

static const char *check_kernel(const struct placement_request *req, const struct placement *p)
{
	if (range_size(p->kernel) != req->kernel_size)
		return "the kernel has another size";
	if (!inside_type(req->guest, p->kernel, VL_MEMORY_RAM))
		return "the kernel is not in the guest's RAM";
	if (p->kernel.start < req->kernel_start)
		return "the kernel is below its address";
	if (!req->kernel_relocatable)
		return p->kernel.start == req->kernel_start ? NULL : "the kernel was relocated";
	return p->kernel.start % req->kernel_align == 0 ? NULL : "the kernel is not aligned";
}

static const char *check_places(const struct placement_request *req, const struct placement *p)
{
	struct range all[5] = {p->kernel, p->start, p->initrd, p->staged, req->partition};

	if (range_size(p->start) != round_up(req->start_size, PAGE_SIZE) ||
	    p->start.start % PAGE_SIZE != 0 || !inside_type(req->guest, p->start, VL_MEMORY_RAM))
		return "the start area is not well placed";
	if (range_size(p->initrd) != range_size(req->initrd_file))
		return "the initrd has another size";
	if (range_size(p->initrd) > 0 &&
	    (p->initrd.start % PAGE_SIZE != 0 || p->initrd.end - 1 > req->initrd_addr_max ||
	     !inside_type(req->guest, p->initrd, VL_MEMORY_RAM)))
		return "the initrd is not well placed";
	if (!inside_type(req->machine, p->staged, VL_MEMORY_RAM))
		return "the staged file is not in RAM";
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < i; k++)
			if (range_size(all[i]) > 0 && range_size(all[k]) > 0 &&
			    range_overlaps(all[i], all[k]))
				return "two places overlap";
	return NULL;
}

/* Follow both files through the moves. */
static const char *follow(const struct placement_request *req, const struct placement *p)
{
	struct range at[2] = {req->kernel_file, req->initrd_file};

	if (p->move_count > PLACEMENT_MAX_MOVES)
		return "too many moves";
	for (u32 m = 0; m < p->move_count; m++) {
		struct range src = p->move[m].src;
		struct range dst = {p->move[m].dst, p->move[m].dst + range_size(src)};
		int which = same(src, at[0]) ? 0 : 1;

		if (!same(src, at[which]))
			return "a move takes what is no file";
		if (range_size(at[!which]) > 0 && range_overlaps(dst, at[!which]))
			return "a move overwrites the other file";
		for (u32 i = 0; i < req->busy_count; i++)
			if (range_size(req->busy[i]) > 0 && range_overlaps(dst, req->busy[i]))
				return "a move overwrites a busy range";
		if (!inside_type(req->machine, dst, VL_MEMORY_RAM))
			return "a move leaves RAM";
		at[which] = dst;
	}
	if (!same(at[0], p->staged))
		return "the kernel's file is not where it should be";
	return range_size(at[1]) == 0 || same(at[1], p->initrd)
		       ? NULL
		       : "the initrd is not where it should be";
}

const char *moves_check(const struct placement_request *req, const struct placement *p)
{
	const char *wrong = check_kernel(req, p);

	if (!wrong)
		wrong = check_places(req, p);
	return wrong ? wrong : follow(req, p);
}

static u32 unit(u64 address)
{
	return (u32)((address - MODEL_START) / MODEL_UNIT);
}

static bool in_model(struct range r)
{
	return r.start >= MODEL_START && r.end <= MODEL_END && r.start <= r.end &&
	       r.start % MODEL_UNIT == 0 && r.end % MODEL_UNIT == 0;
}

/* Unit i of a file holds its tag plus i. */
static void write_file(u32 *model, struct range r, u32 tag)
{
	for (u32 u = unit(r.start); u < unit(r.end); u++)
		model[u] = tag++;
}

static bool has_file(const u32 *model, struct range r, u32 tag)
{
	for (u32 u = unit(r.start); u < unit(r.end); u++)
		if (model[u] != tag++)
			return false;
	return true;
}

#define TAG_KERNEL 0x10000u
#define TAG_INITRD 0x20000u
#define TAG_BUSY   0x30000u /* plus the unit: busy ranges may overlap */

const char *moves_simulate(const struct placement_request *req, const struct placement *p)
{
	u32 model[MODEL_UNITS] = {0};
	bool initrd = range_size(req->initrd_file) > 0;

	write_file(model, req->kernel_file, TAG_KERNEL);
	if (initrd)
		write_file(model, req->initrd_file, TAG_INITRD);
	for (u32 i = 0; i < req->busy_count; i++)
		write_file(model, req->busy[i], TAG_BUSY + unit(req->busy[i].start));
	for (u32 m = 0; m < p->move_count; m++) {
		struct range src = p->move[m].src;
		struct range dst = {p->move[m].dst, p->move[m].dst + range_size(src)};

		if (!in_model(src) || !in_model(dst))
			return "a move leaves the model";
		memmove(&model[unit(dst.start)], &model[unit(src.start)],
			(unit(src.end) - unit(src.start)) * sizeof(u32));
	}
	for (u32 i = 0; i < req->busy_count; i++)
		if (!has_file(model, req->busy[i], TAG_BUSY + unit(req->busy[i].start)))
			return "Vellum's old image is damaged before it was copied";
	/* Now Vellum copies itself, then unpacks the kernel and writes the start area. */
	write_file(model, req->partition, 1);
	write_file(model, p->kernel, 1);
	write_file(model, p->start, 1);
	if (!has_file(model, p->staged, TAG_KERNEL))
		return "the staged file is damaged";
	return !initrd || has_file(model, p->initrd, TAG_INITRD) ? NULL : "the initrd is damaged";
}
