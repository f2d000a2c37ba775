// SPDX-License-Identifier: MIT
/*
 * What a vcpu counted, in the ABI's words.
 */
#include "cpu/vcpu.h"

void vcpu_count(const struct vcpu *v, struct vl_domain_counters *to)
{
	to->exits_hypercall += v->exits[EXIT_HYPERCALL];
	to->exits_syscall += v->exits[EXIT_SYSCALL];
	to->exits_interrupt += v->exits[EXIT_INTERRUPT];
	to->exits_hidden_fault += v->exits[EXIT_HIDDEN_FAULT];
	to->exits_guest_fault += v->exits[EXIT_GUEST_FAULT];
	to->exits_emulated += v->exits[EXIT_EMULATED];
	to->exits_reflected += v->exits[EXIT_REFLECTED];
	to->shadow_fills += v->shadow.fills;
	to->shadow_flushes += v->shadow.flushes;
	to->shadow_evictions += v->shadow.evictions;
}
