// SPDX-License-Identifier: MIT
/*
 * Pages that move under a running kernel, and transitions that fail: what
 * debug builds of Vellum have calls for. A release build refuses them.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/image.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/moving.h"
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define PAGES  64
#define ROUNDS 300
#define HZ     1000

static u8 data[PAGES * PAGE_SIZE] __attribute__((aligned(4096)));

static u64 checksum(void)
{
	return sum_words((u64 *)data, sizeof(data));
}

static void fill(void)
{
	fill_words((u64 *)data, sizeof(data), 99);
}

/* What a release build answers to the calls of this file. */
static bool skip_on_release(void)
{
	if (is_debug_build())
		return false;
	CHECK(move(pfn_of(data), true) == -VL_EOPNOTSUPP, "a release build moves pages");
	CHECK(vl_call_set_failpoint(hypercall_page, 1) == -VL_EOPNOTSUPP,
	      "a release build has failpoints");
	return true;
}

TEST(moved_data, "M4 M9")
{
	u64 free, want;

	if (skip_on_release())
		return;
	fill();
	want = checksum();
	go_in();
	free = partition_free();
	for (u64 i = 0; i < PAGES; i += 2)
		move_away(pfn_of(data + i * PAGE_SIZE));
	read_info();
	CHECK(counters.p2m_moved == PAGES / 2, "%lu pages moved", counters.p2m_moved);
	CHECK(checksum() == want, "pages that are away have changed");
	for (u64 i = 0; i < PAGES; i += 3) {
		data[i * PAGE_SIZE] ^= 1;
		move_home(pfn_of(data + i * PAGE_SIZE));
		CHECK((data[i * PAGE_SIZE] ^= 1) >= 0, "written where it was moved");
	}
	CHECK(checksum() == want, "pages that came home have changed");
	CHECK(free > partition_free(), "moved pages take no frames");
	go_out();
	CHECK(checksum() == want, "devirtualize did not bring the pages home");
	go_in();
	CHECK(partition_free() == free, "%lu bytes free, there were %lu", info.partition_free,
	      free);
	CHECK(counters.p2m_moved == 0, "%lu pages are away", counters.p2m_moved);
	go_out();
}

/* Everything that this kernel consists of, whatever it is in use for: text, page tables,
 * descriptor tables, stacks, the page of the interrupt flag; under a timer. */
TEST(moved_kernel, "M4 M5 M9")
{
	u64 first = pfn_of(image_start), count = pfn_of(image_end) - first;
	u64 root = (read_cr3() & PTE_ADDRESS) >> PAGE_SHIFT;
	u64 state = 7, want, ticks;

	if (skip_on_release())
		return;
	fill();
	want = checksum();
	timer_start(HZ);
	go_in();
	move_away(pfn_of(&vcpu_info));
	move_away(root);
	for (int i = 0; i < ROUNDS; i++) {
		u64 pfn = i % 8 == 0 ? root + random_below(&state, 16)
				     : first + random_below(&state, count);
		s64 answer = move(pfn, random_below(&state, 3) != 0);

		CHECK(answer >= 0, "page %#lx: %ld", pfn, answer);
		ticks = timer_ticks();
		interrupts_on_and_halt();
		interrupts_off();
		CHECK(timer_ticks() > ticks, "round %d: HLT went on without a tick", i);
		CHECK(checksum() == want, "round %d: memory changed", i);
	}
	read_info();
	CHECK(counters.p2m_moved > 20, "only %lu pages are away", counters.p2m_moved);
	go_out();
	CHECK(checksum() == want, "memory changed on the way out");
	timer_stop();
}

/* The layer of memory alone brings them home, too, and the CPU's stays. */
TEST(moved_and_unmapped, "M4 M8 M9")
{
	u64 want;
	s64 answer;

	if (skip_on_release())
		return;
	fill();
	want = checksum();
	go_in();
	for (u64 i = 0; i < PAGES; i++)
		move_away(pfn_of(data + i * PAGE_SIZE));
	move_away(pfn_of(&vcpu_info));
	answer = devirtualize_layers(VL_LAYER_MEMORY);
	CHECK(answer == 0 && is_virtualized(), "devirtualize of memory alone: %ld", answer);
	CHECK(checksum() == want, "memory changed");
	CHECK(move(pfn_of(data), true) == -VL_EOPNOTSUPP, "a page moved without a p2m");
	answer = virtualize_layers(VL_LAYER_MEMORY);
	CHECK(answer == 0, "virtualize of memory alone: %ld", answer);
	read_info();
	CHECK(counters.p2m_moved == 0, "%lu pages are away in a new p2m", counters.p2m_moved);
	go_out();
}

