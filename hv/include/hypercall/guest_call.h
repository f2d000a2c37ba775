/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of a virtualized guest.
 */
#ifndef VELLUM_HYPERCALL_GUEST_CALL_H
#define VELLUM_HYPERCALL_GUEST_CALL_H

#include "cpu/vcpu.h"

/** If the instruction that raised #UD at virtual CPL 0 is VMCALL, serve it and return true: a
 * vcpu's `call`. */
bool guest_call(struct vcpu *v);

#endif
