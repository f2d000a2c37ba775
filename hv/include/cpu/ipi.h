/* SPDX-License-Identifier: MIT */
/*
 * Messages between the CPUs of a virtualized guest that owns the local APICs.
 */
#ifndef VELLUM_CPU_IPI_H
#define VELLUM_CPU_IPI_H

#include "cpu/vcpu.h"

/** The guest writes the interrupt command register: destination in the upper half, as it is in the
 * present mode of its APIC. The APIC is trapped. */
void ipi_send(struct vcpu *v, u64 icr);

/** Whether the hardware alone deals with the message: then ipi_send() waits for nobody, and may be
 * called from a fast path. */
static inline bool ipi_is_plain(u32 command)
{
	return LAPIC_MODE(command) == LAPIC_FIXED || LAPIC_MODE(command) == LAPIC_LOWEST;
}

#endif
