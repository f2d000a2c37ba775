// SPDX-License-Identifier: MIT
/*
 * The call about page sharing, and the work that it begins: Vellum looks at a
 * few pages at a time, as often as the rate says, between two switches, so that
 * no vcpu of the domains in question runs. What a piece takes is bounded by a
 * time, as those of a live remap are (transition/home.c), and a page more.
 */
#include "cpu/apic.h"
#include "cpu/domain_platform.h"
#include "cpu/sched.h"
#include "domain/share.h"
#include "domain/share_home.h"
#include "domain/share_scan.h"
#include "hypercall/buffer.h"
#include "hypercall/live_remap.h"
#include "hypercall/share.h"
#include "lib/debug.h"
#include "lib/failpoint.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

/* Of a piece: ticks of the TSC, and pages. */
#define TICKS_A_PIECE ((u64)100000)
#define PAGES_A_PIECE 16u

/* Whatever the rate, guests have the CPU for so many times as long. */
#define RESTS 4

/* Un-shared in one call: as much time as a piece of a homecoming that a call makes. */
#define PAGES_A_CALL ((u64)256)

/* Of the table of what was seen: some 21,000 pages. */
#define TABLE_FRAMES ((u64)128)
#define TABLE_SETS   ((TABLE_FRAMES << PAGE_SHIFT) / sizeof(struct share_set))

static struct {
	mfn_t table; /* 0: it is off */
	u32 rate;
	struct share_scan scan;
	u64 pieces, longest;
} sharing;

bool share_is_on(void)
{
	return sharing.table.v != 0 || share_pages() != 0;
}

static u64 look_at_some(u64 end)
{
	u64 pages = 0;

	do {
		if (!share_scan_next(&sharing.scan))
			break;
		pages++;
	} while (pages < PAGES_A_PIECE && rdtsc() < end);
	return pages;
}

/* For that nothing is to be shared: share_end_for(). */
static bool one_ends(void)
{
	const struct domain *d = domain_next(0);

	while (d != NULL && d->state != VL_STATE_DYING)
		d = domain_next(d->domid + 1);
	return d != NULL;
}

static void work(void)
{
	u64 start = rdtsc(), tsc_a_second = (u64)domain_clocks_tsc_khz() * 1000, pages = 0, took;

	if (!live_remap_is_on() && !one_ends())
		pages = look_at_some(start + TICKS_A_PIECE);
	sharing.pieces++;
	took = rdtsc() - start;
	sharing.longest = max_u64(sharing.longest, took);
	/* Without a page there may be none, or no domain. */
	if (pages == 0)
		pages = PAGES_A_PIECE;
	sched_set_background(
		start + max_u64(tsc_a_second * pages / sharing.rate, (RESTS + 1) * took), work);
}

/* --- on and off --- */

static s64 check_on(const struct vcpu *v)
{
	if (v == NULL || cpu_count() > 1 || !apic_can_own_timer(v))
		return -VL_EOPNOTSUPP;
	return live_remap_is_on() ? -VL_EBUSY : 0;
}

/* Which frames all later domains have. */
static bool write_down(void)
{
	bool good = true;

	for (struct domain *d = domain_next(1); good && d != NULL; d = domain_next(d->domid + 1))
		good = domain_owns_machine(d) || share_home_begin(d);
	return good;
}

static bool make_tables(void)
{
	bool made;

	if (is_debug_build()) {
		frames_fail_at(failpoint_get());
		failpoint_set(0);
	}
	made = write_down() && frame_alloc_run(TABLE_FRAMES, &sharing.table);
	frames_fail_at(0);
	if (!made)
		sharing.table.v = 0;
	return made;
}

static s64 turn_on(const struct vcpu *v, u32 rate)
{
	s64 err = check_on(v);

	if (err < 0)
		return err;
	if (sharing.table.v == 0) {
		if (!make_tables())
			return -VL_ENOMEM;
		share_init(vcpu_pages_changed);
		share_scan_begin(&sharing.scan, direct(mfn_to_ma(sharing.table)), TABLE_SETS);
	}
	sharing.rate = rate;
	sched_set_background(rdtsc(), work);
	return 0;
}

u64 share_off(void)
{
	if (sharing.table.v != 0) {
		sched_set_background(CLOCK_NEVER, work);
		for (u64 i = 0; i < TABLE_FRAMES; i++)
			frame_free((mfn_t){sharing.table.v + i});
		sharing.table.v = 0;
	}
	return share_end_some(PAGES_A_CALL);
}

bool share_begin_for(struct domain *d)
{
	return !share_is_on() || share_home_begin(d);
}

u64 share_end_for(const struct domain *d)
{
	return share_home_is_known(d) ? share_end_some(PAGES_A_CALL) : 0;
}

static void tell(struct vl_share_info *info)
{
	const struct share_scan *s = &sharing.scan;

	*info = (struct vl_share_info){
		.on = sharing.table.v != 0,
		.rate = sharing.table.v != 0 ? sharing.rate : 0,
		.pages = share_pages(),
		.kept = share_kept(),
		.looked = s->looked,
		.passes = s->passes,
		.merged = s->merged,
		.zero = s->zeros,
		.broken = share_broken(),
		.pieces = sharing.pieces,
		.longest = sharing.longest,
	};
	info->frames = info->pages - info->kept;
}

s64 call_share(struct domain *d, u64 how, u64 rate, pa_t info, u64 info_size)
{
	struct vl_share_info out;
	s64 answer = 0;
	u8 *buffer;

	if (how > VL_SHARE_OFF ||
	    (how == VL_SHARE_ON ? rate == 0 || rate > VL_SHARE_RATE_MOST : rate != 0))
		return -VL_EINVAL;
	answer = buffer_find(d, info, info_size, sizeof(out), &buffer);
	if (answer == 0 && how == VL_SHARE_ON)
		answer = turn_on(current_vcpu(), (u32)rate);
	if (answer < 0)
		return answer;
	if (how == VL_SHARE_OFF)
		answer = (s64)share_off();
	if (is_debug_build())
		share_debug_audit();
	tell(&out);
	memcpy(buffer, &out, sizeof(out));
	return answer;
}
