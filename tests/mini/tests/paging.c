// SPDX-License-Identifier: MIT
/*
 * Page tables as the CPU sees them: mappings, rights, A and D bits, flushes,
 * spaces. All at CPL 0; ring 3 is in user.c.
 */
#include "mini/paging.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/image.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"

#define TEST_VA    0x0000000040000000ul /* 1 GiB: in the lower half, aligned for large pages */
#define GIB_VA     0x0000010000000000ul /* a slot of its own */
#define CPUID_1GIB (1u << 26)
#define RET_INSN   0xc3
#define SOME_WORD  0x123456789abcdef0ul

static u64 load(u64 va)
{
	return *(volatile u64 *)va;
}

static void store(u64 va, u64 value)
{
	*(volatile u64 *)va = value;
}

/* A frame whose first word is `value`. */
static pa_t frame_with(u64 value)
{
	pa_t frame = frame_alloc_zeroed();

	CHECK(frame.v != 0, "no frames");
	*(u64 *)pa_to_ptr(frame) = value;
	return frame;
}

static void map(struct space *space, u64 va, pa_t pa, u64 size, u64 flags)
{
	int err = space_map(space, (va_t){va}, pa, size, flags);

	CHECK(err == 0, "mapping %#lx: error %d", va, err);
}

static struct space new_space(void)
{
	struct space space;

	CHECK(space_create(&space) == 0, "no frames for a space");
	return space;
}

static void leave(struct space *space)
{
	space_load(&kernel_space);
	space_destroy(space);
}

TEST(paging_map, "M5")
{
	u64 before = frames_free();
	struct space space = new_space();
	pa_t frame = frame_with(SOME_WORD);

	space_load(&space);
	expect_read_fault((va_t){TEST_VA}, 0);
	map(&space, TEST_VA, frame, PAGE_SIZE, PTE_W);
	CHECK(load(TEST_VA) == SOME_WORD, "read %#lx", load(TEST_VA));
	store(TEST_VA, ~SOME_WORD);
	CHECK(*(u64 *)pa_to_ptr(frame) == ~SOME_WORD, "the store did not reach the frame");
	CHECK(space_map(&space, (va_t){TEST_VA}, frame, PAGE_SIZE, 0) == -VL_EEXIST,
	      "mapped twice");
	CHECK(space_unmap(&space, (va_t){TEST_VA}) == 0, "not mapped");
	expect_write_fault((va_t){TEST_VA}, PF_W);
	leave(&space);
	frame_free(frame);
	CHECK(frames_free() == before, "%lu frames free, %lu before", frames_free(), before);
}

TEST(paging_large, "M5")
{
	u64 before = frames_free();
	struct space space = new_space();
	pa_t large = frame_alloc_large();
	u64 last = LARGE_SIZE - sizeof(u64);

	CHECK(large.v != 0, "no large frame");
	space_load(&space);
	map(&space, TEST_VA, large, LARGE_SIZE, PTE_W);
	store(TEST_VA + last, SOME_WORD);
	CHECK(*(u64 *)pa_to_ptr((pa_t){large.v + last}) == SOME_WORD, "the store went elsewhere");
	space_unmap(&space, (va_t){TEST_VA + last});
	expect_read_fault((va_t){TEST_VA + last}, 0);
	leave(&space);
	frame_free_large(large);
	CHECK(frames_free() == before, "%lu frames free, %lu before", frames_free(), before);
}

TEST(paging_rights, "M5")
{
	struct space space = new_space();
	pa_t frame = frame_with(RET_INSN);

	space_load(&space);
	map(&space, TEST_VA, frame, PAGE_SIZE, paging_nx());
	CHECK(load(TEST_VA) == RET_INSN, "read %#lx", load(TEST_VA));
	expect_write_fault((va_t){TEST_VA}, PF_P | PF_W);
	if (paging_nx() != 0)
		expect_call_fault((va_t){TEST_VA}, PF_P | PF_I);
	map(&space, TEST_VA + PAGE_SIZE, frame, PAGE_SIZE, 0);
	asm volatile("call *%0" ::"r"(TEST_VA + PAGE_SIZE) : "memory");
	leave(&space);
	frame_free(frame);
}

