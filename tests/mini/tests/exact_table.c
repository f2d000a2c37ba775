// SPDX-License-Identifier: MIT
/*
 * LLDT and LTR with all selectors and with descriptors of every type, limit
 * and address; and what reading memory by odd mappings gives: nothing, devices,
 * the tables themselves.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/tests/observe.h"

#define TEST_SEL  0x60
#define ENTRIES   32
#define TEST_VA   0x0000030000000000ul
#define SELF_SLOT 300ul
#define SELF_VA   (0xffff000000000000ul | SELF_SLOT << 39)
#define NO_RAM    0x0000000100000000ul
#define BIOS_PA   0xf0000ul

static u64 table[ENTRIES] __attribute__((aligned(16)));

static void lldt(void *arg)
{
	asm volatile("lldt %w0" ::"r"((u32)(u64)arg) : "memory");
}

static void ltr(void *arg)
{
	asm volatile("ltr %w0" ::"r"((u32)(u64)arg) : "memory");
}

static void use_own_table(void)
{
	struct table_register gdtr = {sizeof(table) - 1, (u64)table};
	u16 limit;
	const u64 *gdt = segments_gdt(&limit);

	memcpy(table, gdt, limit + 1u);
	asm volatile("lgdt %0" ::"m"(gdtr) : "memory");
}

static void use_kernels_table(void)
{
	u16 limit;
	u64 *gdt = segments_gdt(&limit);
	struct table_register gdtr = {limit, (u64)gdt};

	gdt[TSS_SEL / 8] &= ~((u64)2 << 40); /* available again */
	asm volatile("lgdt %0" ::"m"(gdtr) : "memory");
	lldt(NULL);
	ltr((void *)TSS_SEL);
}

static void one_load(const char *what, u64 value, bool tr)
{
	u64 before = table[TEST_SEL / 8];
	struct outcome o = observe_kernel(tr ? ltr : lldt, (void *)TEST_SEL);

	print("= %s %s %#lx: %s, descriptor %s\n", tr ? "ltr" : "lldt", what, value,
	      outcome_text(&o), table[TEST_SEL / 8] == before ? "same" : "changed");
	table[TSS_SEL / 8] &= ~((u64)2 << 40);
	ltr((void *)TSS_SEL);
	lldt(NULL);
}

static void set(u64 base, u64 limit, u64 access)
{
	table[TEST_SEL / 8] = (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 |
			      (limit >> 16 & 15) << 48 | (base >> 24 & 0xff) << 56;
	table[TEST_SEL / 8 + 1] = base >> 32;
}

TEST_ON_REQUEST(exact_table_loads, "I2 I4")
{
	static const u64 bases[] = {0,
				    0x1000,
				    0x00007ffffffff000,
				    0x0000800000000000,
				    0xffff7ffffffff000,
				    0xffff800000100000,
				    0xffff808000000000,
				    0xfffffffffffff000,
				    0x8000000000000000};
	static const u64 limits[] = {0, 1, 7, 0x66, 0x67, 0xffff, 0xfffff};

	use_own_table();
	for (int tr = 0; tr < 2; tr++) {
		u64 good = tr ? 0x89 : 0x82;

		for (u64 access = 0; access < 256; access++) {
			set((u64)table, 0x67, access);
			one_load("access", access, tr != 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
			set((u64)table, limits[i], good);
			one_load("limit", limits[i], tr != 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
			set(bases[i], 0x67, good);
			one_load("base", bases[i], tr != 0);
		}
	}
	use_kernels_table();
}

static void all_selectors(bool tr)
{
	u64 sum = OBSERVE_START;

	for (u64 selector = 0; selector < 0x10000; selector++) {
		struct outcome o = observe_kernel(tr ? ltr : lldt, (void *)selector);

		o.info.rip = 0;
		if (selector >= 4)
			sum = observe_fold_outcome(sum, &o);
		if (selector < 4 || o.info.vector != TRAP_GP || o.info.error != (selector & ~3ul))
			print("= %s %#lx: %s\n", tr ? "ltr" : "lldt", selector, outcome_text(&o));
	}
	print("= %s sum %#lx\n", tr ? "ltr" : "lldt", sum);
}

TEST_ON_REQUEST(exact_table_selectors, "I2 I4")
{
	use_own_table();
	set((u64)table, 0x67, 0x82);
	all_selectors(false);
	all_selectors(true);
	use_kernels_table();
}

static void read_word(void *arg)
{
	u64 *at = arg;

	*at = *(volatile u64 *)*at;
}

static void print_read(const char *what, u64 va)
{
	u64 value = va;
	struct outcome o = observe_kernel(read_word, &value);

	print("= %s: %s, value %#lx\n", what, outcome_text(&o), o.trapped ? 0 : value);
}

static void read_mapped(const char *what, pa_t pa)
{
	struct space space;

	CHECK(space_create(&space) == 0 &&
		      space_map(&space, (va_t){TEST_VA}, pa, PAGE_SIZE, PTE_W) == 0,
	      "cannot map");
	space_load(&space);
	print_read(what, TEST_VA);
	space_load(&kernel_space);
	space_destroy(&space);
}

/* A root in itself, as some kernels have it: the tables are memory like any other. */
static void read_recursive(void)
{
	struct space space;
	u64 *root;
	u64 at = SELF_VA | SELF_SLOT << 30 | SELF_SLOT << 21 | SELF_SLOT << 12;

	CHECK(space_create(&space) == 0, "no frames");
	root = pa_to_ptr(space.root);
	root[SELF_SLOT] = space.root.v | PTE_P | PTE_W;
	space_load(&space);
	CHECK(((*(volatile u64 *)(at + SELF_SLOT * 8) ^ root[SELF_SLOT]) & ~(PTE_A | PTE_D)) == 0,
	      "its own entry is %#lx", root[SELF_SLOT]);
	*(volatile u64 *)at = 0x1230; /* not present */
	print("= recursive: self %#lx first %#lx\n", root[SELF_SLOT] & ~PTE_ADDRESS, root[0]);
	space_load(&kernel_space);
	root[SELF_SLOT] = root[0] = 0;
	space_destroy(&space);
}

TEST_ON_REQUEST(exact_table_memory, "M5 I4")
{
	read_mapped("outside RAM", (pa_t){NO_RAM});
	read_mapped("the BIOS", (pa_t){BIOS_PA});
	read_recursive();
}
