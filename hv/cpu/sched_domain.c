// SPDX-License-Identifier: MIT
/*
 * The vcpus of later domains: made, started, stopped, given back, and what
 * they got (cpu/sched.h). Any CPU of the first guest's does that to the vcpus of
 * any host, under that one's lock.
 */
#include "cpu/sched.h"

#include "cpu/apic.h"
#include "cpu/domain_platform.h"
#include "cpu/live.h"
#include "cpu/remote.h"
#include "cpu/sched_host.h"
#include "irq/clock.h"
#include "lib/lock.h"
#include "lib/panic.h"
#include "mem/frames.h"
#include "public/errno.h"

/* --- making and ending --- */

/* Whether a CPU can be shared: Vellum needs all that comes by its interrupts, and its timer. */
static bool is_host(const struct cpu *cpu)
{
	return cpu->vcpu != NULL && cpu->run == CPU_RUNS && apic_can_own_timer(cpu->vcpu);
}

#define SIBLING_LOAD (1u << 24) /* more than there can be vcpus */

/* How many vcpus a CPU has, and of this domain; the second decides. */
static u32 load_of(const struct cpu *host, const struct domain *d)
{
	u32 load = block_of((struct cpu *)(u64)host)->host.nr_others;

	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (d->block[i] != NULL && d->block[i]->stack.cpu.host == host)
			load += SIBLING_LOAD;
	return load;
}

static struct cpu *choose_host(const struct domain *d)
{
	const u32 needed = VL_LAYER_CPU | VL_LAYER_MEMORY | VL_LAYER_INTERRUPTS;
	struct cpu *best = NULL;

	if ((domain_first()->layers & needed) != needed)
		return NULL;
	for (u32 i = 0; i < cpu_count(); i++) {
		struct cpu *cpu = cpu_by_index(i);

		if (is_host(cpu) && (best == NULL || load_of(cpu, d) < load_of(best, d)))
			best = cpu;
	}
	return best;
}

#define MIN_SLICE ((u64)1 << 18) /* TSC ticks: a hundred times what a switch costs */

/* The owner's own state needs room only while there are others. One CPU at a time makes and ends
 * vcpus. */
static void free_unshared(struct cpu *host)
{
	if (!sched_is_shared(host))
		live_free(&block_of(host)->sched.live);
}

static struct cpu_block *make_block(struct cpu *host)
{
	struct cpu_block *b = NULL;

	if (live_alloc(&block_of(host)->sched.live))
		b = block_alloc(host);
	if (b != NULL && live_alloc(&b->sched.live))
		return b;
	if (b != NULL)
		block_free(b);
	free_unshared(host);
	return NULL;
}

void sched_charge(struct sched_host *h, u64 now)
{
	u64 ticks = fair_ticks(h->since, now);

	if (h->nr_others == 0)
		h->current->sched.member.entity.ran += ticks; /* at nobody's cost */
	else if (h->busy)
		share_charge(&h->queue, &h->current->sched.member, ticks);
	h->since = now;
}

/* What the owner ran while it was alone takes nothing of its share. */
static void begin_sharing(struct sched_host *h, struct share *owner)
{
	h->queue.slice = max_u64((u64)domain_clocks_tsc_khz() * SCHED_SLICE_MS, MIN_SLICE);
	h->queue.credit = h->queue.slice / 2;
	sched_charge(h, rdtsc());
	h->slice_end = h->since + h->queue.slice;
	fair_set_weight(&h->queue, &owner->entity, domain_first()->weight);
}

/* The share that a domain has of a host; NULL: it has no vcpu there. Siblings end before the first
 * of them, which has it. */
static struct share *share_of(const struct domain *d, const struct cpu *host)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (d->block[i] != NULL && d->block[i]->stack.cpu.host == host)
			return d->block[i]->sched.member.share;
	return NULL;
}

static void join(struct cpu_block *b, const struct domain *d)
{
	struct share *share = share_of(d, b->stack.cpu.host);
	struct sched_host *h = sched_host_of(b);

	b->sched.stopped = true;
	b->sched.deadline = CLOCK_NEVER;
	lock_take(&h->lock);
	if (h->nr_others == 0)
		begin_sharing(h, &block_of(b->stack.cpu.host)->sched.share);
	if (share == NULL) {
		share = &b->sched.share;
		share_begin(&h->queue, share, d->weight);
	}
	share_add(share, &b->sched.member);
	b->sched.next = h->others;
	h->others = b;
	h->nr_others++;
	lock_release(&h->lock);
	sched_tell(b->stack.cpu.host);
}

