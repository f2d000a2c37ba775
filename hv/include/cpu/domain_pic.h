/* SPDX-License-Identifier: MIT */
/*
 * The 8259s of a virtualized domain that owns the machine, as its vcpus see
 * them: any may program them, one gets their interrupts. Their state is the
 * domain's, and its lock (LOCK_IRQ) orders the accesses of several CPUs; see
 * irq/pic_hardware.h for each of these.
 */
#ifndef VELLUM_CPU_DOMAIN_PIC_H
#define VELLUM_CPU_DOMAIN_PIC_H

#include "cpu/vcpu.h"

/** Whether INT goes to this vcpu: through LINT0 of the CPU that the machine was booted on. */
static inline bool pic_is_here(const struct vcpu *v)
{
	return v->cpu == 0;
}

/** Nothing waits for this vcpu. Takes no lock: what another CPU changes at the moment counts at the
 * next exit, which it causes (see pic_out()). */
static inline bool pic_is_idle(const struct vcpu *v)
{
	return !pic_is_here(v) || pic_hardware_is_idle(&v->domain->pic);
}

static inline bool pic_is_low(const struct vcpu *v)
{
	return pic_is_here(v) && pic_hardware_is_low(&v->domain->pic);
}

/** Take over, on the CPU that gets the interrupts, from the hardware or from a model; whether they
 * can be given back; give back. */
void pic_enter(struct vcpu *v, const struct port_access *ports);
void pic_begin(struct vcpu *v, const struct port_access *ports, const struct pic *model, u32 owed);
bool pic_can_leave(struct vcpu *v);
void pic_leave(struct vcpu *v);

bool pic_arrived(struct vcpu *v, u8 vector);
bool pic_waits(struct vcpu *v);
int pic_take_vector(struct vcpu *v);
void pic_hold(struct vcpu *v);

/** An access by any vcpu to one of the ports; the machine's own as long as nobody has taken over.
 */
u8 pic_in(struct vcpu *v, u16 port);
void pic_out(struct vcpu *v, u16 port, u8 value);

#endif
