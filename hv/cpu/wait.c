// SPDX-License-Identifier: MIT
/*
 * How a vcpu waits: HLT, MONITOR and MWAIT. HLT ends with an interrupt. MWAIT
 * ends with a store by whomever, too, and kernels rely on it: Linux wakes an idle
 * CPU by a store to a flag, with no interrupt. So the machine's own MONITOR watches
 * the frame that the guest's line lies in.
 */
#include "cpu/domain_platform.h"
#include "cpu/emulate.h"
#include "cpu/percpu.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "lib/x86.h"
#include "mem/own_tables.h"

/* SDM volume 2, MONITOR and MWAIT: ECX bit 0 has an interrupt end it while IF is clear. */
#define CPUID1_MONITOR    (1u << 3)
#define CPUID_MWAIT       5u
#define CPUID_MWAIT_BREAK (1u << 1)
#define MWAIT_BREAK       1u

/* halt.S */
void halt_unless(const u32 *waits, const bool *nmi);
void mwait_unless(const u32 *waits, const bool *nmi, u32 hint);

/* A CPU that others share, or that is to be shared, halts only if nobody there is ready. */
static void sleep(struct vcpu *v)
{
	const struct cpu *host = this_cpu()->host;

	if (sched_is_shared(host) || __atomic_load_n(&host->look, __ATOMIC_SEQ_CST))
		sched_halt(v);
	else
		halt_unless(&v->remote.waits, &v->nmi_pending);
}

/* Wait on Vellum's own tables for an NMI or a request; INIT may come, or the vcpu be taken away. */
static void wait_parked(struct vcpu *v, u32 *run)
{
	u32 expected = CPU_PARKED;

	remote_halt(&v->remote);
	__atomic_store_n(run, CPU_PARKED, __ATOMIC_SEQ_CST);
	while (!v->nmi_pending && !remote_waits(&v->remote) &&
	       __atomic_load_n(run, __ATOMIC_ACQUIRE) != CPU_LEFT)
		sleep(v);
	while (!__atomic_compare_exchange_n(run, &expected, CPU_RUNS, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST)) {
		if (expected == CPU_LEFT)
			halt_forever();
		expected = CPU_PARKED; /* held: a transition is under way */
		cpu_relax();
	}
	remote_wake(&v->remote);
}

/*
 * HLT with interrupts disabled is how a kernel puts a CPU offline. Such a CPU uses no table of its
 * vcpu, so that the domain can be devirtualized without it (hv/transition/devirtualize.c), or the
 * guest have the CPU back by INIT. If it wakes, all may have changed.
 */
static void park(struct vcpu *v)
{
	while (!v->nmi_pending) {
		write_cr3(own_root().v);
		wait_parked(v, &this_cpu()->run);
		vcpu_flush(v);
		if (remote_waits(&v->remote))
			remote_serve(v);
	}
}

/* Whether the guest's IF is set is not looked at. */
static bool is_awake(struct vcpu *v)
{
	domain_platform_work(v);
	return vcpu_interrupt_waits(v) || v->nmi_pending;
}

static void wait_for_interrupt(struct vcpu *v)
{
	while (!is_awake(v)) {
		remote_halt(&v->remote);
		sleep(v);
		remote_wake(&v->remote);
		if (remote_waits(&v->remote))
			remote_serve(v);
		sched_work(v);
	}
}

void emulate_hlt(struct vcpu *v, const struct insn *i)
{
	emulate_done(v, i);
	if (v->frame->rflags & RFLAGS_IF)
		wait_for_interrupt(v);
	else
		park(v);
}

/* --- MONITOR and MWAIT --- */

bool emulate_monitor(struct vcpu *v, const struct insn *i)
{
	struct exception fault;
	const u8 *at;

	if (!(cpuid(1, 0).ecx & CPUID1_MONITOR))
		return false;
	if ((u32)v->frame->rcx != 0) {
		deliver_fault(v, VECTOR_GP, 0);
		return true;
	}
	if (!guest_locate(v, operand_address(v, i), &at, &fault)) {
		deliver(v, fault, EVENT_EXCEPTION);
		return true;
	}
	v->monitor.line = (const volatile u64 *)((uintptr_t)at & ~(uintptr_t)(MONITOR_LINE - 1));
	for (u32 n = 0; at != NULL && n < MONITOR_WORDS; n++)
		v->monitor.was[n] = v->monitor.line[n];
	emulate_done(v, i);
	return true;
}

static bool is_stored_to(const struct vcpu *v)
{
	u64 differs = 0;

	for (u32 n = 0; n < MONITOR_WORDS; n++)
		differs |= v->monitor.line[n] ^ v->monitor.was[n];
	return differs != 0;
}

/*
 * Until another CPU stores to the line, an interrupt, an NMI or a request; or for no reason, as
 * MWAIT may. The vcpu does not count as halted: what rearranges memory has to wake it, since it
 * would sleep over stores to the frame that takes the line's place.
 */
static void wait_for_store(struct vcpu *v, u32 hint)
{
	const struct cpu *host = this_cpu()->host;
	bool shared = sched_is_shared(host) || __atomic_load_n(&host->look, __ATOMIC_SEQ_CST);
	const volatile u64 *line = v->monitor.line;

	if (line == NULL || vcpu_interrupt_waits(v) || v->nmi_pending)
		return;
	if (shared && sched_others_ready()) {
		sched_yield();
		return;
	}
	__asm__ volatile("monitor" : : "a"(line), "c"(0), "d"(0) : "memory");
	if (!is_stored_to(v))
		mwait_unless(shared ? &host->look : &v->remote.waits, &v->nmi_pending, hint);
	if (remote_waits(&v->remote))
		remote_serve(v);
}

/* By another CPU of the domain. */
static bool may_be_stored_to(const struct vcpu *v)
{
	return domain_owns_machine(v->domain) ? cpu_count() > 1 : v->domain->nr_vcpus > 1;
}

bool emulate_mwait(struct vcpu *v, const struct insn *i)
{
	bool breaks = (v->frame->rcx & MWAIT_BREAK) != 0;

	if (!(cpuid(1, 0).ecx & CPUID1_MONITOR))
		return false;
	if (((u32)v->frame->rcx & ~MWAIT_BREAK) != 0 ||
	    (breaks && !(cpuid(CPUID_MWAIT, 0).ecx & CPUID_MWAIT_BREAK))) {
		deliver_fault(v, VECTOR_GP, 0);
		return true;
	}
	emulate_done(v, i);
	/* With IF clear and no break, an interrupt ends it nevertheless, as anything may. */
	if (may_be_stored_to(v))
		wait_for_store(v, (u32)v->frame->rax);
	else
		wait_for_interrupt(v);
	v->monitor.line = NULL;
	return true;
}
