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

/* Nothing of an earlier time is left, if need be by more calls. */
static bool tidy_vcpu(struct cpu_block *b, u64 tables)
{
	struct vcpu *v = &b->vcpu;

	if (b->left.tidy)
		return true;
	if (!shadow_destroy(&v->shadow, tables))
		return false;
	memset(v, 0, sizeof(*v));
	vcpu_init(v, domain_first(), b->stack.cpu.index);
	fast_init(v);
	v->call = guest_call;
	b->left.tidy = true;
	return true;
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

/* The lock is held. Whether prepare_block() is to do the rest, with a hold of its own (L2). */
static bool tidy_block(struct cpu_block *b, u64 tables)
{
	if (b->left.in_use && b->stack.cpu.run != CPU_LEFT)
		return false;
	if (b->left.in_use)
		b->left.in_use = b->left.tidy = false; /* its vcpu was over while it was parked */
	return tidy_vcpu(b, tables) &&
	       (!shadow_exists(&b->vcpu.shadow) || b->pool.spare > TABLES_KEPT);
}

static bool is_tidy(const struct cpu_block *b) /* it may have been taken meanwhile */
{
	return !b->left.in_use && b->left.tidy;
}

static void prepare_block(struct cpu_block *b, u64 tables)
{
	if (!lock_try(&lock))
		return;
	if (is_tidy(b) && !shadow_exists(&b->vcpu.shadow))
		prepare_shadow(b);
	lock_release(&lock);
	if (!lock_try(&lock))
		return;
	/* Each costs a debug build's audit as much as all of them a release. */
	if (is_tidy(b) && b->pool.spare > TABLES_KEPT)
		tables_give_back(&b->pool, is_debug_build() ? 1 : tables);
	lock_release(&lock);
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

static struct cpu_block *next_block(void)
{
	static u32 next;

	return block_of(cpu_by_index(next++ % cpu_count()));
}

void transition_tidy(u64 tables)
{
	struct cpu_block *own = this_block(), *other;
	bool more;

	own->left.rip = own->stack.cpu.frame->rip;
	own->left.rsp = own->stack.cpu.frame->rsp;
	if (!lock_try(&lock))
		return;
	renew_memory();
	other = next_block();
	more = tidy_block(own, tables);
	lock_release(&lock);
	if (more)
		prepare_block(own, tables);
	if (other == own || !lock_try(&lock))
		return;
	more = tidy_block(other, tables);
	lock_release(&lock);
	if (more)
		prepare_block(other, tables);
}

void transition_forget(void)
{
	lock_take(&lock);
	for (u32 i = 0; i < cpu_count(); i++)
		block_of(cpu_by_index(i))->left.tidy = false;
	lock_release(&lock);
}

void transition_take(struct cpu_block *own)
{
	lock_take(&lock);
	if (own->left.in_use) /* the same */
		own->left.tidy = false;
	own->left.in_use = true;
	own->stack.cpu.run = CPU_RUNS;
	lock_release(&lock);
	tidy_vcpu(own, NO_BUDGET);
}

void transition_give(struct cpu_block *own)
{
	lock_take(&lock);
	own->left.tidy = false;
	own->left.in_use = false;
	lock_release(&lock);
}
