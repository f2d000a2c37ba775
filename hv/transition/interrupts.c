// SPDX-License-Identifier: MIT
/*
 * The layer of interrupts as it is today: the pair of 8259s. More models join
 * here, each with the same four questions.
 */
#include "transition/interrupts.h"

#include "cpu/apic.h"
#include "cpu/ports.h"

bool interrupts_layer_can_enter(const struct vcpu *v)
{
	for (u32 i = 0; i < ARRAY_SIZE(v->pending); i++)
		if (v->pending[i] != 0)
			return false;
	return true;
}

/* The pair of 8259s interrupts the CPU that the guest was started on, and no other. */
static bool has_8259s(void)
{
	return this_cpu()->index == 0;
}

void interrupts_layer_enter(struct vcpu *v)
{
	if (has_8259s())
		ports_enter(v);
	apic_enter(v);
}

bool interrupts_layer_prepare_leave(struct vcpu *v)
{
	return (!has_8259s() || pic_hardware_can_leave(&v->pic)) && apic_prepare_leave(v);
}

void interrupts_layer_stay(struct vcpu *v)
{
	apic_stay(v);
}

void interrupts_layer_leave(struct vcpu *v)
{
	if (has_8259s())
		ports_leave(v);
	apic_leave(v);
}
