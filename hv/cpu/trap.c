// SPDX-License-Identifier: MIT
/*
 * Exceptions that hit Vellum itself: while it boots, and during a hypercall in
 * passthrough. A guest's exceptions never come here, they are its own.
 */
#include "cpu/trap.h"

#include "cpu/panic.h"
#include "cpu/percpu.h"

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

void trap(const struct trap_frame *frame)
{
	struct cpu *cpu = this_cpu();
	const char *name = names[frame->vector % NR_EXCEPTIONS];

	if (frame->vector == VECTOR_NMI && cpu->in_hypercall) {
		cpu->nmi_pending = true;
		event_note(EVENT_NMI, frame->rip, 0);
		return;
	}
	panic_frame(frame, "exception %lu, %s, error code 0x%lx", frame->vector,
		    name != NULL ? name : "reserved", frame->error);
}
