/* SPDX-License-Identifier: MIT */
/*
 * Everything that belongs to one CPU, reached through one structure. It stands
 * at the bottom of the CPU's hypervisor stack, which is aligned to its size,
 * so that any code finds it from RSP alone: no segment base, which in
 * passthrough is the guest's, has to be touched on the way in. The rest of what
 * a CPU has follows the stack (cpu/block.h).
 */
#ifndef VELLUM_CPU_PERCPU_H
#define VELLUM_CPU_PERCPU_H

#include "lib/lock.h"
#include "lib/types.h"
#include "lib/x86.h"
#include "mem/layout.h"
#include "public/hypercall.h"

/* What happened lately: printed by a panic. */
enum event_kind {
	EVENT_NONE,
	EVENT_HYPERCALL, /* a: number, b: result */
	EVENT_NMI,       /* a: rip */
};

struct event {
	u64 tsc;
	enum event_kind kind;
	u64 a, b;
};

#define NR_EVENTS 32

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* ist[0] is IST 1 */
	u64 reserved2;
	u16 reserved3;
	u16 iomap_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM volume 3, figure 8-11");

/** A gate of the IDT in 64-bit mode (SDM volume 3, figure 6-8). */
struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM volume 3, figure 6-8");

#define GDT_CODE 0x08
#define GDT_DATA 0x10
#define GDT_TSS  0x18 /* two entries */
#define NR_GDT   5

#define NR_IST         3
#define IST_STACK_SIZE 4096 /* a panic takes 1300 bytes in gcc's build */

struct trap_frame;
struct vcpu;

/* What no instruction of ring 3 has as its address. 0 can be one: with a segment base, any user's.
 */
#define NO_SITE IMAGE_BASE

#define NR_PLAIN_SITES 8 /* SWAPGS instructions of fast.S; Linux has seven that are frequent */

/** Where user and guest kernel meet, as the fast paths see it. */
struct crossing {
	u8 cpl;        /* virtual: 3 or 0 */
	u8 slow;       /* while it is 3: a SYSCALL has to take the way through vcpu_exit() */
	u8 by_syscall; /* the guest kernel was entered by a fast SYSCALL, and vcpu has yet to know
			*/
	u8 by_iret;    /* or returned to by a fast IRET, with SS in kernel_ss */
};

/**
 * What fast.S works on. All of it is derived from struct vcpu by hv/cpu/fast.c, but `crossing`,
 * which the fast paths change and fast_sync() reads back.
 */
struct fast {
	struct crossing crossing;
	bool faults;        /* page faults may take the short way */
	bool prefill;       /* on the way to the user, fast_prefill() has something to do */
	u64 top[2];         /* CR3 for the user and for a guest kernel that was just entered */
	volatile u64 *info; /* flags and pending word of struct vl_vcpu_info */
	u64 sysret_site;    /* va of a SWAPGS before SYSRETQ that was decoded once, or NO_SITE */
	u64 iret_site;      /* the same before IRETQ */
	u64 swapgs_site[NR_PLAIN_SITES]; /* and those that no return follows */
	u64 kernel_iret_site;            /* va of an IRETQ that returned to the guest kernel */
	u64 kernel_cs, kernel_ss;        /* the guest's selectors in its kernel */
	u64 call_site;                   /* va behind the SYSCALL that is a hypercall; 0: none */
	struct {
		u64 rip, cs, rflags, rsp, ss;
	} entry; /* IRETQ's frame into the guest kernel's SYSCALL handler, its SWAPGS done */
};

/** Whether a virtualized CPU's vcpu runs. */
enum cpu_run {
	CPU_RUNS,
	CPU_PARKED, /* HLT with interrupts disabled: an NMI wakes it, or INIT */
	CPU_HELD,   /* that, and it may not wake while a transition is under way */
	CPU_LEFT,   /* its vcpu is gone: only INIT and SIPI bring it back, to the guest */
};

