/* SPDX-License-Identifier: MIT */
/*
 * A machine for fuzzing hypercalls on the host: memory as an array, one CPU
 * whose privileged instructions do nothing, and in place of the transitions
 * two calls that put the domain and its vcpu into either mode.
 */
#ifndef VELLUM_TESTS_FUZZ_MACHINE_H
#define VELLUM_TESTS_FUZZ_MACHINE_H

#include "cpu/vcpu.h"
#include "domain/domain.h"

/** The first guest's two ranges, one that is nobody's, partition. */
#define FIRST_RAM  ((struct range){0x100000, 0x108000})
#define FIRST_MORE ((struct range){0x10a000, 0x10c000})
#define OTHER_RAM  ((struct range){0x10c000, 0x110000})
#define PARTITION  ((struct range){8 * MIB, 14 * MIB})

/** Once: the boot. */
void machine_boot(void);

/** The first domain as it is after boot, in passthrough. */
void machine_start(void);

/** What is left of the input before goes. */
void machine_stop(void);

/** The first domain is virtualized with these layers, VL_LAYER_CPU among them; or no longer, and
 * without any others. */
void machine_virtualize(u32 layers);
void machine_devirtualize(void);

/** A guest's page fault in a view of the kernel or user: one more translation in the shadow. */
void machine_touch(u64 va, pa_t page, bool user, bool global);

/** A domain makes a hypercall; a later one by a vcpu that it has as long as that takes. */
s64 machine_call(struct domain *d, const struct trap_frame *frame);

/** The page of a domain's RAM, as the domain sees it; NULL: it has none there. */
u8 *machine_page(const struct domain *d, u64 pa);

/** Bytes of the partition that are free, for the shadow or for others. */
u64 machine_free(void);

#endif
