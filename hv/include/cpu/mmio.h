/* SPDX-License-Identifier: MIT */
/*
 * Pages of device registers that a virtualized guest does not reach by itself:
 * they never get into the shadow, so that each access faults and is emulated.
 */
#ifndef VELLUM_CPU_MMIO_H
#define VELLUM_CPU_MMIO_H

#include "cpu/decode.h"
#include "cpu/vcpu.h"

/** Whether the page of 4 KiB at this physical address is one. */
bool mmio_is_trapped(const struct vcpu *v, pa_t pa);

/** Whether it is the local APIC's. */
bool mmio_is_apic(pa_t pa);

/** Largest block around `pa`, at most 2^shift bytes, without such a page, unless it is one. */
u32 mmio_limit(const struct vcpu *v, pa_t pa, u32 shift);

/** Emulate the instruction at RIP, whose access to the trapped register at `pa` faulted. */
void mmio_access(struct vcpu *v, pa_t pa);

/** Do such a move, with the device's register at `offset` of a trapped page. False: it is none,
 * nothing was done. */
bool mmio_move(struct vcpu *v, u32 offset, const struct plain_move *move, u64 *reg);

#endif
