// SPDX-License-Identifier: MIT
/*
 * Remapping on the machine: the p2ms are those of the later domains, contents
 * are in the direct map, spare frames and tables come from the partition. Who
 * may be where is the ledger's M10 for a domain that is alone, and invariant M13
 * else: a place is open if it was given to some later domain.
 */
#include "domain/remap.h"

#include "lib/debug.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "p2m/memory.h"
#include "public/errno.h"

#define POISON 0xcc
#define PIECE  512 /* bytes on the stack */

/* memcpy() would look for a rest. */
static void copy(void *context, const ma_t *chain, u32 count)
{
	u8 *to = direct(*chain), *from;

	(void)context;
	for (const ma_t *end = chain + count; chain < end; to = from - PAGE_SIZE) {
		u64 words = PAGE_SIZE / sizeof(u64);

		from = direct(*++chain);
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	}
}

static void exchange(void *context, mfn_t a, mfn_t b)
{
	u8 *x = direct(mfn_to_ma(a)), *y = direct(mfn_to_ma(b)), piece[PIECE];

	(void)context;
	for (u64 at = 0; at < PAGE_SIZE; at += PIECE) {
		memcpy(piece, x + at, PIECE);
		memcpy(x + at, y + at, PIECE);
		memcpy(y + at, piece, PIECE);
	}
}

static bool spare(void *context, mfn_t *mfn)
{
	struct domain_remap *r = context;

	*mfn = r->kept;
	r->kept.v = 0;
	return mfn->v != 0 || frame_alloc_run(1, mfn);
}

static void release(struct domain_remap *r)
{
	if (r->kept.v != 0)
		frame_free(r->kept);
	r->kept.v = 0;
}

static void vacated(void *context, mfn_t mfn)
{
	struct domain_remap *r = context;

	if (p2m_is_partition((pa_t){mfn.v << PAGE_SHIFT})) {
		release(r);
		r->kept = mfn;
	} else if (is_debug_build()) { /* whoever still uses it is to notice */
		memset(direct(mfn_to_ma(mfn)), POISON, PAGE_SIZE);
	}
}

static enum remap_place place(void *context, mfn_t mfn)
{
	struct domain_remap *r = context;
	struct range page = {mfn.v << PAGE_SHIFT, (mfn.v + 1) << PAGE_SHIFT};
	u64 row;

	if (!memmap_is_ram(&r->domain->memory, page) || p2m_is_partition((pa_t){page.start}))
		return REMAP_NO_RAM;
	if (r->alone)
		return REMAP_OPEN;
	row = p2m_given_row(&domain_first()->p2m, (pfn_t){mfn.v});
	/* The next ones are likely to be asked for next. */
	r->remap.task.open = (struct range){page.start, page.start + (row << PAGE_SHIFT)};
	if (!range_contains(r->domain->main_ram.at[0], r->remap.task.open))
		r->remap.task.open = (struct range){0, 0};
	return row != 0 ? REMAP_OPEN : REMAP_TAKEN;
}

static const struct remap_ops ops = {
	.copy = copy, .exchange = exchange, .spare = spare, .vacated = vacated, .place = place};

/* The domain, and those whose pages may be in its way. */
static int find_spaces(struct domain_remap *r, struct remap_task *task)
{
	for (struct domain *d = domain_next(r->alone ? r->domain->domid : 1);
	     d != NULL && !(r->alone && d != r->domain); d = domain_next(d->domid + 1)) {
		if (task->nr_spaces == REMAP_OTHERS)
			return -VL_E2BIG;
		if (d == r->domain)
			task->of = task->nr_spaces;
		r->space[task->nr_spaces++] = (struct owners_space){d->domid, &d->p2m};
	}
	return 0;
}

/* What is mapped is mapped by frame; and frames that are kept for shared pages are used by nobody
 * that a remap would see. */
bool domain_somebody_shares(void)
{
	for (const struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1))
		if (d->maps != NULL || d->p2m.shared != 0)
			return true;
	return false;
}

int domain_remap_begin(struct domain_remap *r, struct domain *d, enum remap_mode mode,
		       enum owners_kind owners, bool alone)
{
	struct remap_task task = {.ops = &ops,
				  .context = r,
				  .space = r->space,
				  .mode = mode,
				  .owners = owners,
				  .memory = &p2m_frames};
	int err;

	assert((d->layers & VL_LAYER_MEMORY) && d->p2m.own);
	r->domain = d;
	r->alone = alone;
	r->kept.v = 0;
	err = find_spaces(r, &task);
	if (err == 0 && domain_somebody_shares())
		err = -VL_EBUSY;
	if (err < 0)
		return err;
	if (alone)
		task.open = d->main_ram.at[0];
	remap_begin(&r->remap, &task);
	return 0;
}

static void find_again(const struct domain_remap *r)
{
	for (u32 i = 0; i < r->remap.task.nr_spaces; i++)
		domain_p2m_changed(domain_find(r->space[i].domid, NULL));
}

s64 domain_remap_step(struct domain_remap *r, u64 pages)
{
	s64 left = remap_step(&r->remap, pages);

	if (left == 0)
		release(r);
	find_again(r);
	return left;
}

void domain_remap_abort(struct domain_remap *r)
{
	remap_abort(&r->remap);
	release(r);
	find_again(r);
}
