// SPDX-License-Identifier: MIT
/*
 * The transitions, seen from the guest. Devirtualize is refused while an
 * interrupt waits that only the guest can take: it lets that in and tries again.
 */
#include "mini/virtual.h"

#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/smp.h"

struct vl_vcpu_info vcpu_info __attribute__((aligned(64)));

void virtual_init(void)
{
	vl_call_set_vcpu_info(hypercall_page, ptr_to_pa(&vcpu_info).v, 0);
}

bool is_virtualized(void)
{
	u64 cs;

	asm volatile("mov %%cs, %0" : "=r"(cs));
	return (cs & 3) != 0;
}

bool interrupts_are_on(void)
{
	u32 cpu = smp_index();
	const volatile struct vl_vcpu_info *info = cpu == 0 ? &vcpu_info : smp_vcpu_info(cpu);

	return ((is_virtualized() ? info->flags : read_rflags()) & RFLAGS_IF) != 0;
}

s64 verify_image(void)
{
	s64 left;

	do
		left = vl_call_verify_image(hypercall_page);
	while (left > 0);
	return left;
}

/* As often as an interrupt waits that only this kernel can take. */
static s64 until_done(s64 (*call)(vl_hypercall_fn, uint64_t, uint64_t), u64 layers)
{
	s64 answer = call(hypercall_page, layers, 0);

	while (answer == -VL_EAGAIN) {
		interrupts_on();
		interrupts_off();
		answer = call(hypercall_page, layers, 0);
	}
	return answer;
}

s64 virtualize_layers(u64 layers)
{
	s64 answer = layers & VL_LAYER_CPU ? verify_image() : 0;

	return answer < 0 ? answer : until_done(vl_call_virtualize, layers);
}

s64 devirtualize_layers(u64 layers)
{
	return until_done(vl_call_devirtualize, layers);
}

s64 virtualize(u64 more)
{
	return virtualize_layers(VL_LAYER_ALL | more);
}

s64 devirtualize(void)
{
	return devirtualize_layers(VL_LAYER_ALL);
}

bool is_transition(u64 nr)
{
	return nr == VL_CALL_VIRTUALIZE || nr == VL_CALL_DEVIRTUALIZE ||
	       nr == VL_CALL_SET_VCPU_INFO || nr == VL_CALL_SET_ALIAS ||
	       nr == VL_CALL_TEST_MOVE_PAGE || nr == VL_CALL_SET_FAILPOINT ||
	       nr == VL_CALL_TEST_SPOIL_SHADOW || nr == VL_CALL_PORTION_ADD ||
	       nr == VL_CALL_PORTION_REMOVE;
}
