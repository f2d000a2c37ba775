// SPDX-License-Identifier: MIT
/*
 * The layer of interrupts as it is today: the pair of 8259s. More models join
 * here, each with the same four questions.
 */
#include "transition/interrupts.h"

#include "cpu/apic.h"
#include "cpu/domain_pic.h"
#include "cpu/ports.h"

bool interrupts_layer_can_enter(const struct vcpu *v)
{
	for (u32 i = 0; i < ARRAY_SIZE(v->pending); i++)
		if (v->pending[i] != 0)
			return false;
	return true;
}

/* With the layer, prepare_leave() gives those of the local APIC back. */
bool interrupts_layer_waits(struct vcpu *v)
{
	return v->lapic.access != NULL ? pic_waits(v) : vcpu_interrupt_waits(v);
}

void interrupts_layer_enter(struct vcpu *v)
{
	ports_enter(v);
	apic_enter(v);
}

bool interrupts_layer_prepare_leave(struct vcpu *v)
{
	return pic_can_leave(v) && apic_prepare_leave(v);
}

void interrupts_layer_stay(struct vcpu *v)
{
	apic_stay(v);
}

void interrupts_layer_leave(struct vcpu *v)
{
	ports_leave(v);
	apic_leave(v);
}