int vcpu_create(struct domain *d, u32 index)
{
	struct cpu *host = choose_host(d);
	struct cpu_block *b;

	if (host == NULL)
		return -VL_EOPNOTSUPP;
	b = make_block(host);
	if (b == NULL)
		return -VL_ENOMEM;
	join(b, d);
	d->block[index] = b;
	return 0;
}

struct cpu_block *vcpu_block(const struct domain *d, u32 index)
{
	return d->block[index];
}

static void part(struct cpu_block *b)
{
	struct sched_host *h = sched_host_of(b);
	struct cpu_block **at = &h->others;

	lock_take(&h->lock);
	while (*at != NULL && *at != b)
		at = &(*at)->sched.next;
	if (*at != NULL) {
		*at = b->sched.next;
		sched_charge(h, rdtsc());
		h->nr_others--;
		share_remove(&h->queue, &b->sched.member);
	}
	lock_release(&h->lock);
	sched_tell(b->stack.cpu.host);
}

/* A shadow can be large: up to `tables` of it. True: what is left is little. */
static bool free_tables(struct cpu_block *b, u64 tables)
{
	bool all = shadow_destroy(&b->vcpu.shadow, tables);

	tables_give_back(&b->pool, tables);
	return all && b->pool.spare <= TABLES_KEPT;
}

void sched_leave_host(struct cpu_block *b)
{
	part(b);
	if (b->stack.cpu.host != this_cpu()->host)
		free_unshared(b->stack.cpu.host);
}

void sched_succeed(struct cpu_block *b)
{
	u64 ran = b->sched.member.entity.ran;

	block_succeed(b);
	b->sched.stopped = false;
	sched_init_host(b, !b->sched.halted);
	b->sched.member.entity.ran = ran;
}

void sched_free_block(struct cpu_block *b)
{
	struct vcpu *v = &b->vcpu;

	free_tables(b, NO_BUDGET);
	if (v->stack16.v != 0)
		frame_free(ma_to_mfn(v->stack16));
	live_free(&b->sched.live);
	block_free(b);
}

u64 vcpu_destroy(struct domain *d, u32 index, u64 tables)
{
	struct cpu_block *b = d->block[index];
	struct vcpu *v;

	if (b == NULL)
		return 0;
	assert(b->sched.stopped && !b->sched.on_cpu && b != this_block());
	v = &b->vcpu;
	if (remote_vcpu(d, index) == v) {
		remote_leave(v);
		vcpu_count(v, &d->counters);
	}
	if (!free_tables(b, tables))
		return b->pool.used + b->pool.spare;
	part(b);
	free_unshared(b->stack.cpu.host);
	d->block[index] = NULL;
	sched_free_block(b);
	return 0;
}

void vcpu_started(struct cpu_block *b, void (*begin)(void))
{
	struct sched_host *h = sched_host_of(b);

	b->sched.begin = begin;
	sched_make_stack(b);
	lock_take(&h->lock);
	b->sched.started = true;
	sched_update_ready(b, rdtsc());
	lock_release(&h->lock);
	sched_tell(b->stack.cpu.host);
}

/* --- stopping --- */

static void set_stopped(struct cpu_block *b, bool stopped)
{
	struct sched_host *h = sched_host_of(b);

	lock_take(&h->lock);
	if (h->current == b)
		sched_charge(h, rdtsc());
	b->sched.stopped = stopped;
	sched_update_ready(b, rdtsc());
	lock_release(&h->lock);
	sched_tell(b->stack.cpu.host);
}

/* It may be in the middle of an exit; meanwhile others may wait for this vcpu, if the CPU has one.
 */
static void wait_until_left(struct cpu_block *b)
{
	struct vcpu *v = current_vcpu();
	u64 last = rdtsc();

	while (b != this_block() && __atomic_load_n(&b->sched.on_cpu, __ATOMIC_ACQUIRE)) {
		if (rdtsc() - last > KICK_AGAIN) {
			sched_tell(b->stack.cpu.host);
			last = rdtsc();
		}
		if (v != NULL && remote_waits(&v->remote))
			remote_serve(v);
		cpu_relax();
	}
}

