// SPDX-License-Identifier: MIT
/*
 * The homecoming (transition/home.h). The guest runs between two calls, and
 * nothing else changes its p2m meanwhile: there is no other domain, and it can
 * make none, take no page from itself and have none moved (test_move_page) as
 * long as its p2m is `own`. So the planner's state stays from one call to the next.
 *
 *  1. move: the planner's moves, up to so many pages a call
 *  2. wipe: frames of its RAM that it has no page in are cleared, which shows nothing of who had
 *           them before: in passthrough it finds them
 *  3. the p2m, which says nothing any more but that all are at home, becomes that of a guest that
 *     was booted, and devirtualize.c does not know the difference
 */
#include "transition/home.h"

#include "cpu/remote.h"
#include "domain/domain.h"
#include "domain/remap.h"
#include "domain/switches.h"
#include "lib/debug.h"
#include "lib/failpoint.h"
#include "lib/log.h"
#include "mem/frames.h"
#include "p2m/memory.h"
#include "p2m/mover.h"
#include "public/errno.h"
#include "transition/steps.h"

/* In one call: some 700,000 instructions. */
#define PAGES_A_CALL   ((u64)1024)
#define ENTRIES_A_CALL 4096

enum home_phase {
	HOME_BEGIN,
	HOME_MOVE,
	HOME_WIPE,
};

/* Of the one domain there is; whose turn it is has stopped all others. */
static struct {
	enum home_phase phase;
	struct domain_remap remap; /* HOME_MOVE */
	u64 cursor;                /* HOME_WIPE: page frame */
} home;

static s64 begin(struct domain *d)
{
	int err = domain_remap_begin(&home.remap, d, (enum remap_mode)switches.remap, true);

	if (err == 0)
		home.phase = HOME_MOVE;
	return err;
}

/* What was moved stays so; the next call begins anew. */
static s64 give_up(s64 err)
{
	domain_remap_abort(&home.remap);
	home.phase = HOME_BEGIN;
	return err;
}

static s64 move(const struct domain *d)
{
	s64 left = domain_remap_step(&home.remap, PAGES_A_CALL);
	const struct remap_counts *c = &home.remap.remap.counts;

	if (left < 0)
		return give_up(left);
	if (left == 0) {
		home.phase = HOME_WIPE;
		home.cursor = d->main_ram.at[0].start >> PAGE_SHIFT;
		log_print("vellum: domain %u is at home: %lu pages copied, %lu moved aside, %lu "
			  "exchanged\n",
			  d->domid, c->copied, c->evacuated, c->exchanged);
	}
	return 0;
}

/* Up to so many frames of the run; where to go on. */
static u64 wipe_run(const struct p2m_range *run, u64 *pages)
{
	u64 pfn = run->pfn, end = run->pfn + run->count;

	if (run->mfn != P2M_NOTHING)
		return end;
	for (; pfn<end && * pages> 0; pfn++, --*pages)
		p2m_wipe((mfn_t){pfn});
	return pfn;
}

static void become_identity(struct domain *d)
{
	ma_t nothing = d->p2m.nothing;

	p2m_destroy(&d->p2m);
	frame_free(ma_to_mfn(nothing));
	p2m_init(&d->p2m, &p2m_frames);
	domain_p2m_changed(d);
	home.phase = HOME_BEGIN;
}

static void wipe(struct domain *d)
{
	u64 end = d->main_ram.at[0].end >> PAGE_SHIFT, pages = PAGES_A_CALL;
	u32 steps = ENTRIES_A_CALL;

	while (home.cursor < end && pages > 0 && steps > 0) {
		struct p2m_range run = p2m_run(&d->p2m, home.cursor, end, &steps);

		home.cursor = wipe_run(&run, &pages);
	}
	if (home.cursor == end)
		become_identity(d);
}

/* --- its steps, each of which can be made to fail --- */

static s64 make_still(struct vcpu *v)
{
	remote_stop_others(v);
	return 0;
}

static s64 make_begin(struct vcpu *v)
{
	if (!v->domain->p2m.own)
		return -VL_EAGAIN; /* another CPU has just made the last step */
	return home.phase == HOME_BEGIN ? begin(v->domain) : 0;
}

static const struct transition_step steps[] = {
	{make_still, remote_start_others},
	{make_begin, NULL},
};

static s64 go_on(struct domain *d)
{
	if (home.phase == HOME_MOVE)
		return move(d);
	wipe(d);
	return 0;
}

/* A failpoint beyond the steps is an allocation of the planner's. */
static u64 failing_allocation(void)
{
	u64 at = is_debug_build() ? failpoint_get() : 0;

	return at > ARRAY_SIZE(steps) + 1 ? at - ARRAY_SIZE(steps) - 1 : 0;
}

s64 home_come(struct vcpu *v)
{
	u64 failing = failing_allocation();
	s64 err = transition_prepare(v, steps, ARRAY_SIZE(steps));

	if (err < 0)
		return err;
	frames_fail_at(failing);
	err = go_on(v->domain);
	frames_fail_at(0);
	remote_start_others(v);
	return err < 0 ? err : -VL_EAGAIN;
}
