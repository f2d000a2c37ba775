// SPDX-License-Identifier: MIT
/*
 * The frame allocator: one bit a frame, set when it is taken. It owns the
 * promise of the start protocol that nothing which Vellum left in memory for
 * us (reserved range, initrd) is overwritten. Holes of the memory map and all
 * below 1 MiB count as taken.
 */
#include "mini/frames.h"

#include "lib/string.h"
#include "mini/exit.h"
#include "mini/memory.h"

#define BITS      64
#define LOW_END   MIB       /* firmware and legacy areas, on machines that show them as RAM */
#define BOOT_END  (4 * GIB) /* the boot page tables reach so far */
#define PER_LARGE (LARGE_SIZE / PAGE_SIZE)

static u64 *taken;    /* bit n: frame n is taken */
static u64 nr_frames; /* a multiple of 512 */
static u64 nr_free;
static u64 first_free; /* no frame below is free */

static bool is_taken(u64 frame)
{
	return (taken[frame / BITS] >> (frame % BITS) & 1) != 0;
}

static void set_taken(u64 frame, bool value)
{
	u64 bit = (u64)1 << (frame % BITS);

	if (is_taken(frame) == value)
		return;
	taken[frame / BITS] ^= bit;
	nr_free = value ? nr_free - 1 : nr_free + 1;
}

static void take_range(struct range r)
{
	u64 end = min_u64(round_up(r.end, PAGE_SIZE), nr_frames * PAGE_SIZE);

	for (u64 pa = round_down(r.start, PAGE_SIZE); pa < end; pa += PAGE_SIZE)
		set_taken(pa / PAGE_SIZE, true);
}

static void release_range(struct range r)
{
	for (u64 pa = round_up(r.start, PAGE_SIZE); pa + PAGE_SIZE <= r.end; pa += PAGE_SIZE)
		set_taken(pa / PAGE_SIZE, false);
}

/* Lowest place for `size` bytes in RAM range `r` that overlaps none of `busy`; 0 if none. */
static u64 find_place(struct range r, u64 size, const struct range *busy, size_t nr_busy)
{
	u64 at = round_up(r.start, PAGE_SIZE);

	for (size_t i = 0; i < nr_busy; i++) {
		if (range_overlaps(busy[i], (struct range){at, at + size})) {
			at = round_up(busy[i].end, PAGE_SIZE);
			i = (size_t)-1; /* look again from the start */
		}
	}
	return at + size <= min_u64(r.end, BOOT_END) ? at : 0;
}

static struct range place_bitmap(u64 size, const struct range *busy, size_t nr_busy)
{
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		u64 at = 0;

		if (memory_range(i)->type == VL_MEMORY_RAM)
			at = find_place(memory_bounds(i), size, busy, nr_busy);
		if (at != 0)
			return (struct range){at, at + size};
	}
	panic("no RAM for a bitmap of %lu bytes", size);
}

static u64 ram_end(void)
{
	u64 end = 0;

	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		if (memory_range(i)->type == VL_MEMORY_RAM)
			end = max_u64(end, memory_bounds(i).end);
	}
	return end;
}

void frames_init(void)
{
	struct range busy[] = {{0, LOW_END}, memory_image(), memory_reserved(), memory_initrd()};
	struct range bitmap;

	nr_frames = round_up(ram_end(), LARGE_SIZE) / PAGE_SIZE;
	bitmap = place_bitmap(nr_frames / 8, busy, ARRAY_SIZE(busy));
	taken = pa_to_ptr((pa_t){bitmap.start});
	memset(taken, 0xff, nr_frames / 8);
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		if (memory_range(i)->type == VL_MEMORY_RAM)
			release_range(memory_bounds(i));
	}
	for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
		take_range(busy[i]);
	take_range(bitmap);
}

pa_t frame_next_free(pa_t from)
{
	u64 frame = max_u64(round_up(from.v, PAGE_SIZE) / PAGE_SIZE, first_free);

	for (; frame < nr_frames; frame++) {
		if (frame % BITS == 0 && taken[frame / BITS] == ~(u64)0)
			frame += BITS - 1;
		else if (!is_taken(frame))
			return (pa_t){frame * PAGE_SIZE};
	}
	return (pa_t){0};
}

pa_t frame_alloc(void)
{
	pa_t frame = frame_next_free((pa_t){0});

	if (frame.v != 0) {
		set_taken(frame.v / PAGE_SIZE, true);
		first_free = frame.v / PAGE_SIZE + 1;
	}
	return frame;
}

pa_t frame_alloc_row(u64 count, pa_t from, pa_t end)
{
	u64 first = from.v / PAGE_SIZE, found = 0;

	for (u64 n = first; n < min_u64(nr_frames, end.v / PAGE_SIZE) && found < count; n++) {
		found = is_taken(n) ? 0 : found + 1;
		first = n + 1 - found;
	}
	if (found < count)
		return (pa_t){0};
	take_range((struct range){first * PAGE_SIZE, (first + count) * PAGE_SIZE});
	return (pa_t){first * PAGE_SIZE};
}

pa_t frame_alloc_zeroed(void)
{
	pa_t frame = frame_alloc();

	if (frame.v != 0)
		memset(pa_to_ptr(frame), 0, PAGE_SIZE);
	return frame;
}

static bool is_free_large(u64 first)
{
	for (u64 i = 0; i < PER_LARGE / BITS; i++) {
		if (taken[first / BITS + i] != 0)
			return false;
	}
	return true;
}

pa_t frame_alloc_large(void)
{
	for (u64 first = round_down(first_free, PER_LARGE); first < nr_frames; first += PER_LARGE) {
		pa_t pa = {first * PAGE_SIZE};

		if (is_free_large(first)) {
			take_range((struct range){pa.v, pa.v + LARGE_SIZE});
			return pa;
		}
	}
	return (pa_t){0};
}

void frame_free(pa_t frame)
{
	u64 n = frame.v / PAGE_SIZE;

	if (frame.v % PAGE_SIZE != 0 || n >= nr_frames || !is_taken(n))
		panic("frame %#lx is freed but was not taken", frame.v);
	set_taken(n, false);
	first_free = min_u64(first_free, n);
}

void frame_free_large(pa_t first)
{
	for (u64 i = 0; i < PER_LARGE; i++)
		frame_free((pa_t){first.v + i * PAGE_SIZE});
}

u64 frames_free(void)
{
	return nr_free;
}
