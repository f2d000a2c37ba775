// SPDX-License-Identifier: MIT
/*
 * The CPUs: which there are, what belongs to each, and the ring of recent events
 * in each. In passthrough a CPU is the guest's, and Vellum knows those that the
 * guest has told of.
 */
#include "cpu/block.h"

#include "cpu/descriptors.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "cpu/segments.h"
#include "lib/debug.h"
#include "lib/lock.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/own_tables.h"
#include "public/errno.h"

union cpu_stack boot_cpu __attribute__((aligned(STACK_SIZE)));

static struct lock lock = LOCK_INIT(LOCK_CPUS); /* who adds one */
static struct cpu *cpus[VL_MAX_CPUS];
static u32 nr_cpus; /* grows once the one before it can be used */

/* By initial APIC id, where a hypercall in passthrough finds its stack; 0: not known. */
extern u64 cpu_stack_tops[NR_APIC_IDS + 1];
u64 cpu_stack_tops[NR_APIC_IDS + 1];

struct cpu *cpu_by_index(u32 index)
{
	return index < cpu_count() ? cpus[index] : NULL;
}

u32 cpu_count(void)
{
	return __atomic_load_n(&nr_cpus, __ATOMIC_ACQUIRE);
}

u32 own_apic_id(void)
{
	return cpuid(1, 0).ebx >> 24;
}

#define POISON 0xcc

#define BLOCK_FRAMES (round_up(sizeof(struct cpu_block), PAGE_SIZE) >> PAGE_SHIFT)

static u32 nr_others; /* blocks of later guests; atomic */

static void free_block(struct cpu_block *b)
{
	mfn_t mfn = ma_to_mfn((ma_t){(u64)b - DIRECT_BASE});

	/* Whoever still uses it is to notice. */
	if (is_debug_build())
		memset(b, POISON, sizeof(*b));
	for (u64 i = BLOCK_FRAMES; i-- > 0;)
		frame_free((mfn_t){mfn.v + i});
}

static struct cpu_block *alloc_block(void)
{
	struct cpu_block *b;
	mfn_t mfn;

	if (!frame_alloc_aligned(BLOCK_FRAMES, STACK_SIZE >> PAGE_SHIFT, &mfn))
		return NULL;
	b = direct(mfn_to_ma(mfn));
	memset(b, 0, sizeof(*b));
	if (own_window(mfn_to_ma(mfn), BLOCK_FRAMES << PAGE_SHIFT, &b->stack.cpu.image_slot))
		return b;
	free_block(b);
	return NULL;
}

static void fill_block(struct cpu_block *b, struct cpu *host)
{
	struct cpu *cpu = &b->stack.cpu;

	cpu->host = host;
	cpu->stack_top = (u64)cpu + STACK_SIZE;
	descriptors_fill(cpu);
	b->pool = (struct table_pool)TABLE_POOL_EMPTY;
	segments_init(b);
}

static void name_cpu(struct cpu *cpu, u32 index, u32 apic_id)
{
	cpu->index = index;
	cpu->apic_id = apic_id;
}

struct cpu_block *block_alloc(struct cpu *host)
{
	struct cpu_block *b = alloc_block();

	if (b == NULL)
		return NULL;
	fill_block(b, host);
	name_cpu(&b->stack.cpu, host->index, host->apic_id);
	__atomic_fetch_add(&nr_others, 1, __ATOMIC_RELAXED);
	return b;
}

static void end_block(struct cpu_block *b)
{
	tables_end(&b->pool);
	own_window_free(b->stack.cpu.image_slot);
	free_block(b);
}

void block_free(struct cpu_block *b)
{
	end_block(b);
	__atomic_fetch_sub(&nr_others, 1, __ATOMIC_RELAXED);
}

void block_succeed(struct cpu_block *b)
{
	struct cpu *before = b->stack.cpu.host, *cpu = &b->stack.cpu;

	cpu->host = cpu;
	cpu->hypercalls = before->hypercalls;
	b->left.in_use = true;
	cpus[cpu->index] = cpu;
	__atomic_store_n(&cpu_stack_tops[cpu->apic_id], cpu->stack_top, __ATOMIC_RELEASE);
}

u32 block_count(void)
{
	return cpu_count() + __atomic_load_n(&nr_others, __ATOMIC_RELAXED);
}

/* The lock is held. 1: it is not known, and there is room for it. */
static s64 look_for(u32 apic_id)
{
	if (cpu_stack_tops[apic_id] != 0)
		return 0;
	return nr_cpus == VL_MAX_CPUS ? -VL_ENOSPC : 1;
}

static s64 look(u32 apic_id)
{
	s64 answer;

	lock_take(&lock);
	answer = look_for(apic_id);
	lock_release(&lock);
	return answer;
}

/* 1: `cpu` is that one's from now on. */
static s64 publish(struct cpu *cpu, u32 apic_id)
{
	s64 answer;

	lock_take(&lock);
	answer = look_for(apic_id);
	if (answer == 1) {
		name_cpu(cpu, nr_cpus, apic_id);
		cpus[nr_cpus] = cpu;
		__atomic_store_n(&nr_cpus, nr_cpus + 1, __ATOMIC_RELEASE);
		__atomic_store_n(&cpu_stack_tops[apic_id], cpu->stack_top, __ATOMIC_RELEASE);
	}
	lock_release(&lock);
	return answer;
}

/* A block takes too long to make for the lock (L2); another CPU may be faster then. */
s64 cpu_add(u32 apic_id)
{
	s64 answer = look(apic_id);
	struct cpu_block *b;

	if (answer != 1)
		return answer;
	b = alloc_block();
	if (b == NULL)
		return -VL_ENOMEM;
	fill_block(b, &b->stack.cpu);
	sched_init(b);
	answer = publish(&b->stack.cpu, apic_id);
	if (answer != 1)
		end_block(b);
	return answer < 0 ? answer : 0;
}

u64 cpus_hypercalls(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < cpu_count(); i++)
		sum += cpus[i]->hypercalls;
	return sum;
}

void vcpus_count(const struct domain *d, struct vl_domain_counters *to)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		const struct vcpu *v = remote_vcpu(d, i);

		if (v != NULL)
			vcpu_count(v, to);
	}
}

u64 shadow_tables_used(const struct domain *d)
{
	u64 sum = 0;

	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		const struct vcpu *v = remote_vcpu(d, i);

		sum += v != NULL ? block_of_vcpu(v)->pool.used : 0;
	}
	return sum;
}

u64 shadow_tables_spare(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < cpu_count(); i++)
		sum += block_of(cpus[i])->pool.spare + sched_tables_spare(block_of(cpus[i]));
	return sum;
}

void event_note(enum event_kind kind, u64 a, u64 b)
{
	struct cpu *cpu = this_cpu();
	struct event *event = &cpu->event[cpu->next_event++ % NR_EVENTS];

	*event = (struct event){.tsc = rdtsc(), .kind = kind, .a = a, .b = b};
}
