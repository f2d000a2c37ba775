// SPDX-License-Identifier: MIT
/*
 * Buffers that a hypercall must refuse, and how little it may touch of those
 * that it takes.
 */
#include "lib/string.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"

#define SIZE   sizeof(struct vl_hv_info)
#define FILL   0xa5
#define LAPIC  0xfee00000ul
#define MAX_PA ((u64)1 << 52)

static u8 pages[3 * PAGE_SIZE] __attribute__((aligned(4096)));

static s64 info_at(u64 pa, u64 size)
{
	return vl_call_hv_info(hypercall_page, pa, size);
}

static void expect_efault(u64 pa, u64 size)
{
	s64 r = info_at(pa, size);

	CHECK(r == -VL_EFAULT, "buffer %#lx + %#lx: %ld", pa, size, r);
}

TEST(buffers_any_alignment, "U3")
{
	u8 *page = pages + PAGE_SIZE;
	const u64 offsets[] = {0, 1, 7, 63, 64, 2047, PAGE_SIZE - SIZE - 1, PAGE_SIZE - SIZE};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		u8 *at = page + offsets[i];
		s64 r;

		memset(pages, FILL, sizeof(pages));
		r = info_at(ptr_to_pa(at).v, SIZE);
		CHECK(r == (s64)SIZE, "offset %lu: %ld", offsets[i], r);
		CHECK(at[-1] == FILL && at[SIZE] == FILL, "offset %lu: wrote beside the buffer",
		      offsets[i]);
	}
}

TEST(buffers_short_and_long, "U3")
{
	u8 *page = pages + PAGE_SIZE;
	s64 r;

	for (u64 size = 1; size < SIZE; size++) {
		memset(page, FILL, PAGE_SIZE);
		r = info_at(ptr_to_pa(page).v, size);
		CHECK(r == (s64)size, "size %lu: %ld", size, r);
		CHECK(page[size] == FILL, "size %lu: wrote behind the buffer", size);
	}
	memset(page, FILL, PAGE_SIZE);
	r = info_at(ptr_to_pa(page).v, PAGE_SIZE);
	CHECK(r == (s64)SIZE, "a whole page: %ld", r);
	for (size_t i = SIZE; i < PAGE_SIZE; i++)
		CHECK(page[i] == FILL, "byte %zu behind the structure was written", i);
}

TEST(buffers_size_zero, "U3")
{
	s64 r = info_at(ptr_to_pa(pages).v, 0);

	CHECK(r == -VL_EINVAL, "size 0: %ld", r);
	r = vl_call_domain_info(hypercall_page, VL_DOMID_SELF, ptr_to_pa(pages).v, 0);
	CHECK(r == -VL_EINVAL, "domain_info, size 0: %ld", r);
}

TEST(buffers_cross_page, "U3")
{
	u64 pa = ptr_to_pa(pages).v;

	memset(pages, FILL, sizeof(pages));
	expect_efault(pa + PAGE_SIZE - SIZE + 1, SIZE);
	expect_efault(pa + PAGE_SIZE - 1, 2);
	expect_efault(pa, PAGE_SIZE + 1);
	expect_efault(pa + 1, PAGE_SIZE);
	expect_efault(pa, 2 * PAGE_SIZE);
	for (size_t i = 0; i < sizeof(pages); i++)
		CHECK(pages[i] == FILL, "a refused call wrote at %zu", i);
}

TEST(buffers_huge_size, "U3")
{
	u64 pa = ptr_to_pa(pages).v;
	const u64 sizes[] = {(u64)1 << 31, (u64)1 << 32,  ((u64)1 << 32) + 8,
			     (u64)1 << 52, (u64)1 << 63,  ~(u64)0,
			     0 - pa,       PAGE_SIZE - pa};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_efault(pa, sizes[i]);
		expect_efault(pa + 8, sizes[i]);
	}
}

/* Just outside of each range of RAM, on both sides, and in the middle of each hole. */
static void check_holes(void)
{
	u64 end = 0;

	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		struct range r = memory_bounds(i);

		if (memory_range(i)->type != VL_MEMORY_RAM)
			continue;
		if (r.start > end) {
			expect_efault(r.start - PAGE_SIZE, SIZE);
			expect_efault(round_down(end + (r.start - end) / 2, PAGE_SIZE), SIZE);
		}
		if (!memory_is_ram(round_up(r.end, PAGE_SIZE), SIZE))
			expect_efault(round_up(r.end, PAGE_SIZE), SIZE);
		end = r.end;
	}
}

TEST(buffers_outside_ram, "U3 I4")
{
	const u64 bad[] = {0xa0000,
			   0xb8000,
			   0xffff0,
			   LAPIC,
			   4 * GIB - PAGE_SIZE,
			   MAX_PA - PAGE_SIZE,
			   MAX_PA,
			   (u64)1 << 63,
			   0 - SIZE,
			   0 - PAGE_SIZE,
			   ~(u64)0,
			   ~(u64)0 - SIZE / 2,
			   DIRECT_MAP,
			   (u64)pages,
			   (u64)1 << 52 | ptr_to_pa(pages).v,
			   (u64)1 << 63 | ptr_to_pa(pages).v,
			   0xffff800000000000ul | ptr_to_pa(pages).v};

	check_holes();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_efault(bad[i], SIZE);
}

TEST(buffers_in_partition, "U3 I4 I6")
{
	struct vl_hv_info *info = (void *)pages;
	u64 start, size;
	s64 r = info_at(ptr_to_pa(info).v, sizeof(*info));

	CHECK(r == sizeof(*info), "result %ld", r);
	start = info->partition_start;
	size = info->partition_size;
	for (u64 at = 0; at < size; at += round_up(size / 64, PAGE_SIZE))
		expect_efault(start + at, SIZE);
	expect_efault(start + size - PAGE_SIZE, SIZE);
	expect_efault(start + size - 1, 1);
}
