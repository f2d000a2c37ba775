// SPDX-License-Identifier: MIT
/*
 * The p2m against a naive model, an array with one machine frame a page frame:
 * random changes of all three sizes, with and without memory for tables, read
 * back by translation, as ranges, and by the search for what is not at home.
 */
/* shows: M3 M4 M7 */
#include "tests/unit/check.h"
#include "tests/unit/pages.h"

#include "lib/panic.h"
#include "p2m/p2m.h"
#include "public/hypercall.h"

#define FRAMES    ((u64)4 << (30 - PAGE_SHIFT)) /* of the model: 4 GiB */
#define PARTITION ((struct range){0xb0000000, 0xb4000000})
#define NOTHING   ((ma_t){0x123456000})
#define SAMPLES   64

#define OWN_NOTHING ((ma_t){0x654321000})
#define OWNER(pfn)  ((struct p2m_owner){.domid = (u32)(pfn) % VL_DOMID_MAX, .pfn = (pfn)*3})

static u64 model[FRAMES];
static bool has_given;
static struct p2m p;

void panic(const char *fmt, ...)
{
	print_error("%s\n", fmt);
	abort();
}

static void start(void)
{
	pages_begin(100000);
	p2m_set_machine(PARTITION, NOTHING);
	p2m_init(&p, &pages);
	for (u64 i = 0; i < FRAMES; i++)
		model[i] = i;
}

static void start_own(void)
{
	start();
	p2m_init_own(&p, &pages, OWN_NOTHING);
	for (u64 i = 0; i < FRAMES; i++)
		model[i] = P2M_NOTHING;
}

static void stop(void)
{
	p2m_destroy(&p);
	assert_int_equal(pages_used, 0);
	assert_int_equal(p.tables, 0);
	assert_int_equal(p.moved, 0);
	assert_int_equal(p.given, 0);
	assert_int_equal(p.frames, 0);
}

static bool in_partition(u64 pfn)
{
	return pfn >= PARTITION.start >> PAGE_SHIFT && pfn < PARTITION.end >> PAGE_SHIFT;
}

/* One page frame, at each size that a caller may ask for. */
static void check_frame(u64 pfn)
{
	for (u32 asked = 12; asked <= 30; asked += 9) {
		u32 shift = asked;
		u64 first;
		ma_t ma = p2m_translate(&p, (pa_t){pfn << PAGE_SHIFT}, &shift);

		assert_true(shift <= asked && (shift == 12 || shift == 21 || shift == 30));
		if (in_partition(pfn) || model[pfn] == P2M_NOTHING) {
			assert_int_equal(ma.v, p.own ? OWN_NOTHING.v : NOTHING.v);
			assert_true(p2m_is_nothing(&p, ma));
			assert_int_equal(shift, 12);
			continue;
		}
		assert_int_equal(ma.v, model[pfn] << PAGE_SHIFT);
		/* The whole block is as contiguous as it was granted, and free of the partition. */
		first = round_down(pfn, (u64)1 << (shift - 12));
		for (u64 i = 0; i < (u64)1 << (shift - 12); i += shift == 30 ? 97 : 1) {
			assert_false(in_partition(first + i));
			assert_int_equal(model[first + i], model[first] + i);
		}
		assert_int_equal(model[first] % ((u64)1 << (shift - 12)), 0);
	}
	assert_int_equal(p2m_lookup(&p, (pfn_t){pfn}).v, model[pfn]);
	if (!p.own && model[pfn] == P2M_NOTHING) {
		struct p2m_owner to;

		assert_true(p2m_is_given(&p, (pfn_t){pfn}, &to));
		assert_int_equal(to.domid, OWNER(pfn).domid);
		assert_int_equal(to.pfn, OWNER(pfn).pfn);
	}
}

static void check_samples(struct rng *r)
{
	for (u32 i = 0; i < SAMPLES; i++)
		check_frame(rng_below(r, FRAMES));
}

/* What is listed as away is what is away, in pieces of so many entries. */
static void check_away(u32 most_steps)
{
	struct p2m_page list[10];
	u64 next = 0;

	for (u64 pfn = 0; pfn != P2M_END;) {
		u32 steps = most_steps, count = p2m_list_away(&p, &pfn, &steps, list, 10);

		for (u32 i = 0; i < count; i++, next++) {
			for (; next < list[i].pfn; next++)
				assert_true(model[next] == P2M_NOTHING || model[next] == next);
			assert_true(next == list[i].pfn && list[i].mfn != next);
			assert_int_equal(list[i].mfn, model[next]);
		}
	}
	for (; next < FRAMES; next++)
		assert_true(model[next] == P2M_NOTHING || model[next] == next);
}

