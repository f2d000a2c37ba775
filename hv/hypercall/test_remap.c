// SPDX-License-Identifier: MIT
/*
 * Calls of debug builds around remapping: a later domain's memory is scattered,
 * and brought home beside the first guest, which has its own memory all the
 * while. So what the take-over of the machine does is tested without it.
 */
#include "cpu/remote.h"
#include "domain/owner.h"
#include "domain/remap.h"
#include "domain/scatter.h"
#include "hypercall/buffer.h"
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
	if (answer == 0 && domain_somebody_shares())
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

static s64 remap(struct domain *d, u64 how, u64 slice, struct vl_remap_counts *counts)
{
	struct domain_remap r;
	u64 start;
	s64 err = domain_remap_begin(&r, d, (enum remap_mode)(how & VL_REMAP_MODE),
				     (enum owners_kind)(how >> VL_REMAP_OWNERS_SHIFT), false);

	if (err < 0)
		return err;
	frames_fail_at(failpoint_get());
	failpoint_set(0);
	start = rdtsc();
	err = remap_until(&r, slice & SLICE_PAGES, slice >> SLICE_STOP);
	counts->ticks = rdtsc() - start;
	frames_fail_at(0);
	counts->copied = r.remap.counts.copied;
	counts->evacuated = r.remap.counts.evacuated;
	counts->exchanged = r.remap.counts.exchanged;
	return err;
}

static s64 check_how(u64 how, u64 slice)
{
	bool good = (how & VL_REMAP_MODE) <= REMAP_DIRECT &&
		    how >> VL_REMAP_OWNERS_SHIFT < OWNERS_KINDS && (slice & SLICE_PAGES) != 0;

	return good ? 0 : -VL_EINVAL;
}

s64 call_test_remap(struct domain *d, u64 domid, u64 how, u64 slice, pa_t counts, u64 counts_size)
{
	struct vcpu *v = current_vcpu();
	struct vl_remap_counts out = {0};
	struct domain *found;
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
	answer = find_paused(v, domid, &found);
	if (answer == 0) {
		stop_all(v);
		answer = remap(found, how, slice, &out);
		go_on_all(v);
		memcpy(buffer, &out, sizeof(out));
	}
	remote_end_alone(v);
	return answer;
}
