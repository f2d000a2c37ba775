// SPDX-License-Identifier: MIT
/*
 * Who runs on a CPU that several guests share (cpu/sched.h). Owns invariant
 * S14: a block's stack, tables and root are used by its host alone, and by
 * nobody any more once `on_cpu` is 0.
 *
 * A host decides for itself, at the end of an exit or in a HLT; others only
 * change who is ready, under its lock, set its `look` and get it out of the
 * guest by an NMI. That NMI may hit Vellum and be over before the guest goes
 * on, so a host that is shared never runs for longer than a slice without
 * Vellum's timer.
 *
 * A CPU on which nobody is ready halts on the stack of whoever was last, or,
 * if that one's memory may go, on the owner's.
 */
#include "cpu/sched.h"

#include "cpu/apic.h"
#include "cpu/block.h"
#include "cpu/live.h"
#include "cpu/remote.h"
#include "cpu/sched_host.h"
#include "cpu/uplink.h"
#include "irq/clock.h"
#include "lib/lock.h"

/* With nothing to wait for the timer stays Vellum's: taking it costs the guest some accuracy. */
#define FAR ((u64)1 << 40)

#define FIRST_STACK_WORDS 6 /* that switch_stacks() pops before it returns */

void switch_stacks(u64 *left, u64 rsp);              /* switch.S */
void halt_unless(const u32 *waits, const bool *nmi); /* halt.S */

static struct cpu_block *host_block(void)
{
	return block_of(this_cpu()->host);
}

static struct cpu_block *block_of_member(struct share_member *m)
{
	return (struct cpu_block *)((u64)m - offsetof(struct cpu_block, sched.member));
}

static bool is_ready(const struct cpu_block *b)
{
	return b->sched.member.entity.ready;
}

void sched_init_host(struct cpu_block *b, bool ready)
{
	struct sched_host *h = &b->host;

	h->lock = (struct lock)LOCK_INIT(LOCK_SCHED);
	fair_init(&h->queue, CLOCK_NEVER, 0); /* until it is shared */
	share_begin(&h->queue, &b->sched.share, VL_WEIGHT_USUAL);
	share_add(&b->sched.share, &b->sched.member);
	share_set_ready(&h->queue, &b->sched.member, ready);
	h->current = b;
	h->busy = ready;
	h->since = rdtsc();
	h->armed = h->work_due = h->background_due = CLOCK_NEVER;
	b->sched.on_cpu = 1;
	b->sched.deadline = CLOCK_NEVER;
}

void sched_init(struct cpu_block *b)
{
	b->sched.started = true;
	sched_init_host(b, true);
}

bool sched_is_shared(const struct cpu *host)
{
	return __atomic_load_n(&block_of((struct cpu *)(u64)host)->host.nr_others,
			       __ATOMIC_RELAXED) != 0;
}

/* --- telling a host; under no lock, or its own --- */

/* It looks at the end of its next exit, or at once if it halts; `look` is set before `waits`, since
 * a vcpu that is halted alone looks for them the other way round. */
void sched_tell(struct cpu *host)
{
	struct vcpu *owner = cpu_vcpu(host);

	__atomic_store_n(&host->look, 1, __ATOMIC_SEQ_CST);
	if (host == this_cpu()->host || owner == NULL)
		return;
	__atomic_store_n(&owner->remote.waits, 1, __ATOMIC_SEQ_CST);
	if (remote_kick(&owner->remote))
		apic_send_nmi(sched_owner(), host->apic_id);
}

void sched_update_ready(struct cpu_block *b, u64 now)
{
	struct sched_vcpu *s = &b->sched;
	struct sched_host *h = sched_host_of(b);
	bool ready = s->started && !s->stopped && !s->halted;

	if (ready && !is_ready(b))
		s->ready_since = now;
	share_set_ready(&h->queue, &s->member, ready);
}

static void wake(struct cpu_block *b, u64 now)
{
	struct sched_vcpu *s = &b->sched;

	s->woken = true;
	if (!s->halted)
		return;
	s->halted = false;
	s->was_woken = true;
	s->wakes++;
	sched_update_ready(b, now);
}

void sched_wake(struct vcpu *v)
{
	struct cpu_block *b = block_of_vcpu(v);
	struct sched_host *h = sched_host_of(b);

	lock_take(&h->lock);
	wake(b, rdtsc());
	lock_release(&h->lock);
	sched_tell(b->stack.cpu.host);
}

