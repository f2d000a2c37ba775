// SPDX-License-Identifier: MIT
/*
 * The vcpus' side of requests between CPUs (domain/remote.h): who is asked, what
 * serving does to shadow and TLB, and the NMI that gets a CPU out of the guest.
 * It is an NMI because a vector would wait behind what the guest has in service.
 *
 * An NMI that hits Vellum ends no guest code, and the CPU may go on to the guest
 * without looking for requests again (fast paths do). So it is repeated as long
 * as the request waits.
 */
#include "cpu/remote.h"

#include "cpu/apic.h"
#include "cpu/fast.h"
#include "cpu/sched.h"
#include "lib/failpoint.h"
#include "lib/lock.h"
#include "mem/pagetable.h"
#include "public/errno.h"

/* TSC ticks: longer than any NMI is on its way. */
#define SETTLES ((u64)1 << 22)

#define PAGES_MASK (PAGE_SIZE - 1)

void remote_enter(struct vcpu *v)
{
	remote_init(&v->remote, v->mode[false].root.v, &this_cpu()->host->kicked);
	v->apic_id = this_cpu()->apic_id;
	__atomic_store_n(&v->domain->vcpu[v->cpu], v, __ATOMIC_RELEASE);
}

void remote_leave(struct vcpu *v)
{
	__atomic_store_n(&v->domain->vcpu[v->cpu], NULL, __ATOMIC_RELEASE);
}

void remote_settle(const struct vcpu *v)
{
	u64 start = rdtsc();

	while (remote_kick_is_under_way(v->remote.kicked) && rdtsc() - start < SETTLES)
		cpu_relax();
}

struct vcpu *remote_vcpu(const struct domain *d, u32 cpu)
{
	return __atomic_load_n(&d->vcpu[cpu], __ATOMIC_ACQUIRE);
}

/* --- serving --- */

/* Debug builds let tests break it, to see that they notice. */
static void flush_pages(struct vcpu *v, const struct remote_flush *f)
{
	if (is_debug_build() && failpoint_get() == FAILPOINT_FLUSH_PAGES)
		return;
	for (u64 i = 0; i < f->pages; i++)
		vcpu_invalidate(v, f->va + i * PAGE_SIZE);
	if (f->space != 0 && shadow_flush_others(&v->shadow, f->space))
		vcpu_reload_root(v);
}

static void flush_space(struct vcpu *v, u64 space)
{
	access_forget_local(v);
	shadow_flush_space(&v->shadow, space);
	vcpu_reload_root(v);
}

static void serve_flush(struct vcpu *v, const struct remote_flush *f)
{
	u64 loaded = v->shadow.now->pgd;
	bool is_loaded = f->space == 0 || f->space == loaded;
	enum remote_what what = f->what == REMOTE_PAGES && !is_loaded ? REMOTE_SPACE : f->what;

	v->flushed[what]++;
	if (what == REMOTE_ALL) {
		vcpu_flush(v);
	} else if (what == REMOTE_LOCAL) {
		access_forget_local(v);
		shadow_flush_local(&v->shadow);
		vcpu_reload_root(v);
	} else if (what == REMOTE_PAGES) {
		flush_pages(v, f);
	} else {
		flush_space(v, f->space != 0 ? f->space : loaded);
	}
}

RARELY_USED void remote_serve(struct vcpu *v)
{
	struct remote_flush f;
	u64 ticket;

	lock_check_none_held();
	lock_delay();
	ticket = remote_take(&v->remote, &f);
	if (f.what != REMOTE_NOTHING)
		serve_flush(v, &f);
	remote_done(&v->remote, ticket);
	if (remote_take_nmi(&v->remote))
		v->nmi_pending = true;
	/* Whoever rearranged the domain's memory has flushed nobody. */
	if (remote_stand_still(&v->remote))
		vcpu_flush(v);
}

/* --- asking --- */

/* A vcpu that is over meanwhile has nothing left to flush, and takes no NMI. */
static bool remote_is_gone(const struct vcpu *v)
{
	return remote_vcpu(v->domain, v->cpu) != v;
}

/* While it waits, others may wait for it. */
static void wait_a_moment(struct vcpu *v, struct vcpu *other, u64 *last_kick)
{
	if (rdtsc() - *last_kick > KICK_AGAIN) {
		if (remote_kick(&other->remote))
			apic_send_nmi(sched_owner(), other->apic_id);
		*last_kick = rdtsc();
	}
	if (remote_waits(&v->remote))
		remote_serve(v);
	cpu_relax();
}

static void wait_until_served(struct vcpu *v, struct vcpu *other, u64 ticket)
{
	u64 last_kick = rdtsc() - KICK_AGAIN - 1;

	while (!remote_is_gone(other) && !remote_is_served(&other->remote, ticket))
		wait_a_moment(v, other, &last_kick);
}

/* A vcpu that has nothing of the address space now, and gets something of it later, gets what the
 * guest's tables say by now: see shadow_has_space(). */
static u64 ask(struct vcpu *other, const struct remote_flush *f)
{
	if (f->what <= REMOTE_SPACE && f->space != 0 && !shadow_has_space(&other->shadow, f->space))
		return 0;
	lock_delay();
	return remote_post(&other->remote, f);
}

/* It waits until the NMI is taken, since a kick that is lost would not be noticed. */
void remote_send_nmi(struct vcpu *v, struct vcpu *other)
{
	u64 last_kick = rdtsc() - KICK_AGAIN - 1;

	if (other == v) {
		v->nmi_pending = true;
		return;
	}
	remote_post_nmi(&other->remote);
	while (!remote_nmi_is_taken(&other->remote) && !remote_is_gone(other))
		wait_a_moment(v, other, &last_kick);
}

