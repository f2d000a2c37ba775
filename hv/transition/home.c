// SPDX-License-Identifier: MIT
/*
 * The homecoming (transition/home.h). The guest runs between two pieces, and
 * nothing else changes its p2m meanwhile: there is no other domain, and it can
 * make none, take no page from itself and have none moved (test_move_page) as
 * long as its p2m is `own`. So the planner's state stays from one piece to the
 * next, and nothing need be held off while the guest runs: it is held off in a
 * piece, which is as short as a write-protected page's copy would be long.
 *
 *  1. move: the planner's moves
 *  2. wipe: frames of its RAM that it has no page in are cleared, which shows nothing of who had
 *           them before: in passthrough it finds them
 *  3. the p2m, which says nothing any more but that all are at home, becomes that of a guest that
 *     was booted, and devirtualize.c does not know the difference
 *  4. free: the tables of the p2m that it had
 *
 * A piece is made of steps of a few pages, until its time is over. What a step
 * takes is bounded by constants (but for what owners=search searches), and so is
 * the rest: the shadow is not dropped in it, but renewed, and the old one freed
 * in later pieces.
 */
#include "transition/home.h"

#include "cpu/apic.h"
#include "cpu/domain_platform.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "domain/domain.h"
#include "domain/remap.h"
#include "domain/switches.h"
#include "hypercall/buffer.h"
#include "lib/debug.h"
#include "lib/failpoint.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "p2m/memory.h"
#include "p2m/mover.h"
#include "public/errno.h"
#include "transition/steps.h"
#include "hypercall_handlers.h"

/* Of a piece, ticks of the TSC: by a call, which has nothing else to do; and while the guest runs,
 * which then runs so many times as long. */
#define TICKS_CALLED ((u64)500000)
#define TICKS_LIVE   ((u64)100000)
#define RESTS        4

/* After a failure, most of which are for want of memory: milliseconds. */
#define REST_FAILED 20u

/* Of a step. */
#define PAGES_MOVED  16u
#define PAGES_WIPED  16u
#define ENTRIES_READ 256u
#define TABLES_FREED 64u

/* Of the old shadow, in a piece that makes no step. */
#define TABLES_BURIED 96u

enum home_phase {
	HOME_BEGIN,
	HOME_MOVE,
	HOME_WIPE,
	HOME_FREE,
};

/* Of the one domain there is; whose turn it is has stopped all others. */
static struct {
	enum home_phase phase;
	struct domain_remap remap; /* HOME_MOVE */
	u64 cursor;                /* HOME_WIPE: page frame */
	struct p2m before;         /* HOME_FREE */
	bool rearranged;           /* in this piece: translations that the vcpu has are not good */
	struct vl_home_info info;
} home;

bool home_is_ahead(const struct domain *d)
{
	return (d->p2m.own && domain_owns_machine(d)) || home.phase == HOME_FREE;
}

/* --- steps --- */

static s64 begin(struct domain *d)
{
	int err = domain_remap_begin(
		&home.remap, d, (enum remap_mode)(home.info.how & VL_REMAP_MODE),
		(enum owners_kind)((home.info.how & VL_REMAP_OWNERS) >> VL_REMAP_OWNERS_SHIFT),
		true);

	if (err < 0)
		return err;
	home.phase = HOME_MOVE;
	home.info.phase = VL_HOME_MOVING;
	if (home.info.begun == 0)
		home.info.begun = rdtsc();
	return 0;
}

static void add_counts(void)
{
	const struct remap_counts *c = &home.remap.remap.counts;

	home.info.copied += c->copied;
	home.info.evacuated += c->evacuated;
	home.info.exchanged += c->exchanged;
}

/* What was moved stays so; the next piece begins anew. */
static void give_up(void)
{
	domain_remap_abort(&home.remap);
	add_counts();
	home.rearranged = true;
	home.phase = HOME_BEGIN;
}

