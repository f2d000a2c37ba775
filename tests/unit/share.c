// SPDX-License-Identifier: MIT
/*
 * Page sharing against a model that knows of no frames: domains read and write
 * their pages through translations that they remember until they are told, pages
 * are merged at random and by looking for equal ones, taken, given and un-shared.
 * Each page reads as what was written to it, each group has as many frames as
 * pages, the counts are right, and no memory is taken.
 */
/* shows: U8 M4 M13 */
#include "tests/unit/check.h"
#include "tests/unit/pages.h"

#include <setjmp.h>

#include "domain/contents.h"
#include "domain/events.h"
#include "domain/grant.h"
#include "domain/owner.h"
#include "domain/share.h"
#include "domain/share_scan.h"
#include "lib/panic.h"
#include "mem/frames.h"
#include "p2m/mover.h"
#include "public/errno.h"

#define DOMAINS   3u
#define PAGES     40u /* of a later domain */
#define FRAMES    (DOMAINS * PAGES + 10)
#define FIRST_PFN 0x100u
#define LATER_PFN 0x110u
#define CONTENTS  5u /* that pages have; 0 are zeros */
#define SETS      2u
#define OPS       1500u

static struct domain first, later[DOMAINS];
static u32 content[FRAMES];
static jmp_buf panicked;
static bool panic_is_good;

/* By page: whether the domain has it, and what is in it; and what a processor remembers of it. */
static struct {
	bool has;
	u32 content;
	u64 frame; /* 0: nothing */
	u64 home;  /* the frame that was given for it */
	bool writable;
} model[DOMAINS][PAGES];
static u64 homes[DOMAINS][PAGES]; /* as share_home_begin() has them */
static u64 pinned;                /* a page of the first of them */
static u64 broken;

/* --- what share.c and owner.c find --- */

void panic(const char *fmt, ...)
{
	if (panic_is_good)
		longjmp(panicked, 1);
	print_error("%s\n", fmt);
	abort();
}

static u32 *content_of(mfn_t mfn)
{
	assert_true(mfn.v >= FIRST_PFN && mfn.v < FIRST_PFN + FRAMES);
	return &content[mfn.v - FIRST_PFN];
}

void contents_copy(mfn_t to, mfn_t from)
{
	*content_of(to) = *content_of(from);
}

bool contents_equal(mfn_t a, mfn_t b)
{
	return *content_of(a) == *content_of(b);
}

/* Random ones that differ may have the same hash. */
static bool hashes_collide;

bool contents_zero(mfn_t mfn, u64 *hash)
{
	*hash = hashes_collide ? *content_of(mfn) / 2 : *content_of(mfn);
	return *content_of(mfn) == 0;
}

void p2m_wipe(mfn_t mfn)
{
	*content_of(mfn) = 0;
}

struct domain *domain_first(void)
{
	return &first;
}

struct domain *domain_next(u64 domid)
{
	if (domid == 0)
		return &first;
	for (u32 i = 0; i < DOMAINS; i++)
		if (later[i].domid >= domid)
			return &later[i];
	return NULL;
}

struct domain *domain_find(u64 domid, struct domain *self)
{
	struct domain *d = domain_next(domid);

	(void)self;
	return d != NULL && d->domid == domid ? d : NULL;
}

bool frame_alloc_run(u64 count, mfn_t *out)
{
	(void)count;
	(void)out;
	return false;
}

void frame_free(mfn_t mfn)
{
	stop_test("frame %lx was never the partition's", (unsigned long)mfn.v);
}

void domain_p2m_changed(struct domain *d)
{
	(void)d;
}

void domain_not_plain(struct domain *d, u64 pa)
{
	(void)d;
	(void)pa;
}

bool grant_is_in_use(const struct domain *owner, u64 pfn)
{
	return owner == &later[0] && pinned != 0 && pfn == pinned;
}

bool events_use(const struct domain *owner, pfn_t pfn)
{
	(void)owner;
	(void)pfn;
	return false;
}

static void changed(const struct domain *d)
{
	for (u32 p = 0; p < PAGES; p++)
		model[d - later][p].frame = 0;
}

/* --- the model --- */

static struct p2m *p2m_of(u32 d)
{
	return &later[d].p2m;
}

static mfn_t frame_of(u32 d, u32 p)
{
	return p2m_lookup(p2m_of(d), (pfn_t){LATER_PFN + p});
}

static bool is_shared(u32 d, u32 p)
{
	return p2m_is_shared(p2m_of(d), (pfn_t){LATER_PFN + p});
}

static void show(struct domain *d, u64 pfn, u64 count)
{
	d->memory.count = 1;
	d->memory.range[0] = (struct vl_memory_range){
		.start = pfn << PAGE_SHIFT, .size = count << PAGE_SHIFT, .type = VL_MEMORY_RAM};
}

static bool give(u32 d, u32 p)
{
	u64 list = 0;

	for (u32 i = 0; list == 0 && i < FRAMES; i++)
		if (p2m_lookup(&first.p2m, (pfn_t){FIRST_PFN + i}).v != P2M_NOTHING)
			list = FIRST_PFN + i;
	if (owner_give(&first, &later[d], LATER_PFN + p, &list, 1) < 0)
		return false;
	model[d][p].has = true;
	model[d][p].content = *content_of((mfn_t){list});
	model[d][p].frame = 0;
	model[d][p].home = list;
	return true;
}

