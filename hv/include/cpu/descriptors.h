/* SPDX-License-Identifier: MIT */
/*
 * Vellum's own GDT, TSS and IDT of one CPU.
 */
#ifndef VELLUM_CPU_DESCRIPTORS_H
#define VELLUM_CPU_DESCRIPTORS_H

#include "cpu/percpu.h"

#define FIRST_INTERRUPT 32u /* vectors below are exceptions */
#define EXCEPTION_STUB  16u /* bytes of an entry point in exceptions.S */
#define INTERRUPT_STUB  8u

/** Where the CPU enters Vellum by a gate of this vector (exceptions.S). */
u64 exception_entry(u32 vector);

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
