// SPDX-License-Identifier: MIT
/*
 * Between two transitions: what the last one left is freed, a little with each
 * hypercall, and what the next one needs in any case is made, without which it
 * makes that itself.
 */
#include "transition/tidy.h"

#include "cpu/block.h"
#include "cpu/fast.h"
#include "domain/domain.h"
#include "domain/switches.h"
#include "hypercall/guest_call.h"
#include "lib/lock.h"
#include "lib/string.h"
#include "p2m/memory.h"
#include "shadow/tables.h"

/* Guards `left`, and with it the vcpu and its tables, of blocks whose `left` does not say in use.
 */
static struct lock lock = LOCK_INIT(LOCK_TRANSITION);

/* With several CPUs, another may change the guest's tables between a fill and its audit. */
int transition_make_shadow(struct cpu_block *b, struct failure *f)
{
	const struct shadow_config config = {
		.options = switches.shadow,
		.image_slot = b->stack.cpu.image_slot,
		.pool = &b->pool,
		.audited = cpu_count() == 1 && b->stack.cpu.host == &b->stack.cpu,
	};

	b->pool.limit = tables_share(block_count());
	return shadow_init(&b->vcpu.shadow, &config, f);
}

/* --- what there is to do, a little at a time --- */

static void clear_vcpu(struct cpu_block *b)
{
	struct vcpu *v = &b->vcpu;

	memset(v, 0, sizeof(*v));
	vcpu_init(v, domain_first(), b->stack.cpu.index);
	fast_init(v);
	v->call = guest_call;
	b->left.tidy = true;
}

/* Once after each devirtualization. */
static void renew_memory(void)
{
	static u64 renewed;
	u64 times = domain_first()->counters.devirtualized;

	if (renewed != times)
		p2m_memory_renew();
	renewed = times;
}

/* The call that will virtualize comes from much the same place as the last one that came. */
static void prepare_shadow(struct cpu_block *b)
{
	struct failure f;

	if (transition_make_shadow(b, &f) < 0)
		return;
	shadow_reserve(&b->vcpu.shadow, b->left.rip);
	shadow_reserve(&b->vcpu.shadow, b->left.rsp);
}

static void step_free(struct cpu_block *b, u64 tables)
{
	if (!b->left.tidy)
		shadow_destroy(&b->vcpu.shadow, tables);
}

static void step_clear(struct cpu_block *b, u64 tables)
{
	(void)tables;
	if (!b->left.tidy && !shadow_exists(&b->vcpu.shadow))
		clear_vcpu(b);
}

/* Some of those that a shadow begins with: clearing them is most of making it. */
static void step_reserve(struct cpu_block *b, u64 tables)
{
	if (b->left.tidy && !shadow_exists(&b->vcpu.shadow))
		tables_reserve(&b->pool, tables);
}

static void step_prepare(struct cpu_block *b, u64 tables)
{
	(void)tables;
	if (b->left.tidy && !shadow_exists(&b->vcpu.shadow))
		prepare_shadow(b);
}

/* Each costs a debug build's audit as much as all of them a release. */
static void step_give_back(struct cpu_block *b, u64 tables)
{
	if (b->left.tidy)
		tables_give_back(&b->pool, is_debug_build() ? 1 : tables);
}

typedef void step_fn(struct cpu_block *b, u64 tables);
static step_fn *const steps[] = {step_free,    step_free,    step_free,     step_clear,
				 step_reserve, step_prepare, step_give_back};

/* --- each with a hold of its own (L2), after which all may be otherwise --- */

/* The lock is held. Whether there is anything to do. */
static bool is_untidy(struct cpu_block *b)
{
	if (b->left.in_use && b->stack.cpu.run != CPU_LEFT)
		return false;
	if (b->left.in_use)
		b->left.in_use = b->left.tidy = false; /* its vcpu was over while it was parked */
	return !b->left.tidy || !shadow_exists(&b->vcpu.shadow) || b->pool.spare > TABLES_KEPT;
}

static void tidy_block(struct cpu_block *b, u64 tables)
{
	bool more = true;

	for (u32 i = 0; more && i < ARRAY_SIZE(steps) && lock_try(&lock); i++) {
		renew_memory();
		more = is_untidy(b);
		if (more)
			steps[i](b, tables);
		lock_release(&lock);
	}
}

static struct cpu_block *next_block(void)
{
	static u32 next;

	return block_of(cpu_by_index(__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % cpu_count()));
}

void transition_tidy(u64 tables)
{
	struct cpu_block *own = this_block(), *other = next_block();

	own->left.rip = own->stack.cpu.frame->rip;
	own->left.rsp = own->stack.cpu.frame->rsp;
	tidy_block(own, tables);
	if (other != own)
		tidy_block(other, tables);
}

void transition_take(struct cpu_block *own)
{
	lock_take(&lock);
	if (own->left.in_use) /* the same */
		own->left.tidy = false;
	own->left.in_use = true;
	own->stack.cpu.run = CPU_RUNS;
	lock_release(&lock);
	if (own->left.tidy)
		return;
	shadow_destroy(&own->vcpu.shadow, NO_BUDGET);
	clear_vcpu(own);
}

void transition_give(struct cpu_block *own)
{
	lock_take(&lock);
	own->left.tidy = false;
	own->left.in_use = false;
	lock_release(&lock);
}