void sched_timer(struct vcpu *v, u64 tsc)
{
	struct cpu_block *b = block_of_vcpu(v);
	struct sched_host *h = sched_host_of(b);
	bool sooner;

	lock_take(&h->lock);
	sooner = tsc < h->armed;
	b->sched.deadline = tsc;
	lock_release(&h->lock);
	if (sooner)
		sched_tell(b->stack.cpu.host);
}

/* --- what comes to the machine --- */

static void look(struct cpu *host)
{
	if (sched_is_shared(host))
		__atomic_store_n(&host->look, 1, __ATOMIC_SEQ_CST);
}

bool sched_note_interrupt(u8 vector)
{
	struct cpu *host = this_cpu()->host;
	struct vcpu *owner = cpu_vcpu(host);
	bool is_interrupt = owner != NULL && vcpu_note_interrupt(owner, vector);

	if (is_interrupt)
		look(host);
	return is_interrupt;
}

/* In an NMI, on the stack of whichever block's TSS is loaded. */
bool sched_nmi_arrived(void)
{
	struct cpu *host = this_cpu()->host;
	struct vcpu *owner = cpu_vcpu(host);
	bool is_kick = remote_kick_arrived(&host->kicked);

	if (!is_kick && owner != NULL)
		owner->nmi_pending = true;
	look(host);
	return is_kick;
}

/* --- deciding --- */

/* What the owner would take, or do, if it ran. It takes locks of its own. */
static bool owner_wants(const struct cpu_block *host)
{
	struct vcpu *owner = cpu_vcpu(&host->stack.cpu);

	if (owner == NULL)
		return false;
	if (owner->nmi_pending || remote_waits(&owner->remote))
		return true;
	return host->stack.cpu.run == CPU_RUNS && vcpu_interrupt_waits(owner);
}

/* Who is ready by now. */
static void catch_up(struct cpu_block *host, bool wants, u64 now)
{
	if (wants || host->sched.deadline <= now) {
		host->sched.deadline = CLOCK_NEVER;
		wake(host, now);
	}
	for (struct cpu_block *b = host->host.others; b != NULL; b = b->sched.next) {
		if (b->sched.deadline <= now) {
			b->sched.deadline = CLOCK_NEVER;
			wake(b, now);
		} else if (b->sched.halted && remote_waits(&b->vcpu.remote)) {
			wake(b, now);
		}
	}
}

/* Whose turn it is; NULL: nobody's. What the owner has in service above Vellum's timer would let
 * the others run without an end; one that is over (remote_give_up()) is to see that. */
static struct cpu_block *choose(struct cpu_block *host, struct cpu_block *own, u64 now)
{
	struct sched_host *h = &host->host;
	struct share_member *next = share_pick(&h->queue);
	struct vcpu *owner = cpu_vcpu(&host->stack.cpu);

	if (next == NULL)
		return NULL;
	if (is_ready(host) && (owner == NULL || apic_delays_own_timer(owner)))
		return host;
	if (is_ready(own) && h->busy && now < h->slice_end &&
	    !share_preempts(&h->queue, next, &own->sched.member))
		return own;
	return block_of_member(next);
}

static void note_begin(struct cpu_block *b, u64 now)
{
	struct sched_vcpu *s = &b->sched;
	u64 waited = fair_ticks(s->ready_since, now);

	s->switches++;
	s->waited += waited;
	if (s->was_woken)
		s->latency_max = max_u64(s->latency_max, waited);
	s->was_woken = false;
}

/* `b` goes on, or nobody (NULL). */
static void set_current(struct sched_host *h, struct cpu_block *b, u64 now)
{
	struct cpu_block *before = h->current;

	if (b == NULL) {
		h->busy = false;
		return;
	}
	if (b != before || !h->busy || now >= h->slice_end)
		h->slice_end = now + h->queue.slice;
	if (b != before || !h->busy)
		note_begin(b, now);
	if (b != before && is_ready(before))
		before->sched.ready_since = now;
	h->busy = is_ready(b);
	h->current = b;
	b->sched.on_cpu = 1;
}

/* One decision: who goes on, with the host's lock in between. A block that is stopped has to be
 * left; then the owner waits, ready or not. */
static struct cpu_block *decide(struct cpu_block *own)
{
	struct cpu_block *host = host_block(), *next;
	struct sched_host *h = &host->host;
	bool wants = owner_wants(host);
	u64 now;

	lock_take(&h->lock);
	__atomic_store_n(&host->stack.cpu.look, 0, __ATOMIC_SEQ_CST);
	now = rdtsc();
	sched_charge(h, now);
	catch_up(host, wants, now);
	next = choose(host, own, now);
	if (next == NULL && own->sched.stopped && !sched_is_owner(own))
		next = host;
	set_current(h, next, now);
	lock_release(&h->lock);
	return next;
}

