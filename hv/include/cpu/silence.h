/* SPDX-License-Identifier: MIT */
/*
 * The machine changes hands: what the guest that had it has set going must
 * reach neither the memory nor the CPU of the one that gets it.
 */
#ifndef VELLUM_CPU_SILENCE_H
#define VELLUM_CPU_SILENCE_H

#include "cpu/vcpu.h"

/**
 * No device writes to memory any more, and none interrupts: PCI functions and the ISA bus's DMA are
 * stopped, the HPET too, all entries of the IOAPIC and all lines of the 8259s masked, and the local
 * APIC of this CPU, which is trapped for `v`, has nothing requested or in service. All other CPUs
 * wait to be started. What came meanwhile is lost.
 */
void silence_machine(struct vcpu *v);

#endif
