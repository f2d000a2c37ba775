/* SPDX-License-Identifier: MIT */
/*
 * Being virtualized, and going there and back: all that a kernel has to know
 * of it. CLI, STI and everything else that is privileged is emulated at ring
 * 3; only PUSHF and POPF do not trap, and show and change nothing of the
 * interrupt flag there, which Vellum keeps in vcpu_info.
 */
#ifndef MINI_VIRTUAL_H
#define MINI_VIRTUAL_H

#include "lib/types.h"
#include "public/hypercall.h"

/** Shared with Vellum while virtualized; registered by virtual_init(). */
extern struct vl_vcpu_info vcpu_info;

/** Register vcpu_info; once, after hypercall_init(). */
void virtual_init(void);

/** Whether this kernel runs at ring 3 now. */
bool is_virtualized(void);

/** RFLAGS.IF as the kernel means it, in both modes. */
bool interrupts_are_on(void);

/** Virtualize or devirtualize; with interrupts off. Returns the hypercall's answer. `more`:
 * VL_DEBUG_* bits, VL_LAYER_IO. */
s64 virtualize(u64 more);
s64 devirtualize(void);

/** The same for some layers (VL_LAYER_*, VL_DEBUG_* bits); the first verifies Vellum's image if the
 * CPU's is among them. */
s64 virtualize_layers(u64 layers);
s64 devirtualize_layers(u64 layers);

/** Have Vellum verify its image, all of it. */
s64 verify_image(void);

/** Whether this hypercall changes the mode, what vcpu_info is or what frame a page has: not to be
 * made just to look. */
bool is_transition(u64 nr);

#endif