static void check_moved(void)
{
	u64 moved = 0, given = 0, frames = 0, next = 0, next_given = 0;

	for (u64 i = 0; i < FRAMES; i++) {
		bool is_nothing = model[i] == P2M_NOTHING;

		given += is_nothing && !p.own;
		frames += !is_nothing && (p.own || model[i] != i);
		moved += !is_nothing && model[i] != i;
	}
	assert_int_equal(p.moved, moved);
	assert_int_equal(p.given, given);
	assert_int_equal(p.frames, frames);
	for (u64 i = 0; i < FRAMES; i++) {
		if (model[i] == P2M_NOTHING ? p.own : !p.own && model[i] == i)
			continue;
		if (model[i] == P2M_NOTHING) {
			assert_true(p2m_next_given(&p, &next_given));
			assert_int_equal(next_given++, i);
		} else {
			assert_true(p2m_next_moved(&p, &next));
			assert_int_equal(next++, i);
		}
	}
	assert_false(p2m_next_moved(&p, &next));
	assert_false(p2m_next_given(&p, &next_given));
	check_away(p.moved % 2 == 0 ? ~(u32)0 : 7);
}

/* The ranges are the model, read from any start, and as long as they can be. */
static void check_runs(u64 from, u32 most_steps)
{
	u64 pfn = from;

	while (pfn < FRAMES) {
		u32 steps = most_steps;
		struct p2m_range run = p2m_run(&p, pfn, FRAMES, &steps);

		assert_int_equal(run.pfn, pfn);
		assert_true(run.count > 0 && pfn + run.count <= FRAMES);
		for (u64 i = 0; i < run.count; i++)
			assert_int_equal(model[pfn + i],
					 run.mfn == P2M_NOTHING ? P2M_NOTHING : run.mfn + i);
		pfn += run.count;
		if (steps > 0 && pfn < FRAMES && run.mfn == P2M_NOTHING)
			assert_true(model[pfn] != P2M_NOTHING);
		else if (steps > 0 && pfn < FRAMES)
			assert_true(model[pfn] != run.mfn + run.count);
	}
}

static void identity(void **state)
{
	u32 steps = 10, shift = 30;

	(void)state;
	start();
	assert_int_equal(pages_used, 0);
	for (u64 pfn = 0; pfn < FRAMES; pfn += 509)
		check_frame(pfn);
	check_moved();
	assert_int_equal(p2m_run(&p, 5, FRAMES, &steps).count, FRAMES - 5);
	/* Devices' memory far above all RAM is there too. */
	assert_int_equal(p2m_translate(&p, (pa_t){0xfedcba9876000}, &shift).v, 0xfedcba9876000);
	assert_int_equal(shift, 30);
	stop();
}

static void without_p2m(void **state)
{
	(void)state;
	start();
	for (u64 pfn = 0; pfn < FRAMES; pfn += 101) {
		u32 a = 30, b = 30;
		pa_t pa = {pfn << PAGE_SHIFT};

		assert_int_equal(p2m_translate(&p, pa, &a).v,
				 p2m_translate_unmapped(NULL, pa, &b).v);
		assert_int_equal(a, b);
	}
	stop();
}

static void refuses(u64 pfn, u64 mfn, u32 shift)
{
	assert_int_equal(p2m_set(&p, (pfn_t){pfn}, (mfn_t){mfn}, shift), -VL_EINVAL);
}

static void refused(void **state)
{
	(void)state;
	start();
	refuses(1, 512, 21);
	refuses(512, 1, 21);
	refuses(512, 1 << 18, 30);
	refuses(1, 2, 13);
	refuses(0, 2, 39);
	refuses(0, 2, 0);
	refuses((u64)1 << P2M_PFN_BITS, 1, 12);
	refuses(1, (u64)1 << P2M_PFN_BITS, 12);
	refuses(~(u64)0, 1, 12);
	refuses(1, (u64)1 << 52, 12);
	refuses(PARTITION.start >> PAGE_SHIFT, 1, 12);
	refuses((PARTITION.end >> PAGE_SHIFT) - 1, 1, 12);
	refuses((2 * GIB) >> PAGE_SHIFT, 0, 30); /* the partition is inside */
	assert_int_equal(pages_used, 0);
	assert_int_equal(p2m_set(&p, (pfn_t){1}, (mfn_t){PARTITION.start >> PAGE_SHIFT}, 12), 0);
	stop();
}

