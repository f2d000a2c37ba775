/* SPDX-License-Identifier: MIT */
/*
 * MSRs of a domain that does not own the machine, but for those that Vellum
 * keeps for every guest (hv/cpu/msr.c) and the local APIC's.
 */
#ifndef VELLUM_CPU_MSR_LATER_H
#define VELLUM_CPU_MSR_LATER_H

#include "lib/types.h"

/** RDMSR and WRMSR; an address that a register takes is canonical. False: #GP. */
bool msr_later_read(u32 msr, u64 *value);
bool msr_later_write(u32 msr, u64 value);

#endif
