// SPDX-License-Identifier: MIT
/*
 * The memory that the guest was given: the map (M10: no larger than the
 * machine, no hole), and whether the RAM in it is RAM.
 */
#include "mini/memory.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/tap.h"

#define CMOS_INDEX     0x70
#define CMOS_DATA      0x71
#define CMOS_ABOVE_1M  0x30 /* 2 bytes, KiB, up to 64 MiB */
#define CMOS_ABOVE_16M 0x34 /* 2 bytes, 64 KiB */
#define CMOS_ABOVE_4G  0x5b /* 3 bytes, 64 KiB */
#define MAX_SAMPLES    32768
#define PATTERN        0x9e3779b97f4a7c15ull

TEST(memory_map, "M10")
{
	u64 end = 0;

	CHECK(start_info->memory_map_count > 0, "the memory map is empty");
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		const struct vl_memory_range *r = memory_range(i);

		CHECK(r->size > 0 && r->start + r->size > r->start, "range %u has size %#lx", i,
		      r->size);
		CHECK(r->start >= end, "range %u starts at %#lx, before %#lx", i, r->start, end);
		CHECK(r->type >= VL_MEMORY_RAM && r->type <= VL_MEMORY_BAD, "range %u has type %u",
		      i, r->type);
		end = r->start + r->size;
	}
}

TEST(memory_one_range, "M10")
{
	char map[8];

	if (cmdline_get("map", map, sizeof(map)) && strcmp(map, "all") == 0)
		test_skip("map=all: there may be several ranges");
	CHECK(memory_ram_ranges() == 1, "%u ranges of RAM", memory_ram_ranges());
}

TEST(memory_reserved, "M10 U3")
{
	struct range reserved = memory_reserved(), image = memory_image();

	CHECK(reserved.start < reserved.end && (reserved.start | reserved.end) % PAGE_SIZE == 0,
	      "the reserved range is %#lx .. %#lx", reserved.start, reserved.end);
	CHECK(memory_is_ram(reserved.start, range_size(reserved)),
	      "the reserved range %#lx .. %#lx is not in RAM", reserved.start, reserved.end);
	CHECK(memory_is_ram(image.start, range_size(image)), "the kernel image is not in RAM");
	CHECK(!range_overlaps(reserved, image), "the reserved range overlaps the kernel image");
	CHECK(range_contains(reserved, (struct range){start_info->hypercall_page,
						      start_info->hypercall_page + PAGE_SIZE}),
	      "the hypercall page is not reserved");
	CHECK(range_contains(reserved,
			     (struct range){start_info->memory_map,
					    start_info->memory_map +
						    start_info->memory_map_count *
							    sizeof(struct vl_memory_range)}),
	      "the memory map is not reserved");
}

static u64 cmos(u8 first, int bytes)
{
	u64 value = 0;

	for (int i = 0; i < bytes; i++) {
		out8(CMOS_INDEX, (u8)(first + i));
		value |= (u64)in8(CMOS_DATA) << (8 * i);
	}
	return value;
}

/* What the firmware left in the CMOS about the machine's RAM, independent of Vellum. */
static bool machine_has(struct range r)
{
	u64 high = cmos(CMOS_ABOVE_16M, 2);
	u64 low_end = high != 0 ? 16 * MIB + high * 64 * KIB : MIB + cmos(CMOS_ABOVE_1M, 2) * KIB;
	struct range low = {0, low_end};
	struct range above = {4 * GIB, 4 * GIB + cmos(CMOS_ABOVE_4G, 3) * 64 * KIB};

	return range_contains(low, r) || range_contains(above, r);
}

TEST(memory_in_machine, "M10")
{
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		struct range r = memory_bounds(i);

		CHECK(memory_range(i)->type != VL_MEMORY_RAM || machine_has(r),
		      "%#lx .. %#lx is not RAM of the machine", r.start, r.end);
	}
}

static u64 pattern(pa_t frame, size_t word)
{
	return (frame.v + word) * PATTERN;
}

static void write_frame(pa_t frame)
{
	u64 *words = pa_to_ptr(frame);

	words[0] = pattern(frame, 0);
	words[PAGE_SIZE / 8 - 1] = pattern(frame, 1);
}

static void check_frame(pa_t frame)
{
	const u64 *words = pa_to_ptr(frame);

	CHECK(words[0] == pattern(frame, 0) && words[PAGE_SIZE / 8 - 1] == pattern(frame, 1),
	      "frame %#lx reads back %#lx and %#lx", frame.v, words[0], words[PAGE_SIZE / 8 - 1]);
}

/* Visit every free frame, or in big memories every n-th of them. */
static u64 for_free_frames(void (*visit)(pa_t))
{
	u64 step = (frames_free() / MAX_SAMPLES + 1) * PAGE_SIZE;
	u64 count = 0;

	for (pa_t f = frame_next_free((pa_t){0}); f.v != 0; count++) {
		visit(f);
		f = frame_next_free((pa_t){f.v + step});
	}
	return count;
}

TEST(memory_is_real, "M10")
{
	u64 written, checked;

	/* All are written before the first is read: two frames that were one would show. */
	written = for_free_frames(write_frame);
	checked = for_free_frames(check_frame);
	CHECK(written == checked && checked > 0, "%lu frames written, %lu checked", written,
	      checked);
}

TEST(frames_allocate, "M10")
{
	u64 before = frames_free();
	pa_t small = frame_alloc(), large = frame_alloc_large();

	CHECK(small.v != 0 && large.v != 0, "no frames");
	CHECK(memory_is_ram(small.v, PAGE_SIZE), "frame %#lx is not RAM", small.v);
	CHECK(large.v % LARGE_SIZE == 0 && memory_is_ram(large.v, LARGE_SIZE),
	      "large frame %#lx is not RAM", large.v);
	CHECK(!range_overlaps(memory_reserved(), (struct range){large.v, large.v + LARGE_SIZE}),
	      "large frame %#lx is reserved", large.v);
	CHECK(frames_free() == before - 1 - 512, "%lu frames free, %lu before", frames_free(),
	      before);
	frame_free(small);
	frame_free_large(large);
	CHECK(frames_free() == before, "%lu frames free, %lu before", frames_free(), before);
}