/* Whether this CPU looks at the uplink: it has guests that may be on the other side of the switch.
 */
static bool polls(const struct cpu_block *host)
{
	const struct vcpu *owner = cpu_vcpu(&host->stack.cpu);

	return host->host.nr_others != 0 ||
	       (owner != NULL && owner->cpu == 0 && owner->domain->nr_devices != 0);
}

/* When somebody has to look again; CLOCK_NEVER: nobody. Work that is due is about to be done. */
static u64 next_look(struct cpu_block *host)
{
	struct sched_host *h = &host->host;
	u64 now = rdtsc(), next = h->work_due > now ? h->work_due : CLOCK_NEVER;

	next = min_u64(next, host->sched.deadline);
	if (polls(host))
		next = min_u64(next, uplink_due());
	if (h->nr_others == 0)
		return next;
	next = min_u64(next, h->background_due);
	lock_take(&h->lock);
	next = min_u64(next, h->busy ? h->slice_end : now + FAR);
	for (const struct cpu_block *b = h->others; b != NULL; b = b->sched.next)
		next = min_u64(next, b->sched.deadline);
	lock_release(&h->lock);
	return next;
}

/* Vellum's timer for what comes next. Only a host itself can: it is its local APIC's. */
static void arm(struct cpu_block *host)
{
	struct sched_host *h = &host->host;
	struct vcpu *owner = cpu_vcpu(&host->stack.cpu);
	u64 next = next_look(host);

	if (owner == NULL) {
		h->armed = CLOCK_NEVER;
		return;
	}
	if (next == CLOCK_NEVER) {
		if (h->armed != CLOCK_NEVER)
			apic_end_own_timer(owner);
		h->armed = CLOCK_NEVER;
		return;
	}
	if (next == h->armed || (!h->busy && h->armed != CLOCK_NEVER && next > h->armed))
		return;
	h->armed = next;
	apic_set_own_timer(owner, next);
}

bool sched_tick(void)
{
	struct cpu_block *host = host_block();

	if (host->host.armed == CLOCK_NEVER)
		return false;
	host->host.armed = CLOCK_NEVER;
	__atomic_store_n(&host->stack.cpu.look, 1, __ATOMIC_RELAXED);
	return true;
}

void sched_timer_gone(void)
{
	host_block()->host.armed = CLOCK_NEVER;
}

/* --- the owner's work --- */

void sched_set_work(u64 tsc, void (*work)(struct vcpu *v))
{
	struct cpu_block *host = host_block();

	host->host.work = work;
	host->host.work_due = tsc;
	__atomic_store_n(&host->stack.cpu.look, 1, __ATOMIC_RELAXED);
}

void sched_work(struct vcpu *v)
{
	struct cpu_block *own = block_of_vcpu(v);

	if (!sched_is_owner(own) || own->host.work_due > rdtsc())
		return;
	own->host.work_due = CLOCK_NEVER;
	own->host.work(v);
	if (apic_can_own_timer(v))
		arm(own);
}

void sched_set_background(u64 tsc, void (*work)(void))
{
	struct cpu_block *host = host_block();

	host->host.background = work;
	host->host.background_due = tsc;
	__atomic_store_n(&host->stack.cpu.look, 1, __ATOMIC_RELAXED);
}

static void do_background(struct cpu_block *host)
{
	struct sched_host *h = &host->host;

	if (polls(host) && uplink_due() <= rdtsc())
		uplink_poll();
	if (h->nr_others == 0 || h->background_due > rdtsc())
		return;
	h->background_due = CLOCK_NEVER;
	h->background();
}

/* --- switching --- */

/* The one before is left for good: its stack, its tables and its root. */
static void release_previous(void)
{
	struct sched_host *h = &host_block()->host;

	if (h->previous != NULL) /* not gone: sched_go_to() */
		__atomic_store_n(&h->previous->sched.on_cpu, 0, __ATOMIC_RELEASE);
	h->previous = NULL;
}

static void switch_to(struct cpu_block *own, struct cpu_block *next)
{
	struct sched_host *h = sched_host_of(own);

	lock_check_none_held();
	remote_halt(&own->vcpu.remote);
	live_save(&own->sched.live);
	h->previous = own;
	switch_stacks(&own->sched.rsp, next->sched.rsp);
	live_load(own);
	release_previous();
}

