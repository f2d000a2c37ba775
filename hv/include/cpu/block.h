/* SPDX-License-Identifier: MIT */
/*
 * All that one CPU has, in one piece of Vellum's partition. It is reached by
 * two addresses: by that of the direct map, which is the same on all CPUs and
 * in all address spaces that have Vellum, and which every pointer uses; and,
 * while the CPU is virtualized, at WINDOW_BASE, where each CPU finds its own.
 * The second is for assembly alone, which has no register free to find the
 * first (cpu_window in hv/cpu/fast.S and exceptions.S).
 */
#ifndef VELLUM_CPU_BLOCK_H
#define VELLUM_CPU_BLOCK_H

#include "cpu/percpu.h"
#include "cpu/real_tables.h"
#include "cpu/vcpu.h"
#include "shadow/tables.h"

#define MIRROR_LDT_ENTRIES 8192u

/** A mirrored table: its ring-3 code descriptors, and some of data, can be hidden. */
struct mirror {
	u64 *entry;
	u8 *access;  /* access byte of each entry with a bit in `hides`, hidden or not */
	u64 *hides;  /* a bit for each entry that is hidden at virtual CPL 0 */
	u32 words;   /* of `hides` that can have bits */
	u64 *stored; /* a bit for each entry that was seen to change; or NULL: none can */
};

/** What hv/cpu/segments.c knows beside the tables that the processor reads. */
struct segments {
	u64 guest_gdt[REAL_GDT_ENTRIES]; /* as it was when it was mirrored */
	u32 guest_gdt_entries;
	u8 gdt_access[REAL_GDT_ENTRIES];
	u64 gdt_hides[REAL_GDT_ENTRIES / 64];
	u64 gdt_stored[REAL_GDT_ENTRIES / 64];
	struct mirror gdt, ldt;
};

/** What a transition left to be done: hv/transition/tidy.c. */
struct left_over {
	bool in_use;  /* the vcpu runs, or is about to: hands off */
	bool tidy;    /* nothing: the vcpu is new */
	u64 rip, rsp; /* of the last hypercall in passthrough */
};

struct cpu_block {
	union cpu_stack stack;
	struct real_tables tables;
	struct segments segments;
	struct vcpu vcpu;       /* that this CPU runs while virtualized */
	struct table_pool pool; /* of its shadow */
	struct left_over left;
	u64 ldt[MIRROR_LDT_ENTRIES] __attribute__((aligned(16)));
	u8 ldt_access[MIRROR_LDT_ENTRIES];
	u64 ldt_hides[MIRROR_LDT_ENTRIES / 64];
};
_Static_assert(offsetof(struct cpu_block, stack) == 0, "this_cpu() finds the block");
_Static_assert(offsetof(struct cpu_block, tables) == BLOCK_TABLES, "this_tables()");
_Static_assert(sizeof(struct cpu_block) <= WINDOW_SIZE, "own_window()");

/** The running CPU's. Only on a hypervisor stack, and not on the boot's. */
static inline struct cpu_block *this_block(void)
{
	return (struct cpu_block *)this_cpu();
}

static inline struct cpu_block *block_of(struct cpu *cpu)
{
	return (struct cpu_block *)cpu;
}

/** Shadow tables in use by a domain's vcpus; those that the partition could have back, of all. */
u64 shadow_tables_used(const struct domain *d);
u64 shadow_tables_spare(void);

/** Add the counts of a domain's vcpus that run. */
void vcpus_count(const struct domain *d, struct vl_domain_counters *to);

#endif
