/* SPDX-License-Identifier: MIT */
/*
 * A hypercall with every register that it has to keep under watch.
 */
#ifndef MINI_TESTS_HYPERCALL_PROBE_H
#define MINI_TESTS_HYPERCALL_PROBE_H

#define PROBE_ARG    0
#define PROBE_KEPT   48
#define PROBE_RFLAGS 104
#define PROBE_RESULT 112
#define PROBE_SHARED 120

#ifndef __ASSEMBLER__

#include "lib/types.h"

struct hypercall_probe {
	u64 arg[6];  /* in: RDI RSI RDX RCX R8 R9 */
	u64 kept[7]; /* in: RBX RBP R12 R13 R14 R15; out: what they are afterwards; then RSP's
			change */
	u64 rflags;  /* in: RFLAGS for the call; out: RFLAGS after it */
	s64 result;
	u64 shared; /* out: first words of vcpu_info after it */
};
_Static_assert(offsetof(struct hypercall_probe, kept) == PROBE_KEPT, "hypercall_probe.S");
_Static_assert(offsetof(struct hypercall_probe, rflags) == PROBE_RFLAGS, "hypercall_probe.S");
_Static_assert(offsetof(struct hypercall_probe, shared) == PROBE_SHARED, "hypercall_probe.S");
_Static_assert(offsetof(struct hypercall_probe, result) == PROBE_RESULT, "hypercall_probe.S");

/** Make the call that `probe` describes. RFLAGS are afterwards what they were before. */
void hypercall_probe(struct hypercall_probe *probe);

#endif
#endif