void remote_look(struct vcpu *v, u32 cpu)
{
	const struct remote_flush nothing = {.what = REMOTE_NOTHING};
	u64 last_kick = rdtsc() - KICK_AGAIN - 1, ticket;
	struct vcpu *other = remote_vcpu(v->domain, cpu);

	if (other == NULL || other == v)
		return;
	ticket = remote_post(&other->remote, &nothing);
	/* It is woken, too: in HLT it looks before it sleeps again. */
	if (ticket == 0 && remote_kick(&other->remote))
		apic_send_nmi(sched_owner(), other->apic_id);
	while (ticket != 0 && !remote_is_gone(other) && !remote_is_served(&other->remote, ticket))
		wait_a_moment(v, other, &last_kick);
}

bool remote_is_parked(const struct vcpu *v)
{
	return __atomic_load_n(&cpu_by_index(v->cpu)->run, __ATOMIC_ACQUIRE) == CPU_PARKED;
}

bool remote_give_up(struct domain *d, u32 cpu, u32 from)
{
	struct vcpu *v = remote_vcpu(d, cpu);
	struct cpu *c = cpu_by_index(cpu);

	/* INIT would take the CPU from those who share it. */
	if (sched_is_shared(c))
		return false;
	if (!__atomic_compare_exchange_n(&c->run, &from, CPU_LEFT, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(&d->vcpu[cpu], NULL, __ATOMIC_RELEASE);
	remote_settle(v); /* the guest's next vcpu there would wait for that kick for ever */
	__atomic_store_n(&c->vcpu, NULL, __ATOMIC_RELEASE);
	lock_take(&d->lock);
	vcpu_count(v, &d->counters);
	lock_release(&d->lock);
	sched_wake(v); /* as it is to be when the CPU comes back */
	return true;
}

static u64 flush_cpus(struct vcpu *v, u64 cpus, const struct remote_flush *f)
{
	struct vcpu *other[VL_MAX_CPUS];
	u64 ticket[VL_MAX_CPUS], waiting = 0, absent = 0;

	/* The guest changed its tables by plain stores. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (u64 left = cpus; left != 0; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);
		struct vcpu *o = cpu < VL_MAX_CPUS ? remote_vcpu(v->domain, cpu) : NULL;

		if (o == NULL)
			absent |= (u64)1 << cpu;
		if (o == NULL || o == v)
			continue;
		other[cpu] = o;
		ticket[cpu] = ask(o, f);
		waiting |= ticket[cpu] != 0 ? (u64)1 << cpu : 0;
	}
	if (cpus >> v->cpu & 1)
		serve_flush(v, f);
	for (; waiting != 0; waiting &= waiting - 1) {
		u32 cpu = (u32)__builtin_ctzll(waiting);

		wait_until_served(v, other[cpu], ticket[cpu]);
	}
	return absent;
}

s64 vcpu_mmu_flush_remote(struct vcpu *v, u64 cpus, u64 space, u64 va)
{
	static const enum remote_what kinds[] = {
		[VL_MMU_FLUSH_PAGE] = REMOTE_PAGES,
		[VL_MMU_FLUSH_ASID] = REMOTE_SPACE,
		[VL_MMU_FLUSH_ALL] = REMOTE_ALL,
	};
	u64 kind = space & PAGES_MASK;
	struct remote_flush f = {
		.space = space & PTE_ADDR, .va = va & PAGE_MASK, .pages = (va & PAGES_MASK) + 1};

	if (kind >= ARRAY_SIZE(kinds) || cpus >> VL_MAX_CPUS != 0 ||
	    (space & ~(PTE_ADDR | PAGES_MASK)) != 0)
		return -VL_EINVAL;
	if (kind == VL_MMU_FLUSH_PAGE && f.pages > VL_MMU_FLUSH_PAGES)
		return -VL_EINVAL;
	v->exits[EXIT_HYPERCALL]++;
	f.what = kinds[kind];
	return (s64)flush_cpus(v, cpus, &f);
}

/* --- rearranging the domain's memory --- */

/* 1: a CPU changes what some domain's physical memory is, or which domains there are. It is no
 * lock, since it waits for others. */
static u32 rearranging;

void remote_begin_alone(struct vcpu *v)
{
	while (__atomic_exchange_n(&rearranging, 1, __ATOMIC_SEQ_CST) != 0) {
		if (v != NULL && remote_waits(&v->remote))
			remote_serve(v);
		cpu_relax();
	}
	lock_delay();
}

void remote_end_alone(struct vcpu *v)
{
	(void)v;
	lock_delay();
	__atomic_store_n(&rearranging, 0, __ATOMIC_RELEASE);
}

void remote_stop_domain(struct vcpu *v, const struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		struct vcpu *other = remote_vcpu(d, i);
		u64 last_kick = rdtsc() - KICK_AGAIN - 1;

		if (other == NULL || other == v)
			continue;
		remote_hold(&other->remote);
		while (!remote_is_gone(other) && !remote_is_held(&other->remote))
			wait_a_moment(v, other, &last_kick);
	}
}

void remote_start_domain(struct vcpu *v, const struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		struct vcpu *other = remote_vcpu(d, i);

		if (other != NULL && other != v)
			remote_let_go(&other->remote);
	}
}

void remote_stop_others(struct vcpu *v)
{
	remote_begin_alone(v);
	remote_stop_domain(v, v->domain);
}

void remote_start_others(struct vcpu *v)
{
	vcpu_flush(v);
	remote_start_domain(v, v->domain);
	remote_end_alone(v);
}