static void start(void)
{
	pages_begin(1000);
	memset(&first, 0, sizeof(first));
	memset(later, 0, sizeof(later));
	memset(model, 0, sizeof(model));
	pinned = 0;
	p2m_set_machine((struct range){16 * GIB, 17 * GIB}, (ma_t){16 * GIB});
	p2m_init(&first.p2m, &pages);
	first.owns_machine = true;
	show(&first, FIRST_PFN, FRAMES);
	for (u32 i = 0; i < FRAMES; i++)
		content[i] = i % CONTENTS;
	for (u32 i = 0; i < DOMAINS; i++) {
		later[i].domid = 1 + 3 * i;
		p2m_init_own(&later[i].p2m, &pages, (ma_t){(17 + i) * GIB});
		show(&later[i], LATER_PFN, PAGES);
		later[i].main_ram.at[0] =
			(struct range){LATER_PFN << PAGE_SHIFT, (LATER_PFN + PAGES) << PAGE_SHIFT};
		later[i].home = homes[i];
		for (u32 p = 0; p < PAGES; p++)
			assert_true(give(i, p));
	}
	share_init(changed);
	broken = share_broken();
}

static void stop(void)
{
	for (u32 i = 0; i < DOMAINS; i++) {
		owner_take_any(&first, &later[i], PAGES);
		p2m_destroy(&later[i].p2m);
	}
	assert_int_equal(share_pages(), 0);
	assert_int_equal(share_kept(), 0);
	assert_int_equal(first.p2m.given, 0);
	p2m_destroy(&first.p2m);
	assert_int_equal(pages_used, 0);
}

static void read_page(u32 d, u32 p)
{
	if (!model[d][p].has)
		return;
	if (model[d][p].frame == 0) {
		model[d][p].frame = frame_of(d, p).v;
		model[d][p].writable = !is_shared(d, p);
	}
	assert_int_equal(*content_of((mfn_t){model[d][p].frame}), model[d][p].content);
}

static void write_page(u32 d, u32 p, u32 with)
{
	if (!model[d][p].has)
		return;
	if (model[d][p].frame == 0 || !model[d][p].writable) {
		broken += is_shared(d, p);
		share_break(&later[d], LATER_PFN + p);
		assert_false(is_shared(d, p));
		model[d][p].frame = frame_of(d, p).v;
		model[d][p].writable = true;
	}
	*content_of((mfn_t){model[d][p].frame}) = model[d][p].content = with;
}

/* How many pages of the model have the same frame as this one. */
static u32 users_of(u64 frame)
{
	u32 users = 0;

	for (u32 d = 0; d < DOMAINS; d++)
		for (u32 p = 0; p < PAGES; p++)
			users += model[d][p].has && frame_of(d, p).v == frame;
	return users;
}

static void check_all(void)
{
	u64 shared = 0, frames = 0, seen[DOMAINS * PAGES];

	for (u32 d = 0; d < DOMAINS; d++)
		for (u32 p = 0; p < PAGES; p++) {
			u64 frame = frame_of(d, p).v;
			bool is_new = true;

			assert_int_equal(model[d][p].has, frame != P2M_NOTHING);
			read_page(d, p);
			if (!model[d][p].has)
				continue;
			assert_true(is_shared(d, p) || users_of(frame) == 1);
			for (u64 i = 0; i < frames; i++)
				is_new &= seen[i] != frame;
			shared += is_shared(d, p);
			if (is_shared(d, p) && is_new)
				seen[frames++] = frame;
		}
	assert_int_equal(share_pages(), shared);
	assert_int_equal(share_kept(), shared - frames);
	assert_int_equal(share_broken(), broken);
	share_debug_audit();
	owner_debug_audit(&first);
}

/* --- operations --- */

static void merge(struct rng *r)
{
	u32 d = rng_below(r, DOMAINS), p = rng_below(r, PAGES);

	for (u32 to = 0; to < DOMAINS * PAGES; to++) {
		u32 e = to / PAGES, q = to % PAGES;

		if (!model[d][p].has || !model[e][q].has || frame_of(d, p).v == frame_of(e, q).v ||
		    model[d][p].content != model[e][q].content)
			continue;
		share_merge(&later[d], LATER_PFN + p, &later[e], LATER_PFN + q);
		assert_int_equal(frame_of(d, p).v, frame_of(e, q).v);
		return;
	}
}

static void take(u32 d, u32 p)
{
	if (!model[d][p].has)
		return;
	assert_int_equal(owner_can_take(&later[d], LATER_PFN + p, 1), 0);
	owner_take(&first, &later[d], LATER_PFN + p, 1);
	model[d][p].has = false;
	model[d][p].frame = 0;
}

