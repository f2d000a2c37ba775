/* SPDX-License-Identifier: MIT */
/*
 * GDT, TSS and the per-CPU area that GS points to.
 */
#ifndef MINI_SEGMENTS_H
#define MINI_SEGMENTS_H

/* Offsets in struct cpu_local, for assembly. */
#define CPU_KERNEL_RSP 0
#define CPU_USER_RSP   8
#define CPU_LEAVE_RSP  16

/* Interrupt stack table entries. */
#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3

#ifndef __ASSEMBLER__

#include "lib/types.h"

/** What the entry code finds by GS: swapgs puts it there on each way in from ring 3. */
struct cpu_local {
	u64 kernel_rsp; /* stack for SYSCALL, which does not switch stacks by itself */
	u64 user_rsp;   /* the user's, for the few instructions until it is saved */
	u64 leave_rsp;  /* where user_run() waits */
};
_Static_assert(offsetof(struct cpu_local, user_rsp) == CPU_USER_RSP, "traps.S uses it");
_Static_assert(offsetof(struct cpu_local, leave_rsp) == CPU_LEAVE_RSP, "user.S uses it");

extern struct cpu_local cpu_local;

/** Load our own GDT, TSS, segment registers and GS base. */
void segments_init(void);

/** The same on another CPU, in memory of its own (zeros), with no GS base. */
#define SEGMENTS_NR_GDT   12
#define SEGMENTS_TSS_SIZE 104
#define SEGMENTS_NR_IST   3
void segments_init_ap(u64 *own_gdt, char *own_tss, char *ist_stack, u64 ist_size);

/** An entry of the interrupt stack table, 1 .. 7. */
void segments_set_ist(u32 ist, u64 rsp);
u64 segments_ist(u32 ist);

/** Our GDT as it is in memory, for tests that load another one; `limit` as for LGDT. */
u64 *segments_gdt(u16 *limit);

/** The stack on which the CPU delivers what comes from ring 3 (TSS RSP0). */
void segments_set_kernel_stack(u64 rsp);

#endif
#endif
