// SPDX-License-Identifier: MIT
/*
 * CPUs that are virtualized and have no part in a transition, since the guest
 * has put them offline (transition/parked.h; cpu/wait.c has their side).
 */
#include "transition/parked.h"

#include "cpu/percpu.h"
#include "cpu/remote.h"
#include "public/errno.h"

static bool change_run(struct cpu *cpu, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&cpu->run, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void parked_let_go(void)
{
	for (u32 i = 0; i < cpu_count(); i++)
		change_run(cpu_by_index(i), CPU_HELD, CPU_PARKED);
}

s64 parked_hold(u64 running)
{
	u64 others = 0;

	for (u32 i = 0; i < cpu_count(); i++) {
		struct cpu *cpu = cpu_by_index(i);

		others += cpu->vcpu != NULL && !change_run(cpu, CPU_PARKED, CPU_HELD);
	}
	if (others == running)
		return 0;
	parked_let_go();
	return -VL_EBUSY;
}

void parked_leave(struct domain *d)
{
	for (u32 i = 0; i < cpu_count(); i++) {
		struct cpu *cpu = cpu_by_index(i);

		if (cpu->run == CPU_HELD)
			remote_give_up(d, cpu->index, CPU_HELD);
	}
}
