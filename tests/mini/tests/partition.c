// SPDX-License-Identifier: MIT
/*
 * Vellum's partition as a virtualized guest sees it: its memory map has no RAM
 * there, and neither pages nor tables that it puts there show anything of
 * Vellum's.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"
#include "mini/tests/user_program.h"
#include "mini/virtual.h"

#define WINDOW_VA  0x0000030000000000ul /* a slot of its own */
#define TABLES_VA  0x0000040000000000ul
#define CPUID_1GIB (1u << 26)
#define PIC_DATA   0x21 /* a port that traps */
#define ONES       (~(u64)0)

static struct range partition(void)
{
	static struct vl_hv_info info __attribute__((aligned(256)));
	s64 r = vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));

	if (!is_virtualized())
		test_skip("in passthrough the guest may read all of the machine");
	CHECK(r > 0, "hv_info answered %ld", r);
	return (struct range){info.partition_start, info.partition_start + info.partition_size};
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

/* Each `step`-th word. */
static void expect_ones(const volatile u64 *word, const volatile u64 *end, u32 step,
			const char *what)
{
	for (; word < end; word += step) {
		u64 value = *word;

		CHECK(value == ONES, "%s shows %#lx at %p", what, value, (const void *)word);
	}
}

static void map(struct space *space, struct range what, u64 size, u64 flags)
{
	for (u64 pa = what.start; pa < what.end; pa += size)
		CHECK(space_map(space, (va_t){WINDOW_VA + pa}, (pa_t){pa}, size, flags) == 0,
		      "cannot map %#lx", pa);
}

TEST(partition_small_pages, "I4 M5")
{
	struct range all = partition();
	struct space space = new_space();

	map(&space, all, PAGE_SIZE, PTE_W);
	space_load(&space);
	expect_ones((u64 *)(WINDOW_VA + all.start), (u64 *)(WINDOW_VA + all.end), 1,
		    "a small page");
	leave(&space);
}

TEST(partition_large_pages, "I4 M5")
{
	struct range all = partition();
	struct range wide = {round_down(all.start, LARGE_SIZE), round_up(all.end, LARGE_SIZE)};
	struct space space = new_space();

	map(&space, wide, LARGE_SIZE, PTE_W);
	space_load(&space);
	expect_ones((u64 *)(WINDOW_VA + all.start), (u64 *)(WINDOW_VA + all.end), 29,
		    "a large page");
	leave(&space);
}

TEST(partition_huge_page, "I4 M5")
{
	struct range all = partition();
	struct space space = new_space();
	pa_t table = frame_alloc_zeroed();
	u64 *entry = pa_to_ptr(table);

	if (!(cpuid(0x80000001).edx & CPUID_1GIB))
		test_skip("the CPU has no 1 GiB pages");
	((u64 *)pa_to_ptr(space.root))[WINDOW_VA >> 39] = table.v | PTE_P | PTE_W;
	for (u64 i = 0; i < 4; i++)
		entry[i] = i * GIB | PTE_P | PTE_W | PTE_PS;
	space_load(&space);
	expect_ones((u64 *)(WINDOW_VA + all.start), (u64 *)(WINDOW_VA + all.end), 31,
		    "a huge page");
	leave(&space);
}

TEST(partition_from_ring3, "I4 M5")
{
	struct range all = partition();
	struct user_program p;
	struct trap_info info;

	USER_PROGRAM_LOAD(&p, read);
	map(&p.space, all, PAGE_SIZE, PTE_U);
	for (u64 pa = all.start; pa < all.end; pa += 64 * PAGE_SIZE) {
		p.regs = user_frame((va_t){USER_CODE}, (va_t){USER_STACK});
		p.regs.rdi = WINDOW_VA + pa;
		info = user_run(&p.regs, USER_IRET);
		CHECK(info.vector == VECTOR_GATE && p.regs.rax == ONES, "%s, read %#lx at %#lx",
		      trap_name(info.vector), p.regs.rax, pa);
	}
	user_program_unload(&p);
}

/* Writes are the guest's own folly: what they leave there is not Vellum's memory. */
TEST(partition_written, "I4 M5")
{
	struct range all = partition();
	struct space space = new_space();
	static struct vl_hv_info info __attribute__((aligned(256)));
	s64 r;

	map(&space, all, PAGE_SIZE, PTE_W);
	space_load(&space);
	for (u64 pa = all.start; pa < all.end; pa += 8 * 61)
		*(volatile u64 *)(WINDOW_VA + pa) = pa;
	memset(&info, 0, sizeof(info));
	r = vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
	CHECK(r > 0 && info.partition_start == all.start, "hv_info answered %ld", r);
	leave(&space);
}

/* Tables there are not walked: whatever a guest puts into an entry, Vellum's memory is no table. */
TEST(partition_as_tables, "I4 M5")
{
	struct range all = partition();
	struct space space = new_space();
	u64 *root = pa_to_ptr(space.root);

	space_load(&space);
	for (u64 pa = all.start; pa < all.end; pa += 61 * PAGE_SIZE) {
		root[TABLES_VA >> 39] = pa | PTE_P | PTE_W;
		write_cr3(read_cr3());
		for (u64 i = 0; i < 3; i++)
			expect_read_fault((va_t){TABLES_VA + i * 97 * GIB}, 0);
	}
	root[TABLES_VA >> 39] = 0;
	leave(&space);
}

static void read_mask_to(void *to)
{
	asm volatile("cld; insb" : "+D"(to) : "d"(PIC_DATA) : "memory");
}

/* An instruction that Vellum carries out, with an operand where there is no memory. */
TEST(partition_operand_without_memory, "I4 M5")
{
	static const u64 nowhere[] = {4 * GIB, 0xfffffff000, 0xf0000};
	struct range all = partition();
	struct trap_info info;

	for (size_t i = 0; i <= ARRAY_SIZE(nowhere); i++) {
		struct space space = new_space();
		pa_t pa = {i < ARRAY_SIZE(nowhere) ? nowhere[i] : all.start};

		CHECK(space_map(&space, (va_t){WINDOW_VA}, pa, PAGE_SIZE, PTE_W) == 0,
		      "cannot map");
		space_load(&space);
		CHECK(!trap_catch(read_mask_to, (void *)WINDOW_VA, &info), "INS to %#lx: %s", pa.v,
		      trap_name(info.vector));
		/* What it left there stays as long as this kernel is virtualized. */
		if (i == ARRAY_SIZE(nowhere))
			*(volatile u8 *)WINDOW_VA = 0xff;
		leave(&space);
	}
}
