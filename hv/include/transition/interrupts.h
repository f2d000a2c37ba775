/* SPDX-License-Identifier: MIT */
/*
 * The layer of interrupts: whether the guest has interrupt controllers (and,
 * with them, timers) of its own, which start from the hardware's state and give
 * it back, or the machine's. All that a transition knows of them.
 */
#ifndef VELLUM_TRANSITION_INTERRUPTS_H
#define VELLUM_TRANSITION_INTERRUPTS_H

#include "cpu/vcpu.h"

/**
 * Whether the models can take over: not while an interrupt waits that the CPU acknowledged and the
 * guest has not taken. Fresh from passthrough they always can.
 */
bool interrupts_layer_can_enter(const struct vcpu *v);

/** Whether an interrupt waits that only the guest can take. Interrupts are off, the vcpu is this
 * CPU's. */
bool interrupts_layer_waits(struct vcpu *v);

/** The models take over. Interrupts are off, the vcpu is this CPU's. Never fails. */
void interrupts_layer_enter(struct vcpu *v);

/**
 * Make the hardware what the guest believes it to be, as far as Vellum has put it to use. What
 * the guest has not taken of the local APIC's is requested there again, but for level-triggered
 * lines. False, and nothing has changed
 * that the guest could see, if it has to take an interrupt first.
 */
bool interrupts_layer_prepare_leave(struct vcpu *v);

/** After that: give the hardware back in this state, or keep it after all. Never fails. */
void interrupts_layer_leave(struct vcpu *v);
void interrupts_layer_stay(struct vcpu *v);

#endif
