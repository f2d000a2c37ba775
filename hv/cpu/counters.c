// SPDX-License-Identifier: MIT
/*
 * What a vcpu counted, in the ABI's words; and, for tests, what those do not name.
 */
#include "cpu/vcpu.h"

#include "lib/log.h"

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

void vcpu_debug_report(const struct vcpu *v)
{
	/* Nobody asks the only CPU of a machine, and the log keeps older lines. */
	if ((v->flushed[REMOTE_PAGES] | v->flushed[REMOTE_SPACE] | v->flushed[REMOTE_LOCAL] |
	     v->flushed[REMOTE_ALL]) == 0)
		return;
	log_print("vellum: CPU %u flushed on request: pages %lu, spaces %lu, local %lu, all %lu\n",
		  v->cpu, v->flushed[REMOTE_PAGES], v->flushed[REMOTE_SPACE],
		  v->flushed[REMOTE_LOCAL], v->flushed[REMOTE_ALL]);
}
