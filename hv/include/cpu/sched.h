/* SPDX-License-Identifier: MIT */
/*
 * Several guests on one CPU. The first guest's vcpu of a CPU runs on that
 * CPU's own block, the CPU's *host*; a vcpu of a later guest has a block
 * (cpu/block.h) of its own, which belongs to one host as long as it exists.
 * Going from one to the other is a switch of coroutines: from the end of an
 * exit, or the HLT, in which one stops, to where the other stopped
 * (hv/cpu/switch.S). Who runs is a matter of weights (sched/fair.h).
 *
 * The machine's interrupts, and what other CPUs ask of the host by NMI, are
 * the first guest's, whoever runs when they come.
 *
 * None of these functions is for an NMI handler, but sched_nmi_arrived(). Those
 * that are told to be called with locks held (sched_wake(), sched_timer()) take
 * LOCK_SCHED, the last rank but the log's.
 */
#ifndef VELLUM_CPU_SCHED_H
#define VELLUM_CPU_SCHED_H

#include "cpu/vcpu.h"
#include "domain/domain.h"

struct cpu_block;

/* --- making and ending them --- */

/**
 * Make vcpu `index` of a later domain, which has none of that number: a block on the CPU that has
 * the fewest, not started. 0. -VL_EOPNOTSUPP: no CPU runs the first guest virtualized with the
 * layers of CPU, memory and interrupts and a trapped local APIC, whose timer cuts the slices.
 * -VL_ENOMEM: the partition has no room; nothing has changed. In a hypercall of the first guest;
 * one CPU at a time makes and ends vcpus (remote_begin_alone()).
 */
int vcpu_create(struct domain *d, u32 index);

/** The block of that vcpu, from vcpu_create() to vcpu_destroy(); NULL: there is none. */
struct cpu_block *vcpu_block(const struct domain *d, u32 index);

/**
 * Give back what vcpu_create() and the vcpu's run took, after sched_stop() and
 * domain_platform_destroy(), when nobody wakes it any more. Of its shadow, up to `tables` (more
 * than TABLES_KEPT) in one call: returns how many there are left, call again; 0: there is no such
 * vcpu.
 */
u64 vcpu_destroy(struct domain *d, u32 index, u64 tables);

/**
 * The vcpu, prepared in memory, has its first instructions in `begin`, which is called on the
 * block's own stack with this CPU's FPU, debug and segment registers as a reset leaves them, and
 * does not return. It runs once sched_start() was called, too.
 */
void vcpu_started(struct cpu_block *b, void (*begin)(void));

/* --- whether they run --- */

/**
 * When it returns, none of the domain's vcpus runs on any CPU, nor will before sched_start(). If
 * the caller is one of them, that is so once its exit is over. Not for the first domain.
 */
void sched_stop(struct domain *d);

/** They may run again, those that were started. Calls do not nest: one is enough. */
void sched_start(struct domain *d);

/**
 * There is something for the vcpu, of whatever domain: an interrupt, an event, its timer. If it is
 * in HLT it looks again (vcpu_interrupt_waits()). From any CPU; never too often. Not for the vcpu
 * that makes the exit, which looks anyhow before it goes on.
 */
void sched_wake(struct vcpu *v);

/**
 * The same at the TSC `tsc`, once; CLOCK_NEVER: not any more. The last call counts. Only for a
 * later domain's vcpu; from its own exits, or while it does not run.
 */
void sched_timer(struct vcpu *v, u64 tsc);

/** The domain of this vcpu ends by its own will, or by what it does to its platform: VL_SHUTDOWN_*.
 */
void sched_shutdown(struct vcpu *v, u32 reason) __attribute__((noreturn));

/** The vcpu that makes the exit gives up the rest of its slice. */
void sched_yield(void);

/** Whether another vcpu of the CPU that runs this could go on now. */
bool sched_others_ready(void);

/** What a domain's vcpus get of a CPU that they share: 1 .. VL_WEIGHT_MAX, from now on. */
void sched_set_weight(struct domain *d, u32 weight);

/** What they got, so far. */
void sched_info(const struct domain *d, struct vl_sched_info *out);

/** And one of them; false: there is none with that number. */
bool sched_vcpu_status(const struct domain *d, u64 index, struct vl_vcpu_status *out);

/* --- for hv/cpu itself --- */

/** The first guest's vcpu of the CPU that runs this, whoever's block it runs on; NULL in
 * passthrough. Interrupts of the machine are its. */
static inline struct vcpu *sched_owner(void)
{
	return this_cpu()->host->vcpu;
}

/** The CPU came through this vector's gate: vcpu_note_interrupt() for the owner, who is preferred.
 */
bool sched_note_interrupt(u8 vector);

/** An NMI came: a kick, after which the host looks; or it is the owner's. False: that. */
bool sched_nmi_arrived(void);

/** A CPU's block is new: it is a host. */
void sched_init(struct cpu_block *host);

/** Shadow tables that the blocks of later guests there could give back. */
u64 sched_tables_spare(struct cpu_block *host);

/** Whether the CPU with this block has vcpus of later domains. */
bool sched_is_shared(const struct cpu *host);

/** The end of an exit, if the host's `look` is set: whoever's turn it is goes on. Returns when it
 * is the caller's. */
void sched_exit(struct vcpu *v);

/** HLT: the vcpu has nothing to do until something interrupts it, or sched_wake(), or somebody asks
 * something of it, which it has to serve. May return for no reason. */
void sched_halt(struct vcpu *v);

/** The block of a vcpu, which is stopped, is no CPU's any more, whichever it was. */
void sched_leave_host(struct cpu_block *b);

/**
 * This CPU's owner changes: the block of a later guest's vcpu, which has left its host, and none
 * other is left on this CPU, is the CPU's host from here on, and may run. Then sched_go_to(): what
 * runs here is left for ever, and `function` runs on the block's stack, below where it stopped,
 * with the live state of nobody; it ends by sched_go_on(), which is where the block had stopped.
 */
void sched_succeed(struct cpu_block *b);
void sched_go_to(struct cpu_block *b, void (*function)(void)) __attribute__((noreturn));
void sched_go_on(void) __attribute__((noreturn));

/** And what ran before is given back: its block, with its vcpu's shadow. */
void sched_free_block(struct cpu_block *b);

/** The vcpu never runs again, nor do its domain's others: vcpu_crash() and a guest that ends. */
void sched_end(struct vcpu *v) __attribute__((noreturn));

/** Vellum's timer on this CPU is not set any more: the guest has its local APIC back. */
void sched_timer_gone(void);

/**
 * Have `work` done once at the TSC `tsc`, or soon after, by the owner's vcpu of the CPU that calls,
 * at the end of one of its exits or in its HLT; CLOCK_NEVER: not any more. The last call counts.
 * `work` may call this. Only if apic_can_own_timer().
 */
void sched_set_work(u64 tsc, void (*work)(struct vcpu *v));

/** Do it, if it is due and `v` the owner's. At the places that are told above. */
void sched_work(struct vcpu *v);

/**
 * The same by whoever's vcpu comes to the end of an exit or to its HLT next, as long as the CPU has
 * vcpus of later domains: for work that is nobody's in particular, and takes no longer than a
 * switch may. No vcpu but that one is in the middle of anything.
 */
void sched_set_background(u64 tsc, void (*work)(void));

/** Vellum's timer interrupted. False: no scheduler has set it. */
bool sched_tick(void);

#endif
