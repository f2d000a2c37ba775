/* SPDX-License-Identifier: MIT */
/*
 * The descriptor tables that are loaded while a guest is virtualized: their
 * layout, for segments.c, which owns them, and for the fast paths of fast.S,
 * which store a few of their bytes at each crossing.
 */
#ifndef VELLUM_CPU_REAL_TABLES_H
#define VELLUM_CPU_REAL_TABLES_H

#include "cpu/percpu.h"
#include "lib/types.h"

#define NR_VECTORS 256
#define IOMAP_SIZE 8192

/* Selectors of the real GDT while virtualized: behind the guest's own, which are mirrored. */
#define REAL_GDT_ENTRIES 256
#define REAL_CODE        ((REAL_GDT_ENTRIES - 8) * 8)
#define REAL_DATA        (REAL_CODE + 8)
#define REAL_TSS         (REAL_CODE + 16) /* two entries */
#define REAL_GUEST_CS    (REAL_CODE + 32 + 3)
#define REAL_GUEST_SS    (REAL_CODE + 40 + 3)
#define REAL_LDT         (REAL_CODE + 48) /* two entries */

/* The guest's ring-3 code descriptors that the fast paths know: where SYSRET wants them when STAR
 * names USER_CS32, which is where Linux has them. */
#define FAST_USER_CS32 0x23
#define FAST_USER_SS   0x2b
#define FAST_USER_CS   0x33

/* The TSS ends with one byte of ones, as the processor reads a byte too many. */
struct real_tss {
	struct tss tss;
	u8 iomap[IOMAP_SIZE]; /* zero: the guest kernel's port is the machine's */
	u8 end;
} __attribute__((packed));

struct real_tables {
	u64 gdt[REAL_GDT_ENTRIES];
	struct gate idt[NR_VECTORS];
	struct real_tss tss;
} __attribute__((aligned(16)));

/* They follow the CPU's stack (cpu/block.h). */
#define BLOCK_TABLES STACK_SIZE

static inline struct real_tables *tables_of(struct cpu *cpu)
{
	return (struct real_tables *)((u8 *)cpu + BLOCK_TABLES);
}

/** The running CPU's. */
static inline struct real_tables *this_tables(void)
{
	return tables_of(this_cpu());
}

/* Flags that SYSCALL clears: what Linux asks for, so that a guest which asks for the same can be
 * entered without a look at its own mask. */
#define REAL_SFMASK 0x257fd5

/** Offset of a descriptor's access byte in struct real_tables. */
#define REAL_ACCESS_OFFSET(selector) (((selector) & ~7) + 5)

/** tss.iomap_base: the map is within the TSS's limit, or behind it and every port traps. */
#define IOMAP_OPEN   offsetof(struct real_tss, iomap)
#define IOMAP_CLOSED sizeof(struct real_tss)

#endif
