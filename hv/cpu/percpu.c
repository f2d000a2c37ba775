// SPDX-License-Identifier: MIT
/*
 * The CPUs' structures, and the ring of recent events in each. One CPU for
 * now: in passthrough the others are the guest's and never come here.
 */
#include "cpu/percpu.h"

union cpu_stack boot_cpu __attribute__((aligned(STACK_SIZE)));

void event_note(enum event_kind kind, u64 a, u64 b)
{
	struct cpu *cpu = this_cpu();
	struct event *event = &cpu->event[cpu->next_event++ % NR_EVENTS];

	*event = (struct event){.tsc = rdtsc(), .kind = kind, .a = a, .b = b};
}
