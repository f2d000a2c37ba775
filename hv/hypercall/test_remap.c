// SPDX-License-Identifier: MIT
/*
 * Calls of debug builds around remapping: a later domain's memory is scattered,
 * and brought home beside the first guest, which has its own memory all the
 * while. So what the take-over of the machine does is tested without it. Live,
 * each call moves a few pages, and all domains run in between; nobody's frames
 * change hands until it is over.
 */
#include "cpu/remote.h"
#include "domain/owner.h"
#include "domain/remap.h"
#include "domain/scatter.h"
#include "hypercall/buffer.h"
#include "hypercall/live_remap.h"
#include "lib/debug.h"
#include "lib/failpoint.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mem/frames.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

#define MOST_BESIDE 4096

/* Of the argument `slice`. */
#define SLICE_PAGES 0xffffffff
#define SLICE_STOP  32

/* One that is live, from its first call to its end. Under remote_begin_alone(). */
static struct {
	struct domain *domain; /* NULL: there is none */
	u64 how;
	struct domain_remap remap;
} live;

bool live_remap_is_on(void)
{
	return is_debug_build() && live.domain != NULL;
}

/* All domains, since any might be in the way of another. */
static void stop_all(struct vcpu *v)
{
	for (const struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1))
		remote_stop_domain(v, d);
}

static void go_on_all(struct vcpu *v)
{
	owner_relabel(domain_first());
	owner_audit(domain_first());
	vcpu_flush(v);
	for (const struct domain *d = domain_next(0); d != NULL; d = domain_next(d->domid + 1))
		remote_start_domain(v, d);
}

void live_remap_end(struct vcpu *v)
{
	if (!live_remap_is_on())
		return;
	stop_all(v);
	domain_remap_abort(&live.remap);
	live.domain = NULL;
	go_on_all(v);
}

/* Alone: a later domain that does not run. */
static s64 find_paused(struct vcpu *v, u64 domid, struct domain **found)
{
	*found = domain_find(domid, v->domain);
	if (*found == NULL || domain_owns_machine(*found))
		return -VL_ENOENT;
	return (*found)->state == VL_STATE_PAUSED ? 0 : -VL_EBUSY;
}

s64 call_test_scatter(struct domain *d, u64 domid, u64 seed, u64 percent, u64 beside)
{
	struct vcpu *v = current_vcpu();
	struct domain *found;
	s64 answer;

	(void)d;
	if (!is_debug_build() || v == NULL)
		return -VL_EOPNOTSUPP;
	if (percent > 100 || beside > MOST_BESIDE)
		return -VL_EINVAL;
	remote_begin_alone(v);
	answer = find_paused(v, domid, &found);
	if (answer == 0 && (domain_somebody_shares() || live_remap_is_on()))
		answer = -VL_EBUSY;
	if (answer == 0) {
		stop_all(v);
		answer = domain_scatter(found, seed, percent, beside);
		go_on_all(v);
	}
	remote_end_alone(v);
	return answer;
}

static s64 remap_until(struct domain_remap *r, u64 slice, u64 stop)
{
	s64 left;

	do
		left = domain_remap_step(r, slice);
	while (left > 0 && --stop != 0);
	if (left != 0)
		domain_remap_abort(r);
	return left > 0 ? -VL_EIO : left;
}

static s64 begin(struct domain_remap *r, struct domain *d, u64 how)
{
	return domain_remap_begin(
		r, d, (enum remap_mode)(how & VL_REMAP_MODE),
		(enum owners_kind)((how & VL_REMAP_OWNERS) >> VL_REMAP_OWNERS_SHIFT), false);
}

static void tell(struct vl_remap_counts *counts, const struct domain_remap *r, u64 start)
{
	counts->ticks = rdtsc() - start;
	counts->copied = r->remap.counts.copied;
	counts->evacuated = r->remap.counts.evacuated;
	counts->exchanged = r->remap.counts.exchanged;
}

/* --- all of it in one call, or until it is stopped --- */

