/* SPDX-License-Identifier: MIT */
/*
 * A vcpu that begins at ring 3: nothing is captured from a processor, its
 * state is the one that public/start.h promises to a kernel.
 */
#ifndef VELLUM_TRANSITION_FRESH_H
#define VELLUM_TRANSITION_FRESH_H

#include "lib/types.h"
#include "public/start.h"

struct cpu_block;
struct domain;

/**
 * Make the block's vcpu a new one, vcpu `index` of a domain, that begins as `start` says; its
 * shadow is made, too. On any CPU, while nothing runs on the block. -VL_EINVAL: rip is not
 * canonical, cr3 no page address, a reserved word is not 0, or there is no GDT that Vellum could
 * mirror; -VL_EFAULT: cr3 is not the domain's RAM; -VL_ENOMEM. After an error the block is as it
 * was, but for the vcpu, which is cleared.
 */
s64 vcpu_prepare_fresh(struct cpu_block *b, struct domain *d, u32 index,
		       const struct vl_vcpu_start *start);

/**
 * The first instructions of such a vcpu, on its block's own stack: loads all that is Vellum's for
 * it and leaves to the guest. A GDT that cannot be read by then crashes it.
 */
void vcpu_begin_fresh(void) __attribute__((noreturn));

/**
 * Enter the first guest so, with the layers of CPU, memory and interrupts: the boot's last step
 * with begin=virtualized. On the boot's stack and Vellum's own tables.
 */
void first_begin_fresh(const struct vl_vcpu_start *start) __attribute__((noreturn));

#endif
