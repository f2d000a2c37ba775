// SPDX-License-Identifier: MIT
/*
 * Who has which frame, against a model with one line a frame: random gifts of
 * lists with good and bad pages, with and without memory for tables, takings
 * and ends of domains. After each, the p2ms say what the model says, what came
 * home is wiped, an error has changed nothing, and the audit agrees.
 */
/* shows: I9 I4 M3 */
#include "tests/unit/check.h"
#include "tests/unit/pages.h"

#include <setjmp.h>

#include "domain/contents.h"
#include "domain/events.h"
#include "domain/grant.h"
#include "domain/owner.h"
#include "lib/panic.h"
#include "mem/frames.h"
#include "p2m/mover.h"
#include "public/errno.h"

#define DOMAINS   3u
#define FIRST_PFN 0x100u
#define PAGES     96u /* of the first guest's RAM */
#define LATER_PFN 0x110u
#define LATER     48u /* of a later domain's */
#define ALIASED   (FIRST_PFN + 5)
#define INFO      (FIRST_PFN + 9)
#define NOBODY    0u
#define LIST      12u
#define BESIDE    (16 * GIB >> PAGE_SHIFT) /* the partition */

static struct domain first, later[DOMAINS];
static jmp_buf panicked;
static bool panic_is_good;
static u64 gifts, refusals;

/* By page of the first guest's: id of the domain that has it, and where; and what is in it. */
static struct {
	u32 domid;
	u64 pfn;
	u32 content;
} model[PAGES];
static u32 content[PAGES];

/* --- what owner.c finds --- */

void panic(const char *fmt, ...)
{
	if (panic_is_good)
		longjmp(panicked, 1);
	print_error("%s\n", fmt);
	abort();
}

void p2m_wipe(mfn_t mfn)
{
	assert_true(mfn.v >= FIRST_PFN && mfn.v < FIRST_PFN + PAGES);
	content[mfn.v - FIRST_PFN] = 0;
}

/* Nothing is shared here: see tests/unit/share.c. */
void contents_copy(mfn_t to, mfn_t from)
{
	(void)to;
	(void)from;
	abort();
}

struct domain *domain_first(void)
{
	return &first;
}