/* As many as there are frames: the shadow still has what it needs. */
TEST(moved_until_full, "M4 M9")
{
	const struct vl_memory_range *map = pa_to_ptr((pa_t){start_info->memory_map});
	u64 moved = 0, want;
	s64 answer = 0;

	if (skip_on_release())
		return;
	fill();
	want = checksum();
	go_in();
	for (u32 i = 0; i < start_info->memory_map_count && answer >= 0; i++)
		for (u64 pa = map[i].start;
		     map[i].type == VL_MEMORY_RAM && answer >= 0 && pa < map[i].start + map[i].size;
		     pa += PAGE_SIZE, moved += answer >= 0)
			answer = move(pa >> PAGE_SHIFT, true);
	CHECK(answer == -VL_ENOMEM, "after %lu pages: %ld", moved, answer);
	CHECK(checksum() == want, "memory changed");
	/* Touch all RAM: more shadow tables than there are frames. */
	for (u32 i = 0; i < start_info->memory_map_count; i++)
		for (u64 at = 0; map[i].type == VL_MEMORY_RAM && at < map[i].size; at += PAGE_SIZE)
			*(volatile u8 *)pa_to_ptr((pa_t){map[i].start + at});
	read_info();
	CHECK(counters.p2m_moved == moved, "%lu are away, not %lu", counters.p2m_moved, moved);
	go_out();
	CHECK(checksum() == want, "memory changed on the way out");
	print("# %lu pages were away, %lu bytes were free\n", moved, info.partition_free);
}

TEST(moved_refused, "M4 I4")
{
	if (skip_on_release())
		return;
	if (is_virtualized())
		go_out();
	CHECK(move(pfn_of(data), true) == -VL_EOPNOTSUPP, "moved in passthrough");
	go_in();
	CHECK(move(info.partition_start >> PAGE_SHIFT, true) == -VL_EFAULT, "moved Vellum");
	CHECK(move(~(u64)0, true) == -VL_EFAULT, "moved what does not exist");
	CHECK(move((u64)1 << 52, true) == -VL_EFAULT, "moved what wraps");
	CHECK(vl_call_test_move_page(hypercall_page, pfn_of(data), 2) == -VL_EINVAL, "moved by 2");
	CHECK(move(pfn_of(data), false) == (s64)pfn_of(data), "home is where it is");
	go_out();
}

TEST(failpoints, "M1 M9")
{
	u64 want, free, in, out;

	if (skip_on_release())
		return;
	if (is_virtualized())
		go_out();
	fill();
	want = checksum();
	timer_start(HZ);
	free = partition_free();
	in = fail_each(virtualize_layers, VL_LAYER_ALL);
	CHECK(in >= 4, "only %lu steps to virtualize", in);
	CHECK(is_virtualized() && checksum() == want, "virtualized after all");
	for (u64 i = 0; i < PAGES; i++)
		move_away(pfn_of(data + i * PAGE_SIZE));
	move_away(pfn_of(&vcpu_info));
	out = fail_each(devirtualize_layers, VL_LAYER_ALL);
	CHECK(out >= 2, "only %lu steps to devirtualize", out);
	CHECK(!is_virtualized() && checksum() == want, "devirtualized after all");
	CHECK(partition_free() == free, "%lu bytes free, there were %lu", info.partition_free,
	      free);
	CHECK(fail_each(virtualize_layers, VL_LAYER_CPU) == in, "other steps for the CPU alone");
	CHECK(fail_each(virtualize_layers, VL_LAYER_MEMORY) >= 1, "no step to add memory");
	CHECK(fail_each(devirtualize_layers, VL_LAYER_MEMORY) >= 2, "no step to take it off");
	go_out();
	CHECK(partition_free() == free, "%lu bytes free at the end", info.partition_free);
	timer_stop();
}