/* What is at home then is the frame that was given for it, wherever its contents were meanwhile. */
static void take_own(u32 d, u32 p)
{
	bool has = model[d][p].has;
	u64 home = model[d][p].home;

	while (pinned == 0 && share_pages() != 0) {
		u64 before = share_pages();

		broken += before - share_end_some(20);
	}
	take(d, p);
	if (has && pinned == 0)
		assert_int_equal(p2m_lookup(&first.p2m, (pfn_t){home}).v, home);
}

static void end_some(struct rng *r)
{
	u64 before = share_pages(), most = 1 + rng_below(r, 20), left = share_end_some(most);

	assert_true(left <= before && before - left <= most);
	broken += before - left;
}

static void operate(struct rng *r, struct share_scan *scan)
{
	u32 d = rng_below(r, DOMAINS), p = rng_below(r, PAGES), what = rng_below(r, 100);

	if (what < 30)
		write_page(d, p, rng_below(r, CONTENTS));
	else if (what < 55)
		read_page(d, p);
	else if (what < 85)
		share_scan_next(scan);
	else if (what < 93)
		merge(r);
	else if (what < 94)
		take(d, p);
	else if (what < 95)
		take_own(d, p);
	else if (what < 98)
		give(d, p);
	else if (what < 99)
		end_some(r);
	else
		later[d].state = rng_below(r, 4) == 0 ? VL_STATE_DYING : VL_STATE_RUNNING;
}

static void random_operations(void **state)
{
	struct share_set sets[SETS];
	struct share_scan scan = {0};
	struct rng r = {71};
	u64 used;

	(void)state;
	for (u32 i = 0; i < random_cases(80); i++) {
		start();
		hashes_collide = i % 2 == 0;
		share_scan_begin(&scan, sets, SETS);
		used = pages_used;
		for (u32 k = 0; k < OPS; k++) {
			if (k == OPS / 2)
				pages_left = 0; /* nothing of this takes memory */
			operate(&r, &scan);
			if (k % 8 == 0)
				check_all();
			assert_true(pages_used <= used);
		}
		check_all();
		stop();
	}
	hashes_collide = false;
	assert_true(scan.merged > 1000 && scan.zeros > 100 && broken > 1000);
}

/* --- what looking for equal pages finds --- */

static void look_at_all(struct share_scan *s)
{
	while (share_scan_next(s))
		;
}

static void finds_all(void **state)
{
	struct share_set sets[SETS];
	struct share_scan scan = {0};
	u64 looked;

	(void)state;
	start();
	share_scan_begin(&scan, sets, SETS);
	look_at_all(&scan);
	assert_int_equal(scan.merged, scan.zeros);
	assert_int_equal(share_pages(), DOMAINS * PAGES / CONTENTS);
	assert_int_equal(share_kept(), DOMAINS * PAGES / CONTENTS - 1);
	looked = scan.looked;
	look_at_all(&scan);
	assert_int_equal(scan.looked, 2 * looked);
	assert_int_equal(scan.passes, 2);
	assert_int_equal(share_pages(), DOMAINS * PAGES);
	assert_int_equal(share_kept(), DOMAINS * PAGES - CONTENTS);
	check_all();
	while (share_end_some(7) != 0)
		;
	broken = share_broken();
	check_all();
	assert_int_equal(share_kept(), 0);
	stop();
}

/* Pages that Vellum or another domain points to, and those of a domain that is about to end. */
static void leaves_alone(void **state)
{
	struct share_set sets[SETS];
	struct share_scan scan = {0};

	(void)state;
	start();
	pinned = LATER_PFN;
	later[1].state = VL_STATE_DYING;
	share_scan_begin(&scan, sets, SETS);
	look_at_all(&scan);
	look_at_all(&scan);
	assert_int_equal(share_pages(), 2 * PAGES - 1);
	assert_false(is_shared(0, 0));
	assert_int_equal(p2m_of(1)->shared, 0);
	check_all();
	stop();
}

static bool audit_panics(void (*audit)(void))
{
	bool panics = true;

	panic_is_good = true;
	if (setjmp(panicked) == 0) {
		audit();
		panics = false;
	}
	panic_is_good = false;
	return panics;
}

static void audit_owners(void)
{
	owner_debug_audit(&first);
}

/* The audits can fail: a page that says it shares and is alone, one more in a group than frames. */
static void audits_find(void **state)
{
	mfn_t frame, other;

	(void)state;
	start();
	share_merge(&later[0], LATER_PFN + 5, &later[1], LATER_PFN);
	assert_false(audit_panics(share_debug_audit) || audit_panics(audit_owners));
	frame = frame_of(1, 0);
	other = frame_of(2, 9);
	p2m_share(p2m_of(2), (pfn_t){LATER_PFN + 9}, other);
	assert_true(audit_panics(audit_owners));
	p2m_share(p2m_of(2), (pfn_t){LATER_PFN + 9}, frame);
	assert_true(audit_panics(share_debug_audit));
	p2m_set(p2m_of(2), (pfn_t){LATER_PFN + 9}, other, PAGE_SHIFT);
	assert_false(audit_panics(share_debug_audit) || audit_panics(audit_owners));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(finds_all),
		cmocka_unit_test(leaves_alone),
		cmocka_unit_test(audits_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
