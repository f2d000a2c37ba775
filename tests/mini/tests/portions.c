// SPDX-License-Identifier: MIT
/*
 * Memory that is virtualized in part: portions come, merge, are cut and go,
 * with what the p2m and the counters say of them; and on a debug build pages
 * that move inside and stay outside, large pages, and steps that fail.
 */
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/image.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/moving.h"
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define PAGES  (2 * VL_MAX_PORTIONS + 4)
#define ROUNDS 200
#define HZ     1000

#define TEST_VA 0x0000000040000000ul /* 1 GiB, aligned for large pages */

static u8 data[PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
static struct vl_portions now;
static u8 buffer[PAGE_SIZE] __attribute__((aligned(4096)));

static u64 address(u64 page)
{
	return ptr_to_pa(data).v + page * PAGE_SIZE;
}

static s64 add(u64 page, u64 count)
{
	return vl_call_portion_add(hypercall_page, address(page), count * PAGE_SIZE);
}

static s64 take(u64 page, u64 count)
{
	return vl_call_portion_remove(hypercall_page, address(page), count * PAGE_SIZE);
}

static void read_portions(void)
{
	s64 answer = vl_call_portions(hypercall_page, ptr_to_pa(&now).v, sizeof(now));

	CHECK(answer == sizeof(now), "portions answered %ld", answer);
}

/* Page frames that the p2m tells of; they are all at home. */
static u64 frames_in_p2m(void)
{
	const struct vl_p2m_read *head = (const void *)buffer;
	const struct vl_p2m_range *r = (const void *)(buffer + sizeof(*head));
	u64 frames = 0;

	for (u64 next = 0; next != ~(u64)0; next = head->next) {
		s64 n = vl_call_p2m_read(hypercall_page, VL_DOMID_SELF, next, ptr_to_pa(buffer).v,
					 sizeof(buffer));

		CHECK(n >= 0, "p2m_read answered %ld", n);
		for (s64 i = 0; i < n; i++) {
			CHECK(r[i].pfn == r[i].mfn, "page %#lx is away", r[i].pfn);
			frames += r[i].count;
		}
	}
	return frames;
}

/* There is one portion: these pages. */
static void check_one(u64 page, u64 count)
{
	read_portions();
	CHECK(now.count == 1 && now.whole == 0, "%u portions, whole: %u", now.count, now.whole);
	CHECK(now.portion[0].start == address(page) && now.portion[0].size == count * PAGE_SIZE,
	      "portion %#lx, %#lx bytes", now.portion[0].start, now.portion[0].size);
	CHECK(frames_in_p2m() == count, "%lu frames in the p2m, not %lu", frames_in_p2m(), count);
}

static void expect(s64 answer, s64 want, const char *what)
{
	CHECK(answer == want, "%s answered %ld, not %ld", what, answer, want);
}

/* The CPU's layer alone. */
static void start(void)
{
	if (is_virtualized())
		go_out();
	expect(virtualize_layers(VL_LAYER_CPU), 0, "virtualize");
}

static void check_layer(u32 want)
{
	read_info();
	CHECK(counters.layers == (VL_LAYER_CPU | want), "layers are %#x", counters.layers);
}

TEST(portions_merge_and_split, "M7")
{
	start();
	read_portions();
	CHECK(now.count == 0 && now.whole == 0, "%u portions without the layer", now.count);
	expect(add(10, 10), 1, "the first one");
	check_layer(VL_LAYER_MEMORY);
	check_one(10, 10);
	expect(add(15, 10), 1, "one that overlaps");
	check_one(10, 15);
	expect(add(5, 5), 1, "one that touches");
	check_one(5, 20);
	expect(add(30, 2), 2, "one apart");
	expect(add(20, 12), 1, "one between");
	check_one(5, 27);
	expect(take(10, 3), 2, "a piece out of it");
	read_portions();
	CHECK(now.portion[0].start == address(5) && now.portion[0].size == 5 * PAGE_SIZE &&
		      now.portion[1].start == address(13) && now.portion[1].size == 19 * PAGE_SIZE,
	      "split at %#lx and %#lx", now.portion[0].start, now.portion[1].start);
	expect(take(0, 10), 1, "the lower one, and more");
	expect(take(20, 40), 1, "half of the other");
	check_one(13, 7);
	check_layer(VL_LAYER_MEMORY);
	expect(take(0, PAGES), 0, "the rest");
	check_layer(0);
	expect(vl_call_p2m_read(hypercall_page, VL_DOMID_SELF, 0, ptr_to_pa(buffer).v,
				sizeof(buffer)),
	       -VL_EOPNOTSUPP, "a p2m without portions");
	go_out();
}

static u64 memory_end(void)
{
	u64 end = 0;

	for (u32 i = 0; i < start_info->memory_map_count; i++)
		if (memory_range(i)->type == VL_MEMORY_RAM)
			end = memory_bounds(i).end;
	return end;
}

TEST(portions_refused, "M7 I4")
{
	u64 end = memory_end(), at = address(0);

	if (is_virtualized())
		go_out();
	expect(add(0, 1), -VL_EOPNOTSUPP, "one in passthrough");
	start();
	expect(take(0, 1), -VL_ENOENT, "none to take");
	expect(add(0, 0), -VL_EINVAL, "an empty one");
	expect(vl_call_portion_add(hypercall_page, at + 8, PAGE_SIZE), -VL_EINVAL, "unaligned");
	expect(vl_call_portion_add(hypercall_page, at, PAGE_SIZE + 1), -VL_EINVAL, "a part");
	expect(vl_call_portion_add(hypercall_page, at, end - at + PAGE_SIZE), -VL_ERANGE, "long");
	expect(vl_call_portion_add(hypercall_page, at, -PAGE_SIZE), -VL_ERANGE, "one that wraps");
	expect(vl_call_portion_add(hypercall_page, end, PAGE_SIZE), -VL_ERANGE, "one behind");
	expect(vl_call_portion_add(hypercall_page, end, VL_PORTION_REST), -VL_ERANGE, "no rest");
	expect(vl_call_portion_remove(hypercall_page, ~(u64)0 - 4095, PAGE_SIZE), -VL_ERANGE,
	       "the last");
	check_layer(0);
	expect(add(0, 4), 1, "four pages");
	expect(add(1, 3), -VL_EEXIST, "three of them");
	expect(take(4, 1), -VL_ENOENT, "the next one");
	expect(virtualize_layers(VL_LAYER_MEMORY), -VL_EBUSY, "the layer again");
	check_one(0, 4);
	expect(devirtualize_layers(VL_LAYER_MEMORY), 0, "the layer off");
	check_layer(0);
	go_out();
}

/* One portion too many, added, or made by a cut. */
TEST(portions_are_bounded, "M7")
{
	start();
	expect(add(0, 3), 1, "the first one");
	for (u64 i = 1; i < VL_MAX_PORTIONS; i++)
		expect(add(2 + 2 * i, 1), (s64)i + 1, "one more");
	expect(add(PAGES - 1, 1), -VL_ENOSPC, "one too many");
	expect(take(1, 1), -VL_ENOSPC, "a cut");
	read_portions();
	CHECK(now.count == VL_MAX_PORTIONS && now.portion[0].size == 3 * PAGE_SIZE,
	      "%u portions, the first of %#lx bytes", now.count, now.portion[0].size);
	expect(add(3, 1), VL_MAX_PORTIONS - 1, "what is between");
	expect(take(1, 1), VL_MAX_PORTIONS, "the cut");
	expect(vl_call_portion_remove(hypercall_page, 0, VL_PORTION_REST), 0, "all");
	go_out();
}

static s64 create_domain(void)
{
	static const struct vl_domain_create wanted = {
		.name = "other", .memory_size = PAGE_SIZE, .nr_vcpus = 1, .weight = 1};
	struct vl_domain_create *w = (void *)buffer;

	*w = wanted;
	w->memory_start = address(0);
	return vl_call_domain_create(hypercall_page, ptr_to_pa(w).v, sizeof(*w));
}

/* Whoever wants another domain has all of it virtualized, and keeps it. */
TEST(portions_whole, "M7 U1")
{
	u64 ram = 0;
	s64 domid;

	for (u32 i = 0; i < start_info->memory_map_count; i++)
		ram += memory_range(i)->type == VL_MEMORY_RAM ? memory_range(i)->size : 0;
	go_in();
	read_portions();
	CHECK(now.count == 1 && now.whole == 1 && now.portion[0].start == 0 &&
		      now.portion[0].size == memory_end(),
	      "all: %u portions, of %#lx bytes", now.count, now.portion[0].size);
	expect(add(3, 1), -VL_EEXIST, "a part of all");
	expect(take(3, 1), 2, "all but a page");
	CHECK(frames_in_p2m() == (ram >> PAGE_SHIFT) - 1, "%lu frames", frames_in_p2m());
	expect(create_domain(), -VL_EOPNOTSUPP, "a domain");
	expect(vl_call_portion_add(hypercall_page, 0, VL_PORTION_REST), 1, "all again");
	domid = create_domain();
	CHECK(domid > 0, "domain_create answered %ld", domid);
	expect(take(3, 1), -VL_EBUSY, "a page beside another domain");
	expect(vl_call_domain_destroy(hypercall_page, (u64)domid), 0, "domain_destroy");
	expect(take(3, 1), 2, "a page");
	expect(vl_call_portion_add(hypercall_page, address(3), memory_end() - address(3)), 1,
	       "up to the end");
	read_portions();
	CHECK(now.whole == 1, "nothing is left out, but whole says %u", now.whole);
	go_out();
}

/* --- debug builds --- */

static u64 checksum(void)
{
	return sum_words((u64 *)data, sizeof(data));
}

static u64 fill(void)
{
	fill_words((u64 *)data, sizeof(data), 1234);
	return checksum();
}

static u64 pages_away(void)
{
	read_info();
	return counters.p2m_moved;
}

/* Half a portion is taken off: its pages come home, and no others. */
TEST(portions_moved_pages, "M7 M4 M9")
{
	u64 want, free, first = address(0) >> PAGE_SHIFT;

	if (!is_debug_build())
		return;
	want = fill();
	start();
	expect(add(8, 32), 1, "a portion");
	free = partition_free();
	expect(move(first + 7, true), -VL_EOPNOTSUPP, "a page before it");
	expect(move(first + 40, true), -VL_EOPNOTSUPP, "a page behind it");
	expect(move(first + 40, false), -VL_EOPNOTSUPP, "a page that is at home");
	for (u64 i = 8; i < 40; i++)
		move_away(first + i);
	CHECK(pages_away() == 32 && checksum() == want, "%lu pages are away", pages_away());
	move_home(first + 9);
	expect(take(0, 24), 1, "the lower half");
	CHECK(pages_away() == 16, "%lu pages are away, not 16", pages_away());
	CHECK(checksum() == want, "memory has changed");
	expect(move(first + 23, true), -VL_EOPNOTSUPP, "a page of the half that is gone");
	expect(move(first + 24, false), (s64)first + 24, "one of the other");
	for (u64 i = 0; i < PAGES; i++)
		data[i * PAGE_SIZE] ^= 1;
	expect(take(24, 16), 0, "the upper half");
	for (u64 i = 0; i < PAGES; i++)
		data[i * PAGE_SIZE] ^= 1;
	CHECK(checksum() == want, "memory has changed");
	expect(add(8, 32), 1, "the portion again");
	CHECK(partition_free() == free && counters.p2m_moved == 0, "%lu bytes free, there were %lu",
	      info.partition_free, free);
	go_out();
	CHECK(checksum() == want, "memory has changed on the way out");
}

/* All that this kernel consists of, in portions that come and go under a timer. */
TEST(portions_under_the_kernel, "M7 M4 M5")
{
	u64 first = pfn_of(image_start), count = pfn_of(image_end) - first, state = 5, want, ticks;
	u64 free, refused = 0, moved = 0;

	if (!is_debug_build())
		return;
	want = fill();
	timer_start(HZ);
	start();
	free = partition_free();
	for (int i = 0; i < ROUNDS; i++) {
		u64 from = random_below(&state, count - 1), n = 1 + random_below(&state, 40);
		u64 start_pa = (first + from) << PAGE_SHIFT, size = n << PAGE_SHIFT;
		s64 answer = random_below(&state, 5) < 3
				     ? vl_call_portion_add(hypercall_page, start_pa, size)
				     : vl_call_portion_remove(hypercall_page, start_pa, size);

		CHECK(answer >= 0 || answer == -VL_EEXIST || answer == -VL_ENOENT, "round %d: %ld",
		      i, answer);
		for (int k = 0; k < 8; k++) {
			answer = move(first + random_below(&state, count),
				      random_below(&state, 3) != 0);
			CHECK(answer >= 0 || answer == -VL_EOPNOTSUPP, "round %d: %ld", i, answer);
			refused += answer < 0;
			moved += answer >= 0;
		}
		ticks = timer_ticks();
		interrupts_on_and_halt();
		interrupts_off();
		CHECK(timer_ticks() > ticks, "round %d: HLT went on without a tick", i);
		CHECK(checksum() == want, "round %d: memory changed", i);
	}
	CHECK(refused > 100 && moved > 100, "%lu moves refused, %lu made", refused, moved);
	vl_call_portion_remove(hypercall_page, 0, VL_PORTION_REST);
	check_layer(0);
	CHECK(checksum() == want && partition_free() == free, "%lu bytes free, there were %lu",
	      info.partition_free, free);
	go_out();
	timer_stop();
}

static u64 fills(void)
{
	read_info();
	return counters.shadow_fills;
}

/* Fills of the shadow that it takes to write to each page of a large one, with a few for the
 * kernel's own. */
static u64 fills_for_all_of(u64 va)
{
	u64 before = fills();

	for (u64 i = 0; i < LARGE_SIZE / PAGE_SIZE; i++)
		*(volatile u64 *)(va + i * PAGE_SIZE) = i;
	return fills() - before;
}

/* Inside, one page elsewhere splinters a large one; outside, it stays large, with its frames. */
TEST(portions_large_pages, "M7 M5 M6")
{
	pa_t inside, outside;
	struct space space;
	u64 in, out, few;

	if (!is_debug_build())
		return;
	few = info.shadow & VL_SHADOW_LARGE ? 20 : LARGE_SIZE / PAGE_SIZE + 20;
	inside = frame_alloc_large();
	outside = frame_alloc_large();
	CHECK(inside.v != 0 && outside.v != 0 && space_create(&space) == 0, "no frames");
	CHECK(space_map(&space, (va_t){TEST_VA}, inside, LARGE_SIZE, PTE_W) == 0 &&
		      space_map(&space, (va_t){TEST_VA + LARGE_SIZE}, outside, LARGE_SIZE, PTE_W) ==
			      0,
	      "not mapped");
	space_load(&space);
	start();
	expect(vl_call_portion_add(hypercall_page, inside.v, LARGE_SIZE), 1, "a portion");
	out = fills_for_all_of(TEST_VA);
	CHECK(out < few, "%lu fills for a large page of a portion, all at home", out);
	move_away((inside.v >> PAGE_SHIFT) + 100);
	expect(move(outside.v >> PAGE_SHIFT, true), -VL_EOPNOTSUPP, "a page outside");
	in = fills_for_all_of(TEST_VA);
	out = fills_for_all_of(TEST_VA + LARGE_SIZE);
	CHECK(in >= LARGE_SIZE / PAGE_SIZE, "%lu fills where a page is away", in);
	CHECK(out < few, "%lu fills for a large page outside", out);
	CHECK(*(u64 *)pa_to_ptr((pa_t){outside.v + 77 * PAGE_SIZE}) == 77 &&
		      *(u64 *)pa_to_ptr((pa_t){inside.v + 100 * PAGE_SIZE}) == 100,
	      "written elsewhere");
	go_out();
	CHECK(*(u64 *)pa_to_ptr((pa_t){inside.v + 100 * PAGE_SIZE}) == 100, "not home");
	space_load(&kernel_space);
	space_destroy(&space);
	frame_free_large(inside);
	frame_free_large(outside);
}

static s64 add_some(u64 page)
{
	s64 answer = add(page, 16);

	return answer > 0 ? 0 : answer;
}

static s64 take_some(u64 page)
{
	s64 answer = take(page, 16);

	return answer > 0 ? 0 : answer;
}

TEST(portions_failpoints, "M7 M9")
{
	u64 want, first = address(0) >> PAGE_SHIFT;

	if (!is_debug_build())
		return;
	want = fill();
	start();
	CHECK(fail_each(add_some, 0) >= 2, "too few steps for the first portion");
	CHECK(fail_each(add_some, 32) >= 2, "too few steps for another one");
	read_portions();
	CHECK(now.count == 2, "%u portions", now.count);
	for (u64 i = 0; i < 16; i++) {
		move_away(first + i);
		move_away(first + 32 + i);
	}
	CHECK(fail_each(take_some, 40) >= 2, "too few steps for half a portion");
	CHECK(pages_away() == 24 && checksum() == want, "%lu pages are away", pages_away());
	CHECK(fail_each(take_some, 28) >= 2 && pages_away() == 16, "the other half");
	CHECK(fail_each(take_some, 0) >= 2, "too few steps for the last portion");
	check_layer(0);
	CHECK(checksum() == want, "memory has changed");
	go_out();
}