static void idle(struct cpu_block *own)
{
	static const bool no_nmi;
	struct cpu *host = own->stack.cpu.host;
	const struct vcpu *owner = cpu_vcpu(host); /* NULL: it is over, see remote_give_up() */
	bool over = owner == NULL || block_of(host)->sched.stopped;

	lock_check_none_held();
	remote_halt(&own->vcpu.remote);
	halt_unless(&host->look, over ? &no_nmi : &owner->nmi_pending);
}

static struct cpu_block *next_after(struct cpu_block *own)
{
	struct cpu_block *next;

	do_background(host_block());
	next = decide(own);
	arm(host_block());
	return next;
}

static bool is_turn_of(const struct cpu_block *own, const struct cpu_block *next)
{
	return next == own && is_ready(own);
}

/* Another one runs, or nobody. */
static void give_way(struct cpu_block *own, struct cpu_block *next)
{
	if (next == NULL || next == own)
		idle(own);
	else
		switch_to(own, next);
}

static void wait_for_turn(struct cpu_block *own)
{
	struct cpu_block *next;

	while (next = next_after(own), !is_turn_of(own, next))
		give_way(own, next);
}

void sched_exit(struct vcpu *v)
{
	wait_for_turn(this_block());
	remote_wake(&v->remote);
	if (remote_waits(&v->remote))
		remote_serve(v);
	sched_work(v);
}

/* An owner that is alone again halts by itself (sleep() in cpu/emulate.c), where it sees all that
 * it waits for, and where it may be given up. */
static bool is_alone(const struct cpu_block *own)
{
	return sched_is_owner(own) && !sched_is_shared(&own->stack.cpu);
}

static void wait_until_woken(struct cpu_block *own)
{
	struct sched_host *h;
	struct cpu_block *next;

	while (next = next_after(own), !is_turn_of(own, next) && !is_alone(own))
		give_way(own, next);
	h = sched_host_of(own); /* another one than before, if the machine has changed hands */
	lock_take(&h->lock);
	own->sched.halted = false;
	sched_update_ready(own, rdtsc());
	lock_release(&h->lock);
}

void sched_halt(struct vcpu *v)
{
	struct cpu_block *own = this_block();
	struct sched_host *h = sched_host_of(own);
	bool woken;

	(void)v;
	lock_take(&h->lock);
	woken = own->sched.woken;
	own->sched.woken = false;
	if (!woken) {
		sched_charge(h, rdtsc());
		own->sched.halted = true;
		sched_update_ready(own, rdtsc());
	}
	lock_release(&h->lock);
	if (!woken)
		wait_until_woken(own);
}

/* Where a block goes on that never ran: its own stack, with Vellum's own root. */
static __attribute__((noreturn)) void first(void)
{
	struct cpu_block *own = this_block();

	live_load_first(own);
	release_previous();
	own->sched.begin();
	__builtin_unreachable();
}

/* What switch_stacks() finds below `end`, to begin with `function`. At the entry of a function RSP
 * is 8 off a multiple of 16. */
static u64 make_stack(u64 end, void (*function)(void))
{
	u64 *top = (u64 *)round_down(end, 16) - 1;

	*--top = (u64)function;
	for (u32 i = 0; i < FIRST_STACK_WORDS; i++)
		*--top = 0;
	return (u64)top;
}

/* Below the place of the guest's frame. */
void sched_make_stack(struct cpu_block *b)
{
	b->sched.rsp = make_stack(b->stack.cpu.stack_top - sizeof(struct trap_frame), first);
}

void sched_go_to(struct cpu_block *b, void (*function)(void))
{
	u64 left;

	lock_check_none_held();
	switch_stacks(&left, make_stack(b->sched.rsp, function));
	__builtin_unreachable();
}

void sched_go_on(void)
{
	u64 left;

	switch_stacks(&left, this_block()->sched.rsp);
	__builtin_unreachable();
}

/* --- ending --- */

void sched_end(struct vcpu *v)
{
	sched_stop_all(v->domain);
	for (;;)
		wait_for_turn(this_block());
}

void sched_shutdown(struct vcpu *v, u32 reason)
{
	domain_has_ended(v->domain, reason);
	sched_end(v);
}

void sched_yield(void)
{
	struct cpu_block *host = host_block();

	lock_take(&host->host.lock);
	host->host.slice_end = 0;
	lock_release(&host->host.lock);
	look(&host->stack.cpu);
}

bool sched_others_ready(void)
{
	struct cpu_block *host = host_block(), *own = this_block();
	bool ready;

	lock_take(&host->host.lock);
	ready = own != host && is_ready(host);
	for (const struct cpu_block *b = host->host.others; b != NULL; b = b->sched.next)
		ready |= b != own && is_ready(b);
	lock_release(&host->host.lock);
	return ready;
}