/* A page is given away, or comes home; of a later domain, it goes. Giving may fail for want of
 * pages.
 */
static void change_page(struct rng *r, u64 pfn)
{
	u64 used = pages_used, left = pages_left;
	int result = 0;

	if (model[pfn] != P2M_NOTHING && model[pfn] != pfn && !p.own)
		return; /* away */
	if (p.own || model[pfn] == P2M_NOTHING) {
		if (model[pfn] == P2M_NOTHING && p.own)
			return;
		p2m_clear(&p, (pfn_t){pfn});
		model[pfn] = p.own ? P2M_NOTHING : pfn;
	} else {
		pages_left = rng_below(r, 3) == 0 ? rng_below(r, 4) : left;
		result = p2m_give(&p, (pfn_t){pfn}, OWNER(pfn));
		pages_left = left + used - pages_used;
		assert_true(result == 0 || (result == -VL_ENOMEM && pages_used == used));
		model[pfn] = result == 0 ? P2M_NOTHING : pfn;
	}
	assert_int_equal(p.tables, pages_used);
	check_frame(pfn);
}

/* A page that has a frame gets another one, the short way. */
static void repoint(struct rng *r)
{
	static struct p2m_near near;
	u64 pfn = rng_below(r, 4) << 18 | (u64)rng_below(r, 3) << 9 | rng_below(r, 4);
	u64 mfn = rng_below(r, 3) == 0 ? pfn : rng_below(r, FRAMES);

	near = (struct p2m_near){0};
	for (u32 i = 0; i < 3; i++, pfn++) {
		assert_int_equal(p2m_lookup_near(&p, &near, (pfn_t){pfn}).v, model[pfn]);
		if (in_partition(pfn) || model[pfn] == P2M_NOTHING)
			continue;
		assert_int_equal(p2m_repoint(&p, &near, (pfn_t){pfn}, (mfn_t){mfn}), 0);
		model[pfn] = mfn;
		assert_int_equal(p2m_lookup_near(&p, &near, (pfn_t){pfn}).v, mfn);
		check_frame(pfn);
	}
}

/* One random change of model and p2m; about one in three fails for want of pages. */
static void change(struct rng *r)
{
	static const u32 shifts[] = {12, 12, 12, 12, 21, 21, 30};
	u32 shift = shifts[rng_below(r, ARRAY_SIZE(shifts))];
	u64 frames = (u64)1 << (shift - 12);
	/* Few places, so that changes meet. */
	u64 pfn = rng_below(r, 4) << 18 | (u64)rng_below(r, 3) << 9 | rng_below(r, 4);
	u64 mfn = rng_below(r, 3) == 0 ? pfn : rng_below(r, FRAMES);
	u64 left = pages_left, used = pages_used;
	int result;

	if (has_given && rng_below(r, 2) == 0) {
		change_page(r, pfn);
		return;
	}

	pfn = round_down(pfn, frames);
	mfn = round_down(mfn, frames);
	if (shift == 30 && pfn == 2 << 18)
		return; /* the partition */
	if (rng_below(r, 3) == 0)
		pages_left = rng_below(r, 4);
	result = p2m_set(&p, (pfn_t){pfn}, (mfn_t){mfn}, shift);
	pages_left = left + used - pages_used;
	assert_true(result == 0 || (result == -VL_ENOMEM && pages_used == used));
	for (u64 i = 0; result == 0 && i < frames; i++)
		model[pfn + i] = mfn + i;
	assert_int_equal(p.tables, pages_used);
	check_frame(pfn);
	check_frame(pfn + frames - 1);
}

static void many_changes(void (*begin)(void), u32 seed)
{
	struct rng r = {seed};

	for (u32 i = 0; i < random_cases(30); i++) {
		begin();
		for (u32 k = 0; k < 60; k++) {
			change(&r);
			repoint(&r);
			check_samples(&r);
		}
		check_moved();
		check_runs(rng_below(&r, 100), ~(u32)0);
		check_runs(0, 1 + rng_below(&r, 5));
		stop();
	}
}

static void random_changes(void **state)
{
	(void)state;
	has_given = false;
	many_changes(start, 4711);
}

