// SPDX-License-Identifier: MIT
/*
 * The set of portions against a naive model, a flag for each of a few page
 * frames, at both ends of physical memory: random ranges added and removed,
 * which merge, split and become too many. shows: M7
 */
#include "tests/unit/check.h"

#include "p2m/portions.h"

#define FRAMES 150u
#define ROUNDS 200000u

static bool model[FRAMES];
static u64 base; /* page frame of model[0] */
static struct portions p;

static void start(u64 first)
{
	base = first;
	memset(model, 0, sizeof(model));
	portions_set_none(&p);
}

static u32 runs(const bool *in)
{
	u32 n = 0;

	for (u32 i = 0; i < FRAMES; i++)
		n += in[i] && (i == 0 || !in[i - 1]);
	return n;
}

static u32 count_in(struct range r)
{
	u32 n = 0;

	for (u64 i = r.start; i < r.end; i++)
		n += model[i - base];
	return n;
}

/* What the set is, and that it is as few ranges as can be. */
static void check_set(void)
{
	assert_int_equal(p.count, runs(model));
	for (u32 i = 0; i < p.count; i++) {
		assert_true(p.at[i].start < p.at[i].end);
		assert_int_equal(count_in(p.at[i]), range_size(p.at[i]));
		if (i > 0)
			assert_true(p.at[i].start > p.at[i - 1].end);
	}
}

static int expected(const bool *after, bool add, struct range r)
{
	if (add && count_in(r) == range_size(r))
		return -VL_EEXIST;
	if (!add && count_in(r) == 0)
		return -VL_ENOENT;
	return runs(after) > VL_MAX_PORTIONS ? -VL_ENOSPC : 0;
}

static int change(bool add, struct range r)
{
	bool after[FRAMES];
	struct portions before = p;
	int want, got = add ? portions_add(&p, r) : portions_remove(&p, r);

	memcpy(after, model, sizeof(model));
	for (u64 i = r.start; i < r.end; i++)
		after[i - base] = add;
	want = expected(after, add, r);
	assert_int_equal(got, want);
	if (got == 0)
		memcpy(model, after, sizeof(model));
	else
		assert_memory_equal(&p, &before, sizeof(p));
	check_set();
	return got;
}

static struct range random_range(struct rng *r, u32 most)
{
	u64 size = 1 + rng_below(r, most), first = rng_below(r, (u32)(FRAMES - size + 1));

	return (struct range){base + first, base + first + size};
}

static void check_have(struct rng *r)
{
	struct range asked = random_range(r, 8), next = portions_next(&p, asked.start);
	u64 i = asked.start - base;

	assert_int_equal(portions_have(&p, asked), count_in(asked) == range_size(asked));
	while (i < FRAMES && !model[i])
		i++;
	if (i == FRAMES) {
		assert_int_equal(range_size(next), 0);
		return;
	}
	assert_int_equal(next.start, base + i);
	while (i < FRAMES && model[i])
		i++;
	assert_int_equal(next.end, base + i);
}

/* The two longest runs outside, as far as they are in the two ranges. */
static void check_outside(struct rng *r)
{
	u64 cut = rng_below(r, FRAMES), longest[2] = {0, 0}, run = 0;
	struct range_pair got,
		within = {{{base << PAGE_SHIFT, (base + cut) << PAGE_SHIFT},
			   {(base + cut) << PAGE_SHIFT, (base + FRAMES) << PAGE_SHIFT}}};

	got = portions_outside(&p, &within);
	for (u64 i = 0; i <= FRAMES; i++) {
		if (i == FRAMES || i == cut || model[i]) {
			if (run > longest[1])
				longest[1] = run;
			if (longest[1] > longest[0]) {
				longest[1] = longest[0];
				longest[0] = run;
			}
			run = 0;
		}
		run += i < FRAMES && !model[i];
	}
	for (u32 k = 0; k < 2; k++) {
		struct range f = {got.at[k].start >> PAGE_SHIFT, got.at[k].end >> PAGE_SHIFT};

		if (range_size(f) > 0)
			assert_int_equal(count_in(f), 0);
	}
	assert_int_equal(max_u64(range_size(got.at[0]), range_size(got.at[1])),
			 longest[0] << PAGE_SHIFT);
	assert_int_equal(min_u64(range_size(got.at[0]), range_size(got.at[1])),
			 longest[1] << PAGE_SHIFT);
	assert_false(range_size(got.at[0]) > 0 && range_overlaps(got.at[0], got.at[1]));
}

static void random_changes(u64 first, u32 most)
{
	struct rng r = {.state = 1 + first + most};
	u32 full = 0;

	start(first);
	for (u32 i = 0; i < ROUNDS; i++) {
		/* In turns more is added than removed, and the other way round. */
		bool add = rng_below(&r, 100) < (i / 500 % 2 != 0 ? 30 : 70);

		full += change(add, random_range(&r, most)) == -VL_ENOSPC;
		check_have(&r);
		check_outside(&r);
	}
	if (most == 1)
		assert_true(full > 100);
}

static void against_the_model(void **state)
{
	(void)state;
	random_changes(0, 1);
	random_changes(0, 3);
	random_changes(0, FRAMES);
	random_changes(PORTIONS_END - FRAMES, 1);
	random_changes(PORTIONS_END - FRAMES, 20);
}

static void merges_and_splits(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(portions_add(&p, (struct range){10, 20}), 0);
	assert_int_equal(portions_add(&p, (struct range){30, 40}), 0);
	assert_int_equal(p.count, 2);
	/* One that touches both, and one that overlaps. */
	assert_int_equal(portions_add(&p, (struct range){20, 30}), 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(portions_add(&p, (struct range){5, 15}), 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.at[0].start, 5);
	assert_int_equal(p.at[0].end, 40);
	assert_int_equal(portions_remove(&p, (struct range){18, 22}), 0);
	assert_int_equal(p.count, 2);
	assert_int_equal(p.at[1].start, 22);
	assert_int_equal(portions_remove(&p, (struct range){0, PORTIONS_END}), 0);
	assert_int_equal(p.count, 0);
}

static void everything(void **state)
{
	struct range_pair ram = {{{0x1000, 0x9f000}, {0x100000, 0x10000000}}}, outside;

	(void)state;
	portions_set_all(&p);
	assert_true(portions_are_all(&p));
	outside = portions_outside(&p, &ram);
	assert_int_equal(range_size(outside.at[0]) + range_size(outside.at[1]), 0);
	assert_int_equal(portions_add(&p, (struct range){0, PORTIONS_END}), -VL_EEXIST);
	assert_int_equal(portions_remove(&p, (struct range){0x1000, 0x2000}), 0);
	assert_false(portions_are_all(&p));
	assert_int_equal(p.count, 2);
	assert_int_equal(p.at[1].end, PORTIONS_END);
	assert_int_equal(portions_add(&p, (struct range){0x1000, PORTIONS_END}), 0);
	assert_true(portions_are_all(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_the_model),
		cmocka_unit_test(merges_and_splits),
		cmocka_unit_test(everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