void sched_stop(struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (d->block[i] != NULL)
			set_stopped(d->block[i], true);
	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (d->block[i] != NULL)
			wait_until_left(d->block[i]);
}

void sched_start(struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (d->block[i] != NULL)
			set_stopped(d->block[i], false);
}

/* The first domain's vcpus are those of the CPUs. */
static struct cpu_block *block_at(const struct domain *d, u32 index)
{
	const struct vcpu *v;

	if (!domain_owns_machine(d))
		return d->block[index];
	v = remote_vcpu(d, index);
	return v != NULL ? block_of_vcpu(v) : NULL;
}

void sched_stop_all(struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (block_at(d, i) != NULL)
			set_stopped(block_at(d, i), true);
}

void sched_set_weight(struct domain *d, u32 weight)
{
	d->weight = weight;
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		struct cpu_block *b = block_at(d, i);
		struct sched_host *h = b != NULL ? sched_host_of(b) : NULL;

		if (h == NULL)
			continue;
		lock_take(&h->lock);
		fair_set_weight(&h->queue, &b->sched.member.share->entity, weight);
		lock_release(&h->lock);
	}
}

/* The first domain's are those of the CPUs, in passthrough too. */
static struct cpu_block *known_block(const struct domain *d, u32 index)
{
	if (!domain_owns_machine(d))
		return d->block[index];
	return index < cpu_count() ? block_of(cpu_by_index(index)) : NULL;
}

/* Its host, locked, with all charged to it that it ran. */
static struct sched_host *begin_look(struct cpu_block *b)
{
	struct sched_host *h = sched_host_of(b);

	lock_take(&h->lock);
	if (h->current == b)
		sched_charge(h, rdtsc());
	return h;
}

static void add_info(struct cpu_block *b, struct vl_sched_info *out)
{
	struct sched_host *h = begin_look(b);
	struct sched_vcpu *s = &b->sched;

	out->run += s->member.entity.ran;
	out->waited += s->waited;
	out->switches += s->switches;
	out->wakes += s->wakes;
	out->latency_max = max_u64(out->latency_max, s->latency_max);
	lock_release(&h->lock);
}

void sched_info(const struct domain *d, struct vl_sched_info *out)
{
	*out = (struct vl_sched_info){.weight = d->weight};
	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		if (known_block(d, i) != NULL)
			add_info(known_block(d, i), out);
}

/* VL_VCPU_*. Who has the CPU may wait there for anybody to be ready. */
static u32 flags_of(const struct domain *d, struct cpu_block *b, bool is_current)
{
	const struct cpu *cpu = &b->stack.cpu;
	bool halted;

	if (d->mode == VL_MODE_PASSTHROUGH)
		return VL_VCPU_ONLINE | VL_VCPU_RUNNING;
	if (!b->sched.started ||
	    (domain_owns_machine(d) && (cpu_vcpu(cpu) == NULL || cpu->run != CPU_RUNS)))
		return 0;
	halted = is_current ? remote_is_halted(&b->vcpu.remote) : b->sched.halted;
	if (halted)
		return VL_VCPU_ONLINE | VL_VCPU_HALTED;
	return VL_VCPU_ONLINE | (is_current ? VL_VCPU_RUNNING : 0);
}

bool sched_vcpu_status(const struct domain *d, u64 index, struct vl_vcpu_status *out)
{
	struct cpu_block *b = index < VL_MAX_CPUS ? known_block(d, (u32)index) : NULL;
	struct sched_host *h;

	if (b == NULL)
		return false;
	h = begin_look(b);
	*out = (struct vl_vcpu_status){
		.cpu = b->stack.cpu.host->index,
		.flags = flags_of(d, b, h->current == b),
		.run = b->sched.member.entity.ran,
		.waited = b->sched.waited,
	};
	lock_release(&h->lock);
	return true;
}

u64 sched_tables_spare(struct cpu_block *host)
{
	u64 sum = 0;

	lock_take(&host->host.lock);
	for (const struct cpu_block *b = host->host.others; b != NULL; b = b->sched.next)
		sum += b->pool.spare;
	lock_release(&host->host.lock);
	return sum;
}
