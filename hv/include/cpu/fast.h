/* SPDX-License-Identifier: MIT */
/*
 * The fast paths: SYSCALL, SWAPGS, SWAPGS with SYSRETQ or IRETQ, and the
 * hypercalls of memory management, served in assembly or without a trap frame
 * as long as the guest is in the common state. Whatever is not common goes
 * through vcpu_exit(), which knows it all; a fast path off changes nothing that
 * a guest can see.
 */
#ifndef VELLUM_CPU_FAST_H
#define VELLUM_CPU_FAST_H

#include "cpu/percpu.h"
#include "cpu/vcpu.h"
#include "public/calls.h"

/* Hypercalls that can be made by SYSCALL from the guest kernel: fast_calls[] of fast.c. */
#define FAST_CALLS_FIRST VL_CALL_MMU_LOAD
#define NR_FAST_CALLS    (VL_CALL_MMU_FLUSH_REMOTE - FAST_CALLS_FIRST + 1)

/** At the begin of an exit: tell the vcpu what the fast paths did since the last one. */
void fast_sync(struct vcpu *v, const struct trap_frame *real);

/** At its end, with the frame in the guest's view: arm the fast paths that may serve the state. */
void fast_arm(struct vcpu *v);

/** Something happened inside Vellum that the next crossing must not pass by (NMI, #DB). */
void fast_disarm(struct cpu *cpu);

/** The loaded address space changed. */
void fast_roots(struct vcpu *v);

/** What the common state depends on changed: SYSCALL MSRs, descriptors, CR4, features. */
void fast_update(struct vcpu *v);

/** A vcpu that was cleared: no path has a site. */
void fast_init(struct vcpu *v);

/**
 * The same when the guest, in its kernel, is taken over. Its code and its stack are entered into
 * its view: there it goes on. No sites are known then.
 */
void fast_begin(struct vcpu *v);

/** An instruction at `rip` was emulated that `path` may serve from now on: SWAPGS of
 * VL_FAST_SYSRET, _IRET or _SWAPGS, IRETQ of _KERNEL_IRET. Nothing happens if that path is off. */
void fast_note_site(struct vcpu *v, u32 path, u64 rip);

/** Note a page fault that the guest kernel gets for its user. */
void fast_note_fault(struct vcpu *v, u64 va, u64 rip, u32 access);

static inline void note_prefill(struct vcpu *v, struct fast *fast, u64 va, u64 rip, u32 access)
{
	v->prefill.va = va;
	v->prefill.rip = rip;
	v->prefill.access = access & (PF_USER | PF_FETCH);
	fast->prefill = true;
}

/** The guest returns to its user at `rip`: if the instruction there faulted, enter its page now,
 * which saves the fault that would find it missing in the shadow. From fast.S, too; the caller
 * clears fast.prefill. */
void fast_prefill(struct vcpu *v, u64 rip);

/**
 * Translate and enter into a view, as page_fault() does for the access (PF_WRITE, PF_USER,
 * PF_FETCH). 0; or the guest's fault, as walk(). hv/cpu/fast_fault.c, as is fast_prefill().
 */
u32 fast_fill(struct vcpu *v, enum shadow_view view, u64 va, u32 access);

/** A SYSCALL exit of the guest kernel that is one of fast_calls[], where fast.S has not served it:
 * done. False if it is an ordinary SYSCALL. */
bool fast_call(struct vcpu *v);

/** A fault at `rip`, in Vellum, or a #DB before it: true if it was of a fast path's access to guest
 * memory, and where that goes on instead. */
bool fast_fixup(u64 *rip);

#endif
