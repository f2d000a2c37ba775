// SPDX-License-Identifier: MIT
/*
 * Exceptions that hit Vellum itself: while it boots, and during a hypercall in
 * passthrough. A guest's exceptions never come here, they are its own.
 */
#include "cpu/trap.h"

#include "cpu/fast.h"
#include "cpu/panic.h"
#include "cpu/percpu.h"
#include "cpu/sched.h"
#include "cpu/stop.h"
#include "cpu/vcpu.h"

extern const char resume_iretq[];                        /* exceptions.S */
extern const u64 safe_addresses[], safe_addresses_end[]; /* safe.S */
extern const char safe_failed[];
extern const char halt_unless_start[], halt_unless_end[], mwait_unless_start[],
	mwait_unless_end[]; /* halt.S */

static const char *const names[NR_EXCEPTIONS] = {
	[0] = "divide error (#DE)",
	[1] = "debug (#DB)",
	[2] = "NMI",
	[3] = "breakpoint (#BP)",
	[4] = "overflow (#OF)",
	[5] = "bound (#BR)",
	[6] = "invalid opcode (#UD)",
	[7] = "no FPU (#NM)",
	[8] = "double fault (#DF)",
	[10] = "invalid TSS (#TS)",
	[11] = "segment not present (#NP)",
	[12] = "stack (#SS)",
	[13] = "general protection (#GP)",
	[14] = "page fault (#PF)",
	[16] = "x87 error (#MF)",
	[17] = "alignment (#AC)",
	[18] = "machine check (#MC)",
	[19] = "SIMD error (#XM)",
};

/* False lets exceptions.S resume the frame, which wants the vector's word to be 0. */
static bool go_on(struct trap_frame *frame)
{
	frame->vector = 0;
	return false;
}

static bool is_safe(u64 rip)
{
	for (const u64 *a = safe_addresses; a < safe_addresses_end; a++)
		if (*a == rip)
			return true;
	return false;
}

static bool is_between(u64 rip, const char *start, const char *end)
{
	return rip >= (u64)start && rip < (u64)end;
}

/* An NMI that may announce something came before HLT or MWAIT. */
static void do_not_sleep(u64 *rip)
{
	if (is_between(*rip, halt_unless_start, halt_unless_end))
		*rip = (u64)halt_unless_end;
	else if (is_between(*rip, mwait_unless_start, mwait_unless_end))
		*rip = (u64)mwait_unless_end;
}

bool trap(struct trap_frame *frame)
{
	struct cpu *cpu = this_cpu(), *host = cpu->host;
	const struct vcpu *owner = cpu_vcpu(host);
	const char *name = names[frame->vector % NR_EXCEPTIONS];

	if (frame->vector == VECTOR_NMI)
		stop_if_asked(frame, CPU_STOPPED_IN_VELLUM);
	if (frame->vector == VECTOR_NMI && cpu->in_hypercall) {
		/* On its way to its vcpu, where another CPU may want it already, and asks again. */
		if (cpu->vcpu == NULL || !remote_kick_arrived(&host->kicked))
			cpu->nmi_pending = true;
		event_note(EVENT_NMI, frame->rip, 0);
		return true;
	}
	/* What the processor does not have or take: the guest asked for it, and gets the fault. */
	if ((frame->vector == VECTOR_GP || frame->vector == VECTOR_NP) && is_safe(frame->rip)) {
		frame->rip = (u64)safe_failed;
		return go_on(frame);
	}
	/* A fast path read the guest's stack, which is not there: the long way finds out why. */
	if (cpu->vcpu != NULL && (frame->vector == VECTOR_PF || frame->vector == VECTOR_GP) &&
	    fast_fixup(&frame->rip))
		return go_on(frame);
	/* The guest's IRET named what no processor returns to: the fault is its own. */
	if (cpu->vcpu != NULL && frame->rip == (u64)resume_iretq &&
	    vcpu_return_failed(cpu->vcpu, frame))
		return go_on(frame);
	/* An interrupt that ended Vellum's HLT, or came while it served the guest. */
	if (sched_note_interrupt((u8)frame->vector))
		return go_on(frame);
	/* The guest has no vcpu here any more; only INIT can make it one that it wants. */
	if (__atomic_load_n(&host->run, __ATOMIC_ACQUIRE) == CPU_LEFT &&
	    (frame->vector == VECTOR_NMI || frame->vector >= NR_EXCEPTIONS)) {
		if (frame->vector == VECTOR_NMI)
			remote_kick_arrived(&host->kicked); /* sent when there was one still */
		return go_on(frame);
	}
	/* The guest's own breakpoint or single step, which the processor reports on the first
	 * instruction of Vellum that follows: the guest gets it where its own handler starts. */
	if (cpu->vcpu != NULL && frame->vector == VECTOR_DB) {
		cpu->vcpu->debug_pending = true;
		cpu->vcpu->step_pending = (frame->rflags & RFLAGS_TF) != 0;
		frame->rflags &= ~RFLAGS_TF;
		fast_disarm(cpu);
		fast_fixup(&frame->rip); /* it was for a word that the guest's IRET pops */
		return go_on(frame);
	}
	if (owner != NULL && frame->vector == VECTOR_NMI) {
		/* A kick of another CPU's comes again if it is not served on the way out. */
		if (!sched_nmi_arrived())
			fast_disarm(host);
		do_not_sleep(&frame->rip);
		return go_on(frame);
	}
	panic_frame(frame, "exception %lu, %s, error code 0x%lx", frame->vector,
		    name != NULL ? name : "reserved", frame->error);
}