static s64 remap(struct domain *d, u64 how, u64 slice, struct vl_remap_counts *counts)
{
	struct domain_remap r;
	u64 start;
	s64 err = begin(&r, d, how);

	if (err < 0)
		return err;
	frames_fail_at(failpoint_get());
	failpoint_set(0);
	start = rdtsc();
	err = remap_until(&r, slice & SLICE_PAGES, slice >> SLICE_STOP);
	tell(counts, &r, start);
	frames_fail_at(0);
	return err;
}

static s64 remap_paused(struct vcpu *v, u64 domid, u64 how, u64 slice,
			struct vl_remap_counts *counts)
{
	struct domain *found;
	s64 answer = find_paused(v, domid, &found);

	if (answer == 0 && live_remap_is_on())
		answer = -VL_EBUSY;
	if (answer < 0)
		return answer;
	stop_all(v);
	answer = remap(found, how, slice, counts);
	go_on_all(v);
	return answer;
}

/* --- a piece a call, while the domains run in between --- */

static s64 make_piece(struct domain *d, u64 how, u64 pages)
{
	s64 left = live.domain == NULL ? begin(&live.remap, d, how) : 0;

	if (left < 0)
		return left;
	live.domain = d;
	live.how = how;
	left = domain_remap_step(&live.remap, pages);
	if (left < 0)
		domain_remap_abort(&live.remap);
	if (left <= 0)
		live.domain = NULL;
	return left;
}

static s64 remap_live(struct vcpu *v, u64 domid, u64 how, u64 pages, struct vl_remap_counts *counts)
{
	struct domain *d = domain_find(domid, v->domain);
	u64 start = rdtsc();
	s64 left;

	if (d == NULL || domain_owns_machine(d))
		return -VL_ENOENT;
	if (d->state > VL_STATE_PAUSED || (live.domain != NULL && live.domain != d))
		return -VL_EBUSY;
	if (how & VL_HOME_STOP) {
		live_remap_end(v);
		return (s64)d->p2m.moved;
	}
	if (live.domain != NULL && live.how != how)
		return -VL_EBUSY;
	stop_all(v);
	frames_fail_at(failpoint_get());
	failpoint_set(0);
	left = make_piece(d, how, pages);
	frames_fail_at(0);
	tell(counts, &live.remap, start);
	go_on_all(v);
	return left;
}

static s64 check_how(u64 how, u64 slice)
{
	const u64 bits = VL_REMAP_MODE | VL_REMAP_OWNERS | VL_REMAP_LIVE | VL_HOME_STOP;
	bool is_live = (how & VL_REMAP_LIVE) != 0;
	bool good = (how & ~bits) == 0 && (how & VL_REMAP_MODE) <= REMAP_DIRECT &&
		    (how & VL_REMAP_OWNERS) <= VL_REMAP_SEARCH && (slice & SLICE_PAGES) != 0 &&
		    (is_live ? slice >> SLICE_STOP == 0 : (how & VL_HOME_STOP) == 0);

	return good ? 0 : -VL_EINVAL;
}

s64 call_test_remap(struct domain *d, u64 domid, u64 how, u64 slice, pa_t counts, u64 counts_size)
{
	struct vcpu *v = current_vcpu();
	struct vl_remap_counts out = {0};
	u8 *buffer;
	s64 answer;

	if (!is_debug_build() || v == NULL)
		return -VL_EOPNOTSUPP;
	answer = check_how(how, slice);
	if (answer == 0)
		answer = buffer_find(d, counts, counts_size, sizeof(out), &buffer);
	if (answer < 0)
		return answer;
	remote_begin_alone(v);
	if (how & VL_REMAP_LIVE)
		answer = remap_live(v, domid, how, slice, &out);
	else
		answer = remap_paused(v, domid, how, slice, &out);
	buffer = domain_buffer(d, counts, counts_size); /* it is at home as long as it is alone */
	if (buffer != NULL)
		memcpy(buffer, &out, sizeof(out));
	remote_end_alone(v);
	return answer;
}