static void random_gifts(void **state)
{
	(void)state;
	has_given = true;
	many_changes(start, 815);
	has_given = false;
}

static void random_changes_of_own(void **state)
{
	(void)state;
	has_given = true;
	many_changes(start_own, 12);
	has_given = false;
}

/* A page moved away and home again: the tables stay, the map is the identity. */
static void there_and_back(void **state)
{
	u64 next = 0;

	(void)state;
	start();
	assert_int_equal(p2m_set(&p, (pfn_t){1000}, (mfn_t){0xb0001}, 12), 0);
	model[1000] = 0xb0001;
	assert_int_equal(p.tables, 4);
	check_moved();
	check_frame(999);
	check_frame(1000);
	check_frame(1001);
	assert_int_equal(p2m_set(&p, (pfn_t){1000}, (mfn_t){1000}, 12), 0);
	model[1000] = 1000;
	assert_false(p2m_next_moved(&p, &next));
	check_frame(1000);
	check_moved();
	assert_int_equal(pages_used, 0);
	stop();
}

/* A later domain reaches what it was given, and nothing else, whatever the address. */
static void begins_with_nothing(void **state)
{
	u32 steps = 10, shift = 30;
	struct p2m_owner to;

	(void)state;
	start_own();
	for (u64 pfn = 0; pfn < FRAMES; pfn += 509)
		check_frame(pfn);
	check_moved();
	assert_int_equal(p2m_run(&p, 5, FRAMES, &steps).mfn, P2M_NOTHING);
	assert_int_equal(p2m_translate(&p, (pa_t){0xfedcba9876543}, &shift).v,
			 OWN_NOTHING.v + 0x543);
	assert_int_equal(shift, 12);
	/* At home is somewhere, too. */
	assert_int_equal(p2m_set(&p, (pfn_t){77}, (mfn_t){77}, 12), 0);
	model[77] = 77;
	check_frame(77);
	check_frame(78);
	check_moved();
	assert_false(p2m_is_given(&p, (pfn_t){78}, &to));
	p2m_clear(&p, (pfn_t){77});
	model[77] = P2M_NOTHING;
	check_frame(77);
	assert_int_equal(pages_used, 0);
	stop();
}

/* What is in no portion stays the identity, in pages as large as they are; a block that is partly
 * outside is outside. */
static void portions(void **state)
{
	const struct range in = {512 * 100 + 7, 512 * 102 + 9};
	struct p2m_owner to = {.domid = 1, .pfn = 3};
	struct rng r = {.state = 77};
	u32 shift = 30;

	(void)state;
	start();
	portions_set_none(&p.portions);
	assert_int_equal(portions_add(&p.portions, in), 0);
	for (u32 i = 0; i < 3000; i++) {
		u64 pfn = in.start - 600 + rng_below(&r, 2200), mfn = rng_below(&r, FRAMES);
		bool has = pfn >= in.start && pfn < in.end;

		assert_int_equal(p2m_set(&p, (pfn_t){pfn}, (mfn_t){mfn}, 12),
				 has ? 0 : -VL_EOPNOTSUPP);
		if (has)
			model[pfn] = mfn;
		check_frame(pfn);
	}
	assert_int_equal(p2m_set(&p, (pfn_t){512 * 100}, (mfn_t){0}, 21), -VL_EOPNOTSUPP);
	assert_int_equal(p2m_set(&p, (pfn_t){512 * 101}, (mfn_t){512 * 7}, 21), 0);
	for (u64 i = 0; i < 512; i++)
		model[512 * 101 + i] = 512 * 7 + i;
	assert_int_equal(p2m_set(&p, (pfn_t){512 * 102}, (mfn_t){0}, 21), -VL_EOPNOTSUPP);
	assert_int_equal(p2m_give(&p, (pfn_t){in.end}, to), -VL_EOPNOTSUPP);
	assert_int_equal(p2m_map_foreign(&p, (pfn_t){in.end}, (mfn_t){1}, false), -VL_EOPNOTSUPP);
	check_moved();
	p2m_translate(&p, (pa_t){(u64)512 * 103 << PAGE_SHIFT}, &shift);
	assert_int_equal(shift, 21);
	stop();
	assert_true(portions_are_all(&p.portions));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(without_p2m),
		cmocka_unit_test(refused),
		cmocka_unit_test(random_changes),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(random_gifts),
		cmocka_unit_test(random_changes_of_own),
		cmocka_unit_test(begins_with_nothing),
		cmocka_unit_test(portions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