static s64 move(const struct domain *d)
{
	/* A page takes some searches. */
	bool one = home.remap.remap.task.owners == OWNERS_SEARCH;
	s64 left = domain_remap_step(&home.remap, one ? 1 : PAGES_MOVED);

	home.rearranged = true;
	if (left < 0) {
		give_up();
		return left;
	}
	if (left == 0) {
		add_counts();
		home.phase = HOME_WIPE;
		home.info.phase = VL_HOME_CLEARING;
		home.cursor = d->main_ram.at[0].start >> PAGE_SHIFT;
		log_print("vellum: domain %u is at home: %lu pages copied, %lu moved aside, %lu "
			  "exchanged\n",
			  d->domid, home.info.copied, home.info.evacuated, home.info.exchanged);
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

	home.before = d->p2m;
	p2m_init(&d->p2m, &p2m_frames);
	frame_free(ma_to_mfn(nothing));
	domain_p2m_changed(d);
	home.rearranged = true;
	home.phase = HOME_FREE;
}

static void wipe(struct domain *d)
{
	u64 end = d->main_ram.at[0].end >> PAGE_SHIFT, pages = PAGES_WIPED;
	u32 entries = ENTRIES_READ;

	while (home.cursor < end && pages > 0 && entries > 0) {
		struct p2m_range run = p2m_run(&d->p2m, home.cursor, end, &entries);

		home.cursor = wipe_run(&run, &pages);
	}
	if (home.cursor == end)
		become_identity(d);
}

static void free_before(void)
{
	if (!p2m_destroy_some(&home.before, TABLES_FREED))
		return;
	home.phase = HOME_BEGIN;
	home.info.phase = VL_HOME_DONE;
}

static s64 step(struct domain *d)
{
	if (home.phase == HOME_MOVE)
		return move(d);
	if (home.phase == HOME_WIPE)
		wipe(d);
	else
		free_before();
	return 0;
}

/* --- a piece, of which what comes first can be made to fail --- */

static s64 make_still(struct vcpu *v)
{
	remote_begin_alone(v);
	remote_stop_domain(v, v->domain);
	return 0;
}

static void undo_still(struct vcpu *v)
{
	remote_start_domain(v, v->domain);
	remote_end_alone(v);
}

static s64 make_begin(struct vcpu *v)
{
	if (!home_is_ahead(v->domain))
		return -VL_EAGAIN; /* another CPU has just made the last step */
	return home.phase == HOME_BEGIN ? begin(v->domain) : 0;
}

static const struct transition_step steps[] = {
	{make_still, undo_still},
	{make_begin, NULL},
};

/* A failpoint beyond the steps is an allocation of the planner's. */
static u64 failing_allocation(void)
{
	u64 at = is_debug_build() ? failpoint_get() : 0;

	return at > ARRAY_SIZE(steps) + 1 ? at - ARRAY_SIZE(steps) - 1 : 0;
}

static s64 make_steps(struct domain *d, u64 end)
{
	s64 err;

	do
		err = step(d);
	while (err == 0 && home_is_ahead(d) && rdtsc() < end);
	return err;
}

/* All stand still. */
static s64 go_on(struct vcpu *v, u64 end, u64 failing)
{
	s64 err;

	if (!shadow_bury(&v->shadow, TABLES_BURIED))
		return 0;
	home.rearranged = false;
	frames_fail_at(failing);
	err = make_steps(v->domain, end);
	frames_fail_at(0);
	if (home.rearranged)
		vcpu_renew(v);
	return err;
}

static s64 make_piece(struct vcpu *v, u64 ticks)
{
	u64 failing = failing_allocation(), start = rdtsc(), took;
	s64 err = transition_prepare(v, steps, ARRAY_SIZE(steps));

	if (err == 0) {
		err = go_on(v, start + ticks, failing);
		undo_still(v);
	}
	took = rdtsc() - start;
	home.info.pieces++;
	home.info.failures += err < 0 && err != -VL_EAGAIN;
	home.info.total += took;
	home.info.longest = max_u64(home.info.longest, took);
	return err;
}

s64 home_come(struct vcpu *v)
{
	s64 err = make_piece(v, TICKS_CALLED);

	return err < 0 ? err : -VL_EAGAIN;
}

/* --- live: between two pieces the guest has the CPU for most of the time --- */

static void work(struct vcpu *v)
{
	u64 start = rdtsc(), end, rest;
	s64 err;

	if (!(home.info.how & VL_REMAP_LIVE) || !home_is_ahead(v->domain))
		return;
	err = make_piece(v, TICKS_LIVE);
	if (!home_is_ahead(v->domain)) {
		log_print("vellum: domain %u ran meanwhile: %lu pieces, the longest of %lu ticks\n",
			  v->domain->domid, home.info.pieces, home.info.longest);
		events_ask(v->domain, VL_ASKED_TO_TAKE);
		return;
	}
	end = rdtsc();
	rest = err < 0 ? (u64)domain_clocks_tsc_khz() * REST_FAILED : (end - start) * RESTS;
	sched_set_work(end + rest, work);
}

static void set_off(struct vcpu *v)
{
	if (home.info.how & VL_REMAP_LIVE)
		sched_set_work(rdtsc(), work);
	else if (!(home.info.how & VL_HOME_STOP))
		events_ask(v->domain, VL_ASKED_TO_TAKE);
}

/* --- how --- */

static u64 options_filled_in(u64 how)
{
	if ((how & VL_REMAP_MODE) == VL_REMAP_MODE)
		how = (how & ~(u64)VL_REMAP_MODE) | switches.remap;
	if ((how & VL_REMAP_OWNERS) == VL_REMAP_OWNERS)
		how = (how & ~(u64)VL_REMAP_OWNERS) | switches.owners << VL_REMAP_OWNERS_SHIFT;
	return how;
}

s64 home_check(const struct vcpu *v, const struct domain *d, u64 how)
{
	u64 filled = options_filled_in(how), owners = filled & VL_REMAP_OWNERS;

	if (filled & ~(u64)(VL_REMAP_MODE | VL_REMAP_OWNERS | VL_REMAP_LIVE | VL_HOME_STOP) ||
	    (filled & VL_REMAP_MODE) > REMAP_DIRECT || owners > VL_REMAP_SEARCH ||
	    ((filled & VL_REMAP_LIVE) && (filled & VL_HOME_STOP)))
		return -VL_EINVAL;
	if (!(filled & VL_REMAP_LIVE))
		return 0;
	if (owners == VL_REMAP_SEARCH && d->p2m.own && d->p2m.moved > VL_REMAP_SEARCH_PAGES)
		return -VL_E2BIG;
	return apic_can_own_timer(v) ? 0 : -VL_EOPNOTSUPP;
}

void home_begin(struct vcpu *v, u64 how)
{
	home.info = (struct vl_home_info){.how = (u32)options_filled_in(how),
					  .pages = v->domain->p2m.moved};
	if (home.phase == HOME_FREE)
		p2m_destroy(&home.before); /* of the owner before */
	home.phase = HOME_BEGIN;
	set_off(v);
}

/* Who finds the users of frames, and how pages move, is for the whole of a remap. */
static void change(struct vcpu *v, u64 how)
{
	const u32 of_remap = VL_REMAP_MODE | VL_REMAP_OWNERS;
	u32 filled = (u32)options_filled_in(how);

	if (((home.info.how ^ filled) & of_remap) && home.phase == HOME_MOVE) {
		give_up();
		vcpu_flush(v);
	}
	home.info.how = filled;
	set_off(v);
}

static s64 left(const struct domain *d)
{
	return home_is_ahead(d) ? (s64)max_u64(d->p2m.moved, 1) : 0;
}

s64 call_home(struct domain *d, u64 how, pa_t info, u64 info_size)
{
	struct vcpu *v = current_vcpu();
	struct vl_home_info out;
	u8 *buffer;
	s64 answer = buffer_find(d, info, info_size, sizeof(out), &buffer);

	if (answer == 0 && how != VL_HOME_KEEP)
		answer = v != NULL ? home_check(v, d, how) : -VL_EOPNOTSUPP;
	if (answer < 0)
		return answer;
	remote_begin_alone(v);
	if (how != VL_HOME_KEEP && home_is_ahead(d))
		change(v, how);
	out = home.info;
	answer = left(d);
	remote_end_alone(v);
	out.left = home_is_ahead(d) ? d->p2m.moved : 0;
	out.now = rdtsc();
	buffer = domain_buffer(d, info, sizeof(out)); /* its page may have moved */
	if (buffer == NULL)
		return -VL_EFAULT;
	memcpy(buffer, &out, sizeof(out));
	return answer;
}
