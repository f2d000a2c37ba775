// SPDX-License-Identifier: MIT
/*
 * Segmentation, the little of it that long mode still has. The selectors are
 * Linux's (layout.h). Vellum's GDT, which the kernel was entered on, is left
 * here; its pages are in the reserved range.
 */
#include "mini/segments.h"

#include "mini/cpu.h"
#include "mini/layout.h"

#define SEGMENT_KERNEL_CODE 0x00af9b000000ffffull /* 64-bit, DPL 0 */
#define SEGMENT_KERNEL_DATA 0x00cf93000000ffffull
#define SEGMENT_USER_DATA   0x00cff3000000ffffull /* DPL 3 */
#define SEGMENT_USER_CODE   0x00affb000000ffffull
#define TSS_AVAILABLE       0x89

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map; /* beyond the limit: ring 3 may use no port */
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == SEGMENTS_TSS_SIZE, "the CPU's layout");

struct cpu_local cpu_local;

static struct tss tss;
static char ist_stacks[SEGMENTS_NR_IST][IST_STACK_SIZE] __attribute__((aligned(16)));
static u64 gdt[SEGMENTS_NR_GDT]; /* two for LDTs that tests make */

static void set_tss_descriptor(u64 *table, u64 base, u64 limit)
{
	table[TSS_SEL / 8] = limit | (base & 0xffffff) << 16 | (u64)TSS_AVAILABLE << 40 |
			     (base >> 24 & 0xff) << 56;
	table[TSS_SEL / 8 + 1] = base >> 32;
}

/* A far return is the way to load CS in long mode. */
static void load_selectors(void)
{
	asm volatile("pushq %0\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:\n\t"
		     "movl %1, %%eax\n\t"
		     "movl %%eax, %%ss\n\t"
		     "xorl %%eax, %%eax\n\t"
		     "movl %%eax, %%ds\n\t"
		     "movl %%eax, %%es\n\t"
		     "movl %%eax, %%fs\n\t"
		     "movl %%eax, %%gs\n\t"
		     :
		     : "i"(KERNEL_CS), "i"(KERNEL_DS)
		     : "rax", "memory");
}

/* Fill and load. */
static void load(u64 *table, struct tss *t, char *stack, u64 size)
{
	struct table_register gdtr = {SEGMENTS_NR_GDT * sizeof(u64) - 1, (u64)table};

	table[KERNEL_CS / 8] = SEGMENT_KERNEL_CODE;
	table[KERNEL_DS / 8] = SEGMENT_KERNEL_DATA;
	table[USER_DS / 8] = SEGMENT_USER_DATA;
	table[USER_CS / 8] = SEGMENT_USER_CODE;
	set_tss_descriptor(table, (u64)t, sizeof(*t) - 1);
	t->io_map = sizeof(*t);
	for (size_t i = 0; i < SEGMENTS_NR_IST; i++)
		t->ist[i] = (u64)stack + (i + 1) * size;

	asm volatile("lgdt %0" ::"m"(gdtr) : "memory");
	load_selectors();
	asm volatile("ltr %w0" ::"r"(TSS_SEL) : "memory");
}

void segments_init(void)
{
	load(gdt, &tss, ist_stacks[0], IST_STACK_SIZE);
	/* After the load of GS, which clears the base. */
	write_msr(MSR_GS_BASE, (u64)&cpu_local);
	write_msr(MSR_KERNEL_GS_BASE, 0);
}

void segments_init_ap(u64 *own_gdt, char *own_tss, char *ist_stack, u64 ist_size)
{
	load(own_gdt, (struct tss *)own_tss, ist_stack, ist_size);
}

void segments_set_ist(u32 ist, u64 rsp)
{
	tss.ist[ist - 1] = rsp;
}

u64 segments_ist(u32 ist)
{
	return tss.ist[ist - 1];
}

u64 *segments_gdt(u16 *limit)
{
	*limit = sizeof(gdt) - 1;
	return gdt;
}

void segments_set_kernel_stack(u64 rsp)
{
	tss.rsp[0] = rsp;
	cpu_local.kernel_rsp = rsp;
}