struct domain *domain_next(u64 domid)
{
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

/* The partition's frames: where some pages are beside. */
static u64 beside_left;

bool frame_alloc_run(u64 count, mfn_t *out)
{
	(void)count;
	(void)out;
	return false;
}

void frame_free(mfn_t mfn)
{
	assert_true(mfn.v >= BESIDE && mfn.v < BESIDE + LATER);
	beside_left++;
}

void domain_p2m_changed(struct domain *d)
{
	assert_ptr_equal(d, &first);
}

void domain_not_plain(struct domain *d, u64 pa)
{
	assert_ptr_equal(d, &first);
	assert_int_equal(p2m_lookup(&first.p2m, (pfn_t){pa >> PAGE_SHIFT}).v, P2M_NOTHING);
}

static u64 granted; /* a page of the first later domain's that another has mapped */

bool grant_is_in_use(const struct domain *owner, u64 pfn)
{
	return granted != 0 && owner == &later[0] && pfn == granted;
}

static u64 told; /* the same, with words of event channels */

bool events_use(const struct domain *owner, pfn_t pfn)
{
	return told != 0 && owner == &later[0] && pfn.v == told;
}

/* --- the model --- */

static void show(struct domain *d, u64 pfn, u64 count)
{
	d->memory.count = 1;
	d->memory.range[0] = (struct vl_memory_range){
		.start = pfn << PAGE_SHIFT, .size = count << PAGE_SHIFT, .type = VL_MEMORY_RAM};
}

static void start(void)
{
	pages_begin(1000);
	memset(&first, 0, sizeof(first));
	memset(later, 0, sizeof(later));
	memset(model, 0, sizeof(model));
	p2m_set_machine((struct range){16 * GIB, 17 * GIB}, (ma_t){16 * GIB});
	p2m_init(&first.p2m, &pages);
	show(&first, FIRST_PFN, PAGES);
	first.alias[2] = (struct alias){.va = 1, .size = PAGE_SIZE, .pa.v = ALIASED << PAGE_SHIFT};
	first.info[1].pa.v = (INFO << PAGE_SHIFT) + 64;
	first.info[1].at = (struct vl_vcpu_info *)&model;
	for (u32 i = 0; i < DOMAINS; i++) {
		later[i].domid = 1 + 3 * i;
		p2m_init_own(&later[i].p2m, &pages, (ma_t){(17 + i) * GIB});
		show(&later[i], LATER_PFN, LATER);
	}
	for (u32 i = 0; i < PAGES; i++)
		model[i].content = content[i] = i + 1;
}

static void stop(void)
{
	for (u32 i = 0; i < DOMAINS; i++)
		p2m_destroy(&later[i].p2m);
	p2m_destroy(&first.p2m);
	assert_int_equal(pages_used, 0);
}

static bool model_has(u32 domid, u64 pfn)
{
	for (u32 i = 0; i < PAGES; i++)
		if (model[i].domid == domid && model[i].pfn == pfn)
			return true;
	return false;
}

static void check_all(void)
{
	u64 given = 0;

	for (u32 i = 0; i < PAGES; i++) {
		u64 mfn = FIRST_PFN + i;
		struct p2m_owner to;

		assert_int_equal(content[i], model[i].content);
		assert_int_equal(p2m_is_given(&first.p2m, (pfn_t){mfn}, &to),
				 model[i].domid != NOBODY);
		if (model[i].domid == NOBODY) {
			assert_int_equal(p2m_lookup(&first.p2m, (pfn_t){mfn}).v, mfn);
			continue;
		}
		given++;
		assert_int_equal(to.domid, model[i].domid);
		assert_int_equal(to.pfn, model[i].pfn);
		assert_int_equal(p2m_lookup(&later[(to.domid - 1) / 3].p2m, (pfn_t){to.pfn}).v,
				 mfn);
	}
	assert_int_equal(first.p2m.given, given);
	for (u32 i = 0; i < DOMAINS; i++) {
		u64 frames = 0;

		for (u64 pfn = LATER_PFN; pfn < LATER_PFN + LATER; pfn++) {
			bool has = p2m_lookup(&later[i].p2m, (pfn_t){pfn}).v != P2M_NOTHING;

			assert_int_equal(has, model_has(later[i].domid, pfn));
			frames += has;
		}
		assert_int_equal(later[i].p2m.frames, frames);
	}
	owner_debug_audit(&first);
}

static int model_can_give(const u64 *list, u32 i)
{
	u64 page = list[i] - FIRST_PFN;

	if (page >= PAGES || model[page].domid != NOBODY)
		return -VL_EFAULT;
	for (u32 k = 0; k < i; k++)
		if (list[k] == list[i])
			return -VL_EFAULT;
	return list[i] == ALIASED || list[i] == INFO ? -VL_EBUSY : 0;
}

static int model_give(u32 domid, u64 pfn, const u64 *list, u32 count)
{
	if (pfn < LATER_PFN || pfn + count > LATER_PFN + LATER)
		return -VL_EFAULT;
	for (u32 i = 0; i < count; i++) {
		int err = model_can_give(list, i);

		if (err < 0)
			return err;
		if (model_has(domid, pfn + i))
			return -VL_EEXIST;
	}
	return 0;
}

static void give(struct rng *r, struct domain *to)
{
	u64 list[LIST], used = pages_used, left = pages_left;
	u32 count = 1 + rng_below(r, LIST - 1);
	u64 pfn = LATER_PFN - 2 + rng_below(r, LATER + 2);
	int want, err;

	for (u32 i = 0; i < count; i++)
		list[i] = FIRST_PFN + rng_below(r, rng_below(r, 60) == 0 ? PAGES + 3 : PAGES);
	if (rng_below(r, 100) == 0)
		list[0] = ~(u64)0 << rng_below(r, 60);
	want = model_give(to->domid, pfn, list, count);
	if (rng_below(r, 4) == 0)
		pages_left = rng_below(r, 8);
	err = owner_give(&first, to, pfn, list, count);
	pages_left = left + used - pages_used;
	assert_true(err == want || err == -VL_ENOMEM);
	gifts += err == 0;
	refusals += err < 0;
	if (err < 0)
		assert_int_equal(pages_used, used);
	for (u32 i = 0; err == 0 && i < count; i++) {
		model[list[i] - FIRST_PFN].domid = to->domid;
		model[list[i] - FIRST_PFN].pfn = pfn + i;
		model[list[i] - FIRST_PFN].content += 1000; /* the domain writes to it */
		content[list[i] - FIRST_PFN] += 1000;
	}
}

static void came_home(u32 domid, u64 pfn)
{
	for (u32 i = 0; i < PAGES; i++) {
		if (model[i].domid != domid || model[i].pfn != pfn)
			continue;
		model[i].domid = NOBODY;
		model[i].content = 0;
	}
}

static void take(struct rng *r, struct domain *from)
{
	u64 pfn = LATER_PFN - 1 + rng_below(r, LATER + 1), count = 1 + rng_below(r, 3);
	int want = 0;

	for (u64 i = 0; i < count; i++)
		if (!model_has(from->domid, pfn + i))
			want = -VL_EFAULT;
	assert_int_equal(owner_can_take(from, pfn, count), want);
	if (want < 0)
		return;
	owner_take(&first, from, pfn, count);
	for (u64 i = 0; i < count; i++)
		came_home(from->domid, pfn + i);
}

static void end(struct rng *r, struct domain *d)
{
	u64 budget = 1 + rng_below(r, 20), had = d->p2m.frames;

	assert_int_equal(owner_take_any(&first, d, budget), min_u64(budget, had));
	for (u64 pfn = LATER_PFN; budget > 0 && pfn < LATER_PFN + LATER; pfn++) {
		if (!model_has(d->domid, pfn))
			continue;
		came_home(d->domid, pfn);
		budget--;
	}
}

static void random_changes(void **state)
{
	struct rng r = {31};

	(void)state;
	for (u32 i = 0; i < random_cases(40); i++) {
		start();
		for (u32 k = 0; k < 200; k++) {
			struct domain *d = &later[rng_below(&r, DOMAINS)];
			u32 what = rng_below(&r, 10);

			if (what < 6)
				give(&r, d);
			else if (what < 9)
				take(&r, d);
			else
				end(&r, d);
			check_all();
		}
		for (u32 k = 0; k < DOMAINS; k++)
			owner_take_any(&first, &later[k], PAGES);
		assert_int_equal(pages_used, 0);
		assert_int_equal(first.p2m.given, 0);
		stop();
	}
	assert_true(gifts > 100 && refusals > 100);
}

/* Words that are shared with Vellum stay where they are, in a later domain, too. */
static void shared_pages_stay(void **state)
{
	u64 list[2] = {FIRST_PFN, FIRST_PFN + 1};

	(void)state;
	start();
	assert_int_equal(owner_give(&first, &later[0], LATER_PFN, list, 2), 0);
	later[0].info[0].pa.v = (u64)(LATER_PFN + 1) << PAGE_SHIFT;
	later[0].info[0].at = (struct vl_vcpu_info *)&model;
	assert_int_equal(owner_can_take(&later[0], LATER_PFN, 1), 0);
	assert_int_equal(owner_can_take(&later[0], LATER_PFN, 2), -VL_EBUSY);
	assert_int_equal(owner_can_take(&later[0], ~(u64)0 >> 24, 2), -VL_EFAULT);
	granted = LATER_PFN;
	assert_int_equal(owner_can_take(&later[0], LATER_PFN, 1), -VL_EBUSY);
	granted = 0;
	told = LATER_PFN;
	assert_int_equal(owner_can_take(&later[0], LATER_PFN, 1), -VL_EBUSY);
	told = 0;
	assert_int_equal(owner_can_take(&later[0], LATER_PFN, 1), 0);
	stop();
}

static bool audit_panics(void)
{
	panic_is_good = true;
	if (setjmp(panicked) == 0) {
		owner_debug_audit(&first);
		panic_is_good = false;
		return false;
	}
	panic_is_good = false;
	return true;
}

/* The audit can fail: a frame with two owners, one that is lost, one that was never given. */
static void audit_finds(void **state)
{
	u64 list[3] = {FIRST_PFN, FIRST_PFN + 1, FIRST_PFN + 2};

	(void)state;
	start();
	assert_int_equal(owner_give(&first, &later[0], LATER_PFN, list, 3), 0);
	assert_false(audit_panics());
	assert_int_equal(p2m_set(&later[1].p2m, (pfn_t){LATER_PFN}, (mfn_t){FIRST_PFN}, 12), 0);
	assert_true(audit_panics());
	p2m_clear(&later[1].p2m, (pfn_t){LATER_PFN});
	assert_false(audit_panics());
	p2m_clear(&later[0].p2m, (pfn_t){LATER_PFN});
	assert_true(audit_panics());
	assert_int_equal(p2m_set(&later[0].p2m, (pfn_t){LATER_PFN}, (mfn_t){FIRST_PFN}, 12), 0);
	assert_false(audit_panics());
	p2m_clear(&first.p2m, (pfn_t){FIRST_PFN + 1});
	assert_true(audit_panics());
	stop();
}

static u64 random_page(struct rng *r, const struct domain *d)
{
	u64 pfn;

	do
		pfn = LATER_PFN + rng_below(r, LATER);
	while (p2m_lookup(&d->p2m, (pfn_t){pfn}).v == P2M_NOTHING);
	return pfn;
}

/* Pages of two domains change frames among each other, and some are in the partition's: after
 * owner_relabel() the audit agrees, and each frame comes home. */
static void pages_change_frames(void **state)
{
	struct rng r = {33};
	u64 list[LIST];

	(void)state;
	for (u32 i = 0; i < random_cases(60); i++) {
		u64 beside = 0;

		start();
		beside_left = 0;
		for (u32 d = 0; d < 2; d++) {
			for (u32 k = 0; k < LIST; k++)
				list[k] = FIRST_PFN + 20 + d * LIST + k;
			assert_int_equal(
				owner_give(&first, &later[d], LATER_PFN + 2 * d, list, LIST), 0);
		}
		for (u32 k = 0; k < 40; k++) {
			struct domain *x = &later[rng_below(&r, 2)], *y = &later[rng_below(&r, 2)];
			u64 a = random_page(&r, x), b = random_page(&r, y);
			mfn_t was = p2m_lookup(&x->p2m, (pfn_t){a});

			if (x == y && a == b)
				continue;
			p2m_set(&x->p2m, (pfn_t){a}, p2m_lookup(&y->p2m, (pfn_t){b}), PAGE_SHIFT);
			p2m_set(&y->p2m, (pfn_t){b}, was, PAGE_SHIFT);
		}
		for (u32 k = 0; k < rng_below(&r, 8); k++) {
			u64 pfn = random_page(&r, &later[0]);

			if (p2m_lookup(&later[0].p2m, (pfn_t){pfn}).v >= BESIDE)
				continue;
			p2m_set(&later[0].p2m, (pfn_t){pfn}, (mfn_t){BESIDE + beside++},
				PAGE_SHIFT);
		}
		assert_true(audit_panics());
		owner_relabel(&first);
		assert_false(audit_panics());
		assert_int_equal(owner_take_any(&first, &later[0], LIST), LIST);
		assert_int_equal(owner_take_any(&first, &later[1], LIST), LIST);
		assert_int_equal(beside_left, beside);
		assert_int_equal(first.p2m.given, 0);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(shared_pages_stay),
		cmocka_unit_test(audit_finds),
		cmocka_unit_test(pages_change_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
