// SPDX-License-Identifier: MIT
/*
 * The transitions, seen from the guest. Devirtualize is refused while an
 * interrupt waits that only the guest can take: it lets that in and tries again.
 */
#include "mini/virtual.h"

#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"

struct vl_vcpu_info vcpu_info __attribute__((aligned(64)));

void virtual_init(void)
{
	vl_call_set_vcpu_info(hypercall_page, ptr_to_pa(&vcpu_info).v);
}

bool is_virtualized(void)
{
	u64 cs;

	asm volatile("mov %%cs, %0" : "=r"(cs));
	return (cs & 3) != 0;
}

bool interrupts_are_on(void)
{
	u64 flags = is_virtualized() ? *(volatile u32 *)&vcpu_info.flags : read_rflags();

	return (flags & RFLAGS_IF) != 0;
}

s64 virtualize(u64 debug)
{
	return vl_call_virtualize(hypercall_page, VL_LAYER_ALL | debug);
}

s64 devirtualize(void)
{
	s64 answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL);

	while (answer == -VL_EAGAIN) {
		interrupts_on();
		interrupts_off();
		answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL);
	}
	return answer;
}

bool is_transition(u64 nr)
{
	return nr == VL_CALL_VIRTUALIZE || nr == VL_CALL_DEVIRTUALIZE ||
	       nr == VL_CALL_SET_VCPU_INFO || nr == VL_CALL_SET_ALIAS;
}