TEST(paging_accessed_dirty, "M5")
{
	struct space space = new_space();
	pa_t frame = frame_with(0);
	int level;
	volatile u64 *leaf;

	space_load(&space);
	map(&space, TEST_VA, frame, PAGE_SIZE, PTE_W);
	leaf = space_entry(&space, (va_t){TEST_VA}, &level);
	CHECK(level == 1 && !(*leaf & (PTE_A | PTE_D)), "level %d entry %#lx", level, *leaf);
	load(TEST_VA);
	CHECK((*leaf & (PTE_A | PTE_D)) == PTE_A, "%#lx after a read", *leaf);
	store(TEST_VA, 1);
	CHECK((*leaf & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "%#lx after a write", *leaf);
	*leaf &= ~(PTE_A | PTE_D);
	invlpg(TEST_VA);
	store(TEST_VA, 2);
	CHECK((*leaf & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "%#lx after the flush", *leaf);
	leave(&space);
	frame_free(frame);
}

TEST(paging_spaces, "M5")
{
	struct space one = new_space(), two = new_space();
	pa_t first = frame_with(1), second = frame_with(2);

	map(&one, TEST_VA, first, PAGE_SIZE, PTE_W);
	map(&two, TEST_VA, second, PAGE_SIZE, PTE_W);
	for (int i = 0; i < 10; i++) {
		space_load(&one);
		CHECK(load(TEST_VA) == 1, "read %lu in the first space", load(TEST_VA));
		space_load(&two);
		CHECK(load(TEST_VA) == 2, "read %lu in the second space", load(TEST_VA));
	}
	space_load(&kernel_space);
	expect_read_fault((va_t){TEST_VA}, 0);
	space_destroy(&one);
	space_destroy(&two);
	frame_free(first);
	frame_free(second);
}

/* One INVLPG drops a whole page, however many entries it became in the TLB: here it spans Vellum's
 * partition or devices, so it cannot stay whole. */
TEST(paging_invlpg_drops_whole_page, "M5 M6")
{
	struct space space = new_space();
	pa_t table = frame_alloc_zeroed(), first = frame_with(1), other = frame_alloc_large();
	volatile u64 *entry = pa_to_ptr(table);
	volatile u64 *one = (void *)(GIB_VA + first.v), *two = (void *)(GIB_VA + other.v);

	if (!(cpuid(0x80000001).edx & CPUID_1GIB))
		test_skip("the CPU has no 1 GiB pages");
	CHECK(table.v != 0 && other.v != 0 && other.v < GIB, "no frames");
	*(u64 *)pa_to_ptr(other) = 2;
	((u64 *)pa_to_ptr(space.root))[GIB_VA >> 39] = table.v | PTE_P | PTE_W;
	*entry = PTE_P | PTE_W | PTE_PS;
	space_load(&space);
	for (int round = 0; round < 3; round++) {
		CHECK(*one == 1 && *two == 2, "read %lu and %lu", *one, *two);
		*entry = 0;
		invlpg((u64)one);
		expect_read_fault((va_t){(u64)two}, 0);
		expect_read_fault((va_t){(u64)one}, 0);
		*entry = PTE_P | PTE_W | PTE_PS;
	}
	leave(&space);
	frame_free_large(other);
	frame_free(first);
}

TEST(paging_kernel_is_protected, "M5")
{
	va_t text = {(u64)hypercall_page}, rodata = {(u64)rodata_end - 8};

	expect_read_fault((va_t){0}, 0);
	expect_write_fault(text, PF_P | PF_W);
	expect_write_fault(rodata, PF_P | PF_W);
	if (paging_nx() != 0)
		expect_call_fault((va_t){(u64)rodata_end}, PF_P | PF_I);
}
