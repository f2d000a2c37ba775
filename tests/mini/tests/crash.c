// SPDX-License-Identifier: MIT
/*
 * What no processor survives: each of these ends in a triple fault, or leaves
 * nothing that could run. Virtualized, Vellum must say why it stopped the
 * domain (tests/emu/abuse.py reads it) and be none the worse for it. None of
 * them comes back, so each has a boot of its own.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/virtual.h"

#define VELLUM_VA  0xffff800000100000ul /* in Vellum's slots */
#define VELLUM_VA2 0xffff808000000000ul /* its direct map */
#define NO_RAM     0x0000000100000000ul /* 4 GiB: the machine ends far below */
#define VGA_PA     0xb8000ul
#define APIC_PA    0xfee00000ul

static void must_be_virtualized(void)
{
	if (!is_virtualized())
		test_skip("only for a virtualized run");
}

static u64 partition(void)
{
	static struct vl_hv_info info __attribute__((aligned(256)));

	vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
	return info.partition_start;
}

static void trap_without_idt(u64 base, u16 limit)
{
	struct table_register idt = {limit, base};

	must_be_virtualized();
	asm volatile("lidt %0; int3" ::"m"(idt) : "memory");
	test_fail("went on");
}

TEST_ON_REQUEST(crash_idt_empty, "I2 I4")
{
	trap_without_idt(0, 0);
}

TEST_ON_REQUEST(crash_idt_unmapped, "I2 I4")
{
	trap_without_idt(0x12345000, 0xfff);
}

TEST_ON_REQUEST(crash_idt_vellum, "I2 I4")
{
	trap_without_idt(VELLUM_VA, 0xfff);
}

TEST_ON_REQUEST(crash_idt_direct, "I2 I4")
{
	trap_without_idt(VELLUM_VA2, 0xfff);
}

static void load_gdt(u64 base, u16 limit)
{
	struct table_register gdt = {limit, base};

	must_be_virtualized();
	asm volatile("lgdt %0" ::"m"(gdt) : "memory");
	test_fail("went on");
}

TEST_ON_REQUEST(crash_gdt_unmapped, "I2 I4")
{
	load_gdt(0x12345000, 0x7f);
}

TEST_ON_REQUEST(crash_gdt_vellum, "I2 I4")
{
	load_gdt(VELLUM_VA, 0x7f);
}

TEST_ON_REQUEST(crash_gdt_large, "I2 I4")
{
	u16 limit;

	load_gdt((u64)segments_gdt(&limit), 0xffff);
}

static void load_root(u64 cr3)
{
	must_be_virtualized();
	write_cr3(cr3);
	test_fail("went on");
}

TEST_ON_REQUEST(crash_cr3_outside, "M5 I4")
{
	load_root(NO_RAM);
}

TEST_ON_REQUEST(crash_cr3_partition, "M5 I4")
{
	must_be_virtualized();
	load_root(partition());
}

TEST_ON_REQUEST(crash_cr3_vga, "M5 I4")
{
	load_root(VGA_PA);
}

TEST_ON_REQUEST(crash_cr3_apic, "M5 I4")
{
	load_root(APIC_PA);
}

TEST_ON_REQUEST(crash_cr3_empty, "M5 I4")
{
	load_root(frame_alloc_zeroed().v);
}

/* All of it lies in the root itself: the kernel's text is not executable there, or nonsense. */
TEST_ON_REQUEST(crash_cr3_recursive, "M5 I4")
{
	pa_t root = frame_alloc();
	u64 *entry = pa_to_ptr(root);

	/* Read-only: what is executed now are the entries, and a store of theirs would change them,
	 * with a result that depends on what the TLB still has. */
	for (int i = 0; i < NR_ENTRIES; i++)
		entry[i] = root.v | PTE_P;
	load_root(root.v);
}

/* All entries lead into the partition, as tables and as pages. */
static void root_of(u64 entry_value)
{
	pa_t root = frame_alloc();
	u64 *entry = pa_to_ptr(root);

	for (int i = 0; i < NR_ENTRIES; i++)
		entry[i] = entry_value | PTE_P | PTE_W;
	load_root(root.v);
}

TEST_ON_REQUEST(crash_tables_partition, "M5 I4")
{
	must_be_virtualized();
	root_of(partition());
}

TEST_ON_REQUEST(crash_tables_outside, "M5 I4")
{
	root_of(NO_RAM);
}

TEST_ON_REQUEST(crash_tables_vga, "M5 I4")
{
	root_of(VGA_PA);
}

static void trap_on_stacks(u64 rsp)
{
	must_be_virtualized();
	segments_set_ist(IST_DOUBLE_FAULT, rsp);
	asm volatile("mov %0, %%rsp; int3" ::"r"(rsp) : "memory");
	__builtin_unreachable();
}

TEST_ON_REQUEST(crash_stacks_vellum, "I2 I4")
{
	trap_on_stacks(VELLUM_VA);
}

TEST_ON_REQUEST(crash_stacks_direct, "I2 I4")
{
	trap_on_stacks(VELLUM_VA2 + 0x1000);
}

TEST_ON_REQUEST(crash_stacks_unmapped, "I2 I4")
{
	trap_on_stacks(0x12345678);
}

TEST_ON_REQUEST(crash_stacks_not_canonical, "I2 I4")
{
	trap_on_stacks(0x8000000000000000ul);
}

/* A TSS in Vellum's slots: LTR takes it, and the next interrupt with a stack of its own ends it. */
TEST_ON_REQUEST(crash_tss_vellum, "I2 I4")
{
	u16 limit;
	u64 *gdt = segments_gdt(&limit);

	must_be_virtualized();
	gdt[TSS_SEL / 8] = 0x67 | (VELLUM_VA & 0xffffff) << 16 | (u64)0x89 << 40;
	gdt[TSS_SEL / 8 + 1] = VELLUM_VA >> 32;
	asm volatile("ltr %w0" ::"r"(TSS_SEL) : "memory");
	asm volatile("mov %0, %%rsp; int3" ::"r"((u64)0x12345678) : "memory");
	__builtin_unreachable();
}

/* Structures of the processor in memory that is mapped, but is no RAM. */
#define MAPPED_VA 0x0000030000000000ul

static void map_no_ram(u64 pa)
{
	static struct space space;

	must_be_virtualized();
	CHECK(space_create(&space) == 0 &&
		      space_map(&space, (va_t){MAPPED_VA}, (pa_t){pa}, PAGE_SIZE, PTE_W) == 0,
	      "cannot map");
	space_load(&space);
}

TEST_ON_REQUEST(crash_idt_no_ram, "I2 I4 M5")
{
	map_no_ram(NO_RAM);
	trap_without_idt(MAPPED_VA, 0xfff);
}

TEST_ON_REQUEST(crash_idt_high, "I2 I4 M5")
{
	map_no_ram(0xfffffff000);
	trap_without_idt(MAPPED_VA, 0xfff);
}

TEST_ON_REQUEST(crash_idt_partition, "I2 I4 M5")
{
	map_no_ram(partition());
	trap_without_idt(MAPPED_VA, 0xfff);
}
