/* SPDX-License-Identifier: MIT */
/*
 * All that one virtualized CPU has, in one piece of Vellum's partition: for
 * each CPU of the machine that Vellum knows one, and one for each vcpu of a
 * later guest (cpu/sched.h). It is reached by
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
#include "sched/share.h"
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

/** What the processor itself holds of a vcpu, while it runs something else: hv/cpu/live.c. */
#define NR_LIVE_MSRS 9
struct live_state {
	u64 cr0, cr3, cr4, efer, xcr0;
	u64 dr[4], dr6, dr7;
	u64 msr[NR_LIVE_MSRS];
	u16 selector[4]; /* ES, DS, FS, GS */
	void *extended;  /* FPU and what XSAVE has; NULL: live_alloc() has to come first */
};

/** A block as one of those that a host runs. But for `on_cpu`, under the host's lock. */
struct sched_vcpu {
	struct cpu_block *next; /* of later domains, on the same host */
	struct share_member member;
	struct share share;  /* of it and its siblings on this host, if it is the first of them */
	bool started;        /* there is something to run */
	bool stopped;        /* but it may not: paused, ended */
	bool halted;         /* and would not: HLT */
	bool woken;          /* sched_wake() came, and it has not looked since */
	u32 on_cpu;          /* 1: its stack, its tables or its root is in use */
	u64 rsp;             /* where it stopped */
	void (*begin)(void); /* instead, if it never ran */
	u64 deadline;        /* TSC, CLOCK_NEVER: none; see sched_timer() */
	u64 ready_since;     /* TSC, while it is ready and does not run */
	bool was_woken;      /* that was for being woken */
	u64 waited, switches, wakes, latency_max;
	struct live_state live;
};

/** Of a host: who runs there. */
struct sched_host {
	struct lock lock; /* LOCK_SCHED, for all of this but `armed`, `work*`, `background*` */
	struct fair_queue queue;
	struct cpu_block *others;   /* blocks of later domains */
	u32 nr_others;              /* read without the lock */
	struct cpu_block *current;  /* on whose stack the CPU is */
	struct cpu_block *previous; /* from which it is just switching away */
	bool busy;                  /* `current` runs, it does not only wait there */
	u64 since;                  /* TSC, to which it was charged */
	u64 slice_end;              /* TSC */
	u64 armed;                  /* Vellum's timer, a TSC; CLOCK_NEVER: it is not set */
	u64 work_due;               /* TSC, CLOCK_NEVER: none; see sched_set_work() */
	void (*work)(struct vcpu *v);
	u64 background_due; /* the same; see sched_set_background() */
	void (*background)(void);
};

struct cpu_block {
	union cpu_stack stack;
	struct real_tables tables;
	struct segments segments;
	struct vcpu vcpu;       /* that this CPU runs while virtualized */
	struct table_pool pool; /* of its shadow */
	struct left_over left;
	struct sched_vcpu sched;
	struct sched_host host;
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

/** That of a vcpu. */
static inline struct cpu_block *block_of_vcpu(const struct vcpu *v)
{
	return (struct cpu_block *)((u64)v - offsetof(struct cpu_block, vcpu));
}

/**
 * A new block for a later guest's vcpu, on that host: its tables, its window. NULL: the partition
 * has no room. Not known to anybody. And back, with the tables that its pool has left.
 */
struct cpu_block *block_alloc(struct cpu *host);
void block_free(struct cpu_block *b);

/**
 * A block of a later guest's becomes that of the CPU it is on, in place of the one there was, which
 * is for block_free() when nothing on it runs any more.
 */
void block_succeed(struct cpu_block *b);

/** How many blocks there are, of CPUs and of later guests; all that have a pool of tables. */
u32 block_count(void);

/** Shadow tables in use by a domain's vcpus; those that the partition could have back, of all. */
u64 shadow_tables_used(const struct domain *d);
u64 shadow_tables_spare(void);

/** Add the counts of a domain's vcpus that run. */
void vcpus_count(const struct domain *d, struct vl_domain_counters *to);

#endif