/** How it was stopped, for a panic to tell. */
enum cpu_stopped {
	CPU_NOT_STOPPED,
	CPU_STOPPED_IN_VELLUM,
	CPU_STOPPED_IN_GUEST,
	CPU_STOPPED_BY_INIT, /* in passthrough, or it did not answer */
};

struct cpu {
	/* Stacks of #DF, NMI and #MC. In here, so that this_cpu() works on them too. */
	u8 ist_stack[NR_IST][IST_STACK_SIZE] __attribute__((aligned(16)));
	struct cpu
		*host;  /* of the physical CPU that it runs on; its own, unless of a later guest */
	u32 index;      /* of that CPU, */
	u32 apic_id;    /* and its */
	u32 look;       /* of a host: 1: the scheduler has to decide; atomic */
	u32 kicked;     /* of a host: 1: an NMI of another CPU is on its way; atomic */
	u64 stack_top;  /* of this stack, for assembly that found it by the window */
	u64 image_slot; /* its entry for slot VL_FIRST_SLOT, with the window */
	struct vcpu *vcpu;        /* that runs on this stack; NULL in passthrough; see cpu_vcpu() */
	u32 run;                  /* enum cpu_run; atomic */
	struct trap_frame *frame; /* of the hypercall in passthrough that is served */
	struct table_register guest_idt;
	struct fast fast;
	bool in_hypercall; /* from passthrough, on the IDT of descriptors_enter() */
	bool nmi_pending;  /* an NMI came while Vellum ran: the guest gets it on the way out */
	u64 hypercalls;
	struct {
		u32 how; /* enum cpu_stopped */
		u64 rip, rsp;
	} stopped;
	u64 gdt[NR_GDT];
	struct tss tss;
	/* [0]: with stacks of their own for #DF, NMI and #MC, as long as our TSS is loaded;
	 * [1]: without, for hypercalls in passthrough, where TR is the guest's. */
	struct gate idt[2][NR_EXCEPTIONS];
	struct table_register gdt_register;
	struct table_register idt_register[2];
	u32 next_event;
	struct event event[NR_EVENTS];
	struct lock_watch locks; /* of debug builds */
};

/** A CPU's stack with its structure below; grows down from the end. */
union cpu_stack {
	struct cpu cpu;
	u8 bytes[STACK_SIZE];
};
_Static_assert(sizeof(union cpu_stack) == STACK_SIZE, "struct cpu must leave room for the stack");
_Static_assert(sizeof(struct cpu) <= STACK_SIZE / 2, "at least 16 KiB of stack");

/** The stack of the boot, which no CPU uses once the guest runs. */
extern union cpu_stack boot_cpu;

/** The CPUs that Vellum knows, by number; each may serve hypercalls. */
struct cpu *cpu_by_index(u32 index);
u32 cpu_count(void);

/** Hypercalls that all of them served. */
u64 cpus_hypercalls(void);

/**
 * Make a CPU known: 0, also if it is already; -VL_ENOSPC: VL_MAX_CPUS are; -VL_ENOMEM. On Vellum's
 * own tables, or in a hypercall.
 */
s64 cpu_add(u32 apic_id);

/** The initial APIC id of the CPU that runs this, which names it. */
u32 own_apic_id(void);

#define NR_APIC_IDS 255 /* that a CPU can have: the last one means all of them */

/** The running CPU's structure. Only on a hypervisor stack. */
static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)((uintptr_t)__builtin_frame_address(0) & ~((uintptr_t)STACK_SIZE - 1));
}

/** The vcpu of a CPU, which another one takes away from one that is parked, whatever runs there at
 * the moment (remote_give_up()): to be read once where it is looked at and used. NULL: none, and if
 * it had one, `run` is CPU_LEFT by now. */
static inline struct vcpu *cpu_vcpu(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->vcpu, __ATOMIC_ACQUIRE);
}

/** Note an event in this CPU's ring. */
void event_note(enum event_kind kind, u64 a, u64 b);

#endif
