// SPDX-License-Identifier: MIT
/*
 * The machine changes hands: the guest that owns it ends for good, and the one
 * other guest there is, its *heir*, owns it from then on. It stays virtualized,
 * its memory where it is; devirtualize (devirtualize.c) brings that home when
 * the heir calls for it, as any guest that owns the machine does.
 *
 *  1. prepare: there is an heir, which can have the machine, and whose vcpus but one are at rest;
 *             it stops; all other CPUs are offline, and stay so
 *  2. commit, the point of no return, on the stack of the caller: what the two share ends, devices
 *             and CPUs are silenced, the domain ends
 *  3. take:   on the stack of the heir's vcpu, whose block is the CPU's from here on: the caller's
 *             block is given back; the devices go on where the heir's platform stood
 *
 * Then the heir's vcpu goes on where it stopped.
 */
#include "cpu/block.h"
#include "cpu/disks.h"
#include "cpu/domain_io.h"
#include "cpu/domain_platform.h"
#include "cpu/live.h"
#include "cpu/pci_owner.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "cpu/apic.h"
#include "cpu/silence.h"
#include "cpu/uplink.h"
#include "domain/grant.h"
#include "lib/log.h"
#include "hypercall/live_remap.h"
#include "hypercall/share.h"
#include "public/calls.h"
#include "public/errno.h"
#include "transition/home.h"
#include "transition/parked.h"
#include "transition/steps.h"
#include "transition/tidy.h"
#include "hypercall_handlers.h"

#define LOOKS_ABOUT ((u64)1 << 20) /* TSC ticks */

/* Under remote_begin_alone(). */
static struct domain *heir;
static u64 heirs_how;           /* VL_REMAP_*: its memory is to come home */
static struct cpu_block *ended; /* until the heir has given it back */

/* The CPU that the machine was booted on gets the 8259s' interrupts. */
static s64 check_caller(const struct domain *d, const struct vcpu *v)
{
	if (apic_is_x2apic_for_good() || v == NULL || (d->layers & VL_LAYER_ALL) != VL_LAYER_ALL ||
	    v->iopl3 || v->lapic.access == NULL || v->cpu != 0)
		return -VL_EOPNOTSUPP;
	return d->layers & VL_LAYER_IO ? -VL_EBUSY : 0;
}

/* It was never started, or halts for good: nobody notices if it is not there any more. */
static bool is_at_rest(const struct cpu_block *b)
{
	return !b->sched.started || (b->stack.cpu.run == CPU_PARKED && !b->vcpu.nmi_pending &&
				     remote_nmi_is_taken(&b->vcpu.remote));
}

static bool has_one_vcpu(const struct domain *found)
{
	for (u32 i = 1; i < found->nr_vcpus; i++)
		if (!is_at_rest(found->block[i]))
			return false;
	return true;
}

/* One that has never run, or never will, could not take it. */
static s64 check_heir(const struct domain *found)
{
	const struct cpu_block *b = found->block[0];

	if (domain_count() != 2 || live_remap_is_on() || found->state != VL_STATE_RUNNING ||
	    b == NULL)
		return -VL_EBUSY;
	if (b->stack.cpu.vcpu == NULL)
		return -VL_EAGAIN;
	return b->stack.cpu.run == CPU_RUNS ? 0 : -VL_EBUSY;
}

/* Its other vcpus have no CPU that they could take over: only its kernel can do without them. */
static s64 check_vcpus(struct domain *found)
{
	if (has_one_vcpu(found))
		return 0;
	events_ask(found, VL_ASKED_FOR_ONE_VCPU);
	return -VL_EAGAIN;
}

static s64 make_check(struct vcpu *v)
{
	s64 err = check_caller(v->domain, v);

	if (err == 0)
		err = check_heir(heir);
	if (err == 0)
		err = home_check(v, heir, heirs_how);
	if (err == 0)
		err = check_vcpus(heir);
	/* Each page has a frame of its own, in as many calls as it takes. */
	return err == 0 && share_off() != 0 ? -VL_EAGAIN : err;
}

