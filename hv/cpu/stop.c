// SPDX-License-Identifier: MIT
/*
 * Stopping CPUs (cpu/stop.h). It is an NMI that does it, since Vellum may be
 * anywhere, with interrupts off. What is read here may be damaged: no lock, no
 * waiting without an end.
 */
#include "cpu/stop.h"

#include "cpu/apic.h"

/* TSC ticks for an NMI to be taken; an emulator's CPUs may take turns. */
#define PATIENCE ((u64)1 << 28)

/* Index of the CPU that wants it, plus 1; 0: nobody. */
static u32 stopper;

static void wait_for(const struct cpu *cpu)
{
	u64 start = rdtsc();

	while (__atomic_load_n(&cpu->stopped.how, __ATOMIC_ACQUIRE) == CPU_NOT_STOPPED &&
	       rdtsc() - start < PATIENCE)
		cpu_relax();
}

static void stop(struct cpu *cpu)
{
	if (cpu->vcpu != NULL || cpu->in_hypercall) {
		apic_send(cpu->apic_id, LAPIC_NMI);
		wait_for(cpu);
	}
	if (cpu->stopped.how != CPU_NOT_STOPPED)
		return;
	cpu->stopped.how = CPU_STOPPED_BY_INIT;
	apic_send(cpu->apic_id, LAPIC_INIT);
}

void stop_others(void)
{
	struct cpu *own = this_cpu()->host;
	u32 nobody = 0;

	/* Of two at a time, one goes on; an NMI is under way to the other, or it needs none. */
	if (!__atomic_compare_exchange_n(&stopper, &nobody, own->index + 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST) &&
	    nobody != own->index + 1) {
		own->stopped.rip = (u64)__builtin_return_address(0);
		__atomic_store_n(&own->stopped.how, CPU_STOPPED_IN_VELLUM, __ATOMIC_RELEASE);
		halt_forever();
	}
	for (u32 i = 0; i < cpu_count(); i++)
		if (i != own->index)
			stop(cpu_by_index(i));
}

void stop_if_asked(const struct trap_frame *frame, enum cpu_stopped where)
{
	struct cpu *own = this_cpu()->host;
	u32 by = __atomic_load_n(&stopper, __ATOMIC_ACQUIRE);

	if (by == 0 || by == own->index + 1)
		return;
	own->stopped.rip = frame->rip;
	own->stopped.rsp = frame->rsp;
	__atomic_store_n(&own->stopped.how, where, __ATOMIC_RELEASE);
	halt_forever();
}
