/* SPDX-License-Identifier: MIT */
/*
 * Vellum's own GDT, TSS and IDT of one CPU.
 */
#ifndef VELLUM_CPU_DESCRIPTORS_H
#define VELLUM_CPU_DESCRIPTORS_H

#include "cpu/percpu.h"

/** Fill the CPU's descriptor tables. */
void descriptors_fill(struct cpu *cpu);

/** And load them, which only the boot does: no fault before. */
void descriptors_init(struct cpu *cpu);

/**
 * Take over the IDT for a hypercall in passthrough. Only the IDT: the gates name the guest's own
 * code segment `guest_cs`, so GDT, TR and all segment registers stay the guest's, and there is no
 * instant at which an NMI finds tables that do not fit together. `saved` receives the guest's IDTR
 * for descriptors_leave(). Interrupts must be off.
 */
void descriptors_enter(struct cpu *cpu, u16 guest_cs, struct table_register *saved);
void descriptors_leave(const struct table_register *saved);

#endif