/* A CPU that is online could be anywhere, with what it holds. One that is parked looks about for a
 * moment if a vcpu that it has was stopped, as the heir's just were. */
static s64 make_hold(struct vcpu *v)
{
	u64 start = rdtsc();

	while (parked_hold(1) < 0) {
		if (rdtsc() - start > LOOKS_ABOUT)
			return -VL_EAGAIN;
		if (remote_waits(&v->remote))
			remote_serve(v);
		cpu_relax();
	}
	return 0;
}

static void undo_hold(struct vcpu *v)
{
	(void)v;
	parked_let_go();
}

static s64 make_still(struct vcpu *v)
{
	remote_stop_domain(v, v->domain);
	return 0;
}

static void undo_still(struct vcpu *v)
{
	vcpu_flush(v);
	remote_start_domain(v, v->domain);
}

static const struct transition_step steps[] = {
	{make_check, NULL},
	{make_hold, undo_hold},
	{make_still, undo_still},
};

/* --- on the heir's stack --- */

static void take_machine(void)
{
	struct cpu_block *own = this_block();
	struct vcpu *v = &own->vcpu;

	live_load(own);
	sched_free_block(ended);
	domain_platform_give(v);
	events_raise_by(v->domain, first_domain_upcall);
	segments_set_cpl(v, v->cpl); /* whether ports trap */
	vcpu_flush(v);               /* pages of the other one's */
	log_print("vellum: domain %u owns the machine\n", v->domain->domid);
	home_begin(v, heirs_how);
	remote_end_alone(v);
	sched_go_on();
}

/* --- on the caller's --- */

/* The first one has the share of the CPU that others may be in. */
static void leave_vcpus(struct domain *d)
{
	while (d->nr_vcpus > 1) {
		vcpu_destroy(d, --d->nr_vcpus, NO_BUDGET);
		d->info[d->nr_vcpus].at = NULL;
	}
}

static void __attribute__((noreturn)) commit(struct domain *d, struct vcpu *v)
{
	struct cpu_block *b = heir->block[0];

	grant_end(d);
	events_end(d); /* the heir's vcpu may be woken by that */
	leave_vcpus(heir);
	sched_leave_host(b); /* no CPU is shared any more */
	parked_leave(d);
	domain_io_destroy(d);
	silence_machine(v);
	uplink_end();
	disks_stop();
	pci_owner_end();
	remote_leave(v);
	domain_unuse(heir);
	domain_hand_over(heir);
	transition_forget();
	heir->block[0] = NULL;
	b->stack.cpu.host = this_cpu();
	b->stack.cpu.index = 0;
	b->stack.cpu.apic_id = b->vcpu.apic_id = this_cpu()->apic_id;
	ended = this_block();
	sched_succeed(b);
	b->vcpu.remote.kicked = &b->stack.cpu.kicked;
	sched_go_to(b, take_machine);
}

s64 call_hand_over(struct domain *d, u64 domid, u64 how)
{
	struct vcpu *v = current_vcpu();
	struct domain *found;
	s64 err;

	if (v == NULL)
		return -VL_EOPNOTSUPP;
	if (domid == VL_DOMID_SELF || domid == d->domid)
		return -VL_EINVAL;
	found = domain_use(domid);
	if (found == NULL)
		return -VL_ENOENT;
	/* Not alone: its vcpu may be waiting for that. */
	sched_stop(found);
	remote_begin_alone(v);
	heir = found;
	heirs_how = how;
	err = transition_prepare(v, steps, ARRAY_SIZE(steps));
	if (err == 0)
		commit(d, v);
	remote_end_alone(v);
	if (found->state == VL_STATE_RUNNING)
		sched_start(found);
	domain_unuse(found);
	return err;
}
