// SPDX-License-Identifier: MIT
/*
 * Weighted fair scheduling (sched/fair.h), by simulated CPUs: each contender's
 * time against its weight, who sleeps and wakes, and that nobody waits for
 * ever. shows: U4
 */
#include "tests/unit/check.h"

#include "sched/share.h"

#define SLICE  ((u64)1 << 23)
#define CREDIT ((u64)1 << 22)
#define MANY   8u

static struct fair_queue queue;
static struct fair_entity entity[MANY];

static void begin(const u32 *weight, u32 count)
{
	fair_init(&queue, SLICE, CREDIT);
	for (u32 i = 0; i < count; i++) {
		fair_add(&queue, &entity[i], weight[i]);
		fair_set_ready(&queue, &entity[i], true);
	}
}

/* One slice, or less, of whoever's turn it is. */
static struct fair_entity *step(u64 most)
{
	struct fair_entity *e = fair_pick(&queue);

	assert_non_null(e);
	fair_charge(&queue, e, min_u64(fair_slice(&queue, e), most));
	return e;
}

/* But for the slice that it has just had, or is about to have. */
static void assert_within(u64 part, u64 whole, u64 weight, u64 weights, double tolerance)
{
	double fair = (double)whole * (double)weight / (double)weights;
	double off = (double)part - fair;

	if (off < -fair * tolerance - (double)SLICE || off > fair * tolerance + (double)SLICE)
		stop_test("ran %f, by its weight %f", (double)part, fair);
}

/* What another CPU's clock says may be a little behind: nobody pays for half of all time then. */
static void clocks_may_differ(void **state)
{
	static const u32 weights[] = {256, 256};
	struct fair_entity *e;

	(void)state;
	assert_int_equal(fair_ticks(100, 130), 30);
	assert_int_equal(fair_ticks(~(u64)0 - 9, 20), 30);
	assert_int_equal(fair_ticks(130, 100), 0);
	assert_int_equal(fair_ticks(20, ~(u64)0 - 9), 0);
	begin(weights, 2);
	e = fair_pick(&queue);
	fair_charge(&queue, e, fair_ticks(1000, 999));
	assert_int_equal(e->ran, 0);
}

static void shares_by_weight(void **state)
{
	static const u32 weights[][MANY] = {{256, 256},           {256, 768},
					    {256, 768, 512},      {1, 65535},
					    {1, 3, 5, 7, 9},      {65535, 65535, 65535},
					    {256, 256, 256, 1, 1}};

	(void)state;
	for (u32 set = 0; set < ARRAY_SIZE(weights); set++) {
		u64 all = 0, sum = 0;
		u32 count = 0;

		while (count < MANY && weights[set][count] != 0)
			sum += weights[set][count++];
		begin(weights[set], count);
		for (u32 i = 0; i < 400000; i++)
			step(SLICE);
		for (u32 i = 0; i < count; i++)
			all += entity[i].ran;
		for (u32 i = 0; i < count; i++)
			assert_within(entity[i].ran, all, weights[set][i], sum, 0.05);
	}
}

/* However the slices are cut (a hypercall flood, interrupts), time is what counts. */
static void shares_by_time(void **state)
{
	static const u32 weights[] = {256, 768, 100};
	struct rng rng = {7};
	u64 all = 0;

	(void)state;
	begin(weights, 3);
	for (u32 i = 0; i < 2000000; i++) {
		const struct fair_entity *e = fair_pick(&queue);

		step(e == &entity[0] ? 1 + rng_below(&rng, 100000) : SLICE);
	}
	for (u32 i = 0; i < 3; i++)
		all += entity[i].ran;
	for (u32 i = 0; i < 3; i++)
		assert_within(entity[i].ran, all, weights[i], 1124, 0.05);
}

/* Nobody is passed over for longer than its weight explains. */
static void nobody_starves(void **state)
{
	static const u32 weights[] = {1, 256, 256, 65535};
	u64 now = 0, last[4] = {0}, longest[4] = {0};

	(void)state;
	begin(weights, 4);
	for (u32 i = 0; i < 1000000; i++) {
		u32 who = (u32)(step(SLICE) - entity);

		now += SLICE;
		longest[who] = max_u64(longest[who], now - last[who]);
		last[who] = now;
	}
	for (u32 i = 0; i < 4; i++)
		assert_true(longest[i] <= (u64)(66048 / weights[i] + 4) * SLICE);
}

/* Who slept gets at most a credit more than its share from then on. */
static void sleep_earns_a_credit(void **state)
{
	static const u32 weights[] = {256, 256};
	u64 alone = 0;

	(void)state;
	begin(weights, 2);
	fair_set_ready(&queue, &entity[1], false);
	for (u32 i = 0; i < 1000; i++)
		step(SLICE);
	fair_set_ready(&queue, &entity[1], true);
	assert_true(fair_preempts(&queue, &entity[1], &entity[0]));
	while (fair_pick(&queue) == &entity[1])
		alone += 1000, fair_charge(&queue, &entity[1], 1000);
	assert_true(alone >= CREDIT - 2000 && alone <= CREDIT + 2000);
}

/* Sleeping a little before each slice's end wins nothing. */
static void naps_earn_nothing(void **state)
{
	static const u32 weights[] = {256, 256};
	u64 all;

	(void)state;
	begin(weights, 2);
	for (u32 i = 0; i < 100000; i++) {
		struct fair_entity *e = step(SLICE - SLICE / 16);

		if (e == &entity[0]) {
			fair_set_ready(&queue, e, false);
			fair_charge(&queue, &entity[1], 100);
			fair_set_ready(&queue, e, true);
		}
	}
	all = entity[0].ran + entity[1].ran;
	assert_within(entity[0].ran, all, 1, 2, 0.05);
}

/* An interrupt storm's receiver, woken again and again, keeps to its share when it is busy. */
static void wakes_do_not_help_the_busy(void **state)
{
	static const u32 weights[] = {256, 768};
	u64 all;
	struct fair_entity *e;

	(void)state;
	begin(weights, 2);
	for (u32 i = 0; i < 400000; i++) {
		e = fair_pick(&queue);
		fair_charge(&queue, e, SLICE / 64);
		if (e == &entity[1] && fair_preempts(&queue, &entity[0], e))
			assert_ptr_equal(fair_pick(&queue), &entity[0]);
	}
	all = entity[0].ran + entity[1].ran;
	assert_within(entity[0].ran, all, 1, 4, 0.05);
}

/* Months of sleep, and clocks that wrapped. */
static void survives_wrapping(void **state)
{
	static const u32 weights[] = {1, 256, 1};

	(void)state;
	begin(weights, 3);
	fair_set_ready(&queue, &entity[1], false);
	fair_set_ready(&queue, &entity[2], false);
	for (u32 i = 0; i < 300; i++)
		fair_charge(&queue, &entity[0], (u64)1 << 45);
	fair_set_ready(&queue, &entity[1], true);
	assert_ptr_equal(fair_pick(&queue), &entity[1]);
	fair_set_ready(&queue, &entity[2], true);
	for (u32 i = 0; i < 4; i++)
		entity[i % 3].ran = 0;
	for (u32 i = 0; i < 100000; i++)
		step(SLICE);
	assert_within(entity[0].ran, entity[0].ran + entity[1].ran + entity[2].ran, 1, 258, 0.05);
}

static void weights_change(void **state)
{
	static const u32 weights[] = {1, 256};
	u64 all;

	(void)state;
	begin(weights, 2);
	for (u32 i = 0; i < 1000; i++)
		step(SLICE);
	fair_set_weight(&queue, &entity[0], 256);
	entity[0].ran = entity[1].ran = 0;
	for (u32 i = 0; i < 1000; i++)
		step(SLICE);
	all = entity[0].ran + entity[1].ran;
	assert_within(entity[0].ran, all, 1, 2, 0.05);
}

static void alone_without_a_slice(void **state)
{
	static const u32 weights[] = {256, 256};

	(void)state;
	begin(weights, 2);
	assert_true(fair_slice(&queue, &entity[0]) == SLICE);
	fair_set_ready(&queue, &entity[1], false);
	assert_true(fair_slice(&queue, &entity[0]) == ~(u64)0);
	fair_remove(&queue, &entity[1]);
	fair_set_ready(&queue, &entity[0], false);
	assert_null(fair_pick(&queue));
	fair_remove(&queue, &entity[0]);
	assert_null(queue.first);
}

/* --- shares: a domain's vcpus have its share together --- */

#define MEMBERS 4u

static struct share share[3];
static struct share_member member[3][MEMBERS];

static void begin_shares(const u32 *weight, const u32 *members, u32 count)
{
	fair_init(&queue, SLICE, CREDIT);
	for (u32 i = 0; i < count; i++) {
		share_begin(&queue, &share[i], weight[i]);
		for (u32 k = 0; k < members[i]; k++) {
			share_add(&share[i], &member[i][k]);
			share_set_ready(&queue, &member[i][k], true);
		}
	}
}

static struct share_member *step_member(u64 most)
{
	struct share_member *m = share_pick(&queue);

	assert_non_null(m);
	share_charge(&queue, m, min_u64(SLICE, most));
	return m;
}

static void members_have_one_share(void **state)
{
	static const u32 weights[] = {256, 256, 512}, members[] = {1, 4, 2};
	u64 all = 0;

	(void)state;
	begin_shares(weights, members, 3);
	for (u32 i = 0; i < 100000; i++)
		step_member(SLICE);
	for (u32 i = 0; i < 3; i++)
		all += share[i].entity.ran;
	for (u32 i = 0; i < 3; i++) {
		assert_within(share[i].entity.ran, all, weights[i], 1024, 0.01);
		for (u32 k = 0; k < members[i]; k++)
			assert_within(member[i][k].entity.ran, share[i].entity.ran, 1, members[i],
				      0.01);
	}
}

/* Members that take turns, each of whom has slept when it comes, have no more than one that never
 * sleeps; and the one that is left has the share alone. */
static void turns_earn_nothing(void **state)
{
	static const u32 weights[] = {256, 256}, members[] = {1, 2};
	u32 turn = 0;
	u64 all;

	(void)state;
	begin_shares(weights, members, 2);
	share_set_ready(&queue, &member[1][1], false);
	for (u32 i = 0; i < 200000; i++) {
		struct share_member *m = step_member(SLICE / 16);

		if (m->share == &share[0])
			continue;
		share_set_ready(&queue, &member[1][1 - turn], true);
		share_set_ready(&queue, &member[1][turn], false);
		turn = 1 - turn;
	}
	all = share[0].entity.ran + share[1].entity.ran;
	assert_within(share[1].entity.ran, all, 1, 2, 0.02);
	assert_within(member[1][0].entity.ran, share[1].entity.ran, 1, 2, 0.02);
}

static void shares_come_and_go(void **state)
{
	static const u32 weights[] = {256, 256}, members[] = {1, 2};

	(void)state;
	begin_shares(weights, members, 2);
	for (u32 i = 0; i < 1000; i++)
		step_member(SLICE);
	/* A sibling preempts by what the two have had, another one by its share. */
	share_set_ready(&queue, &member[1][0], false);
	for (u32 i = 0; i < 1000; i++)
		step_member(SLICE);
	share_set_ready(&queue, &member[1][0], true);
	assert_true(share_preempts(&queue, &member[1][0], &member[1][1]));
	assert_false(share_preempts(&queue, &member[1][1], &member[1][0]));
	share_set_ready(&queue, &member[0][0], false);
	assert_true(share_pick(&queue)->share == &share[1]);
	share_remove(&queue, &member[1][0]);
	assert_ptr_equal(share_pick(&queue), &member[1][1]);
	share_remove(&queue, &member[1][1]);
	assert_null(share_pick(&queue));
	assert_ptr_equal(queue.first, &share[0].entity);
	assert_null(queue.first->next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_may_differ),
		cmocka_unit_test(shares_by_weight),
		cmocka_unit_test(shares_by_time),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(sleep_earns_a_credit),
		cmocka_unit_test(naps_earn_nothing),
		cmocka_unit_test(wakes_do_not_help_the_busy),
		cmocka_unit_test(survives_wrapping),
		cmocka_unit_test(weights_change),
		cmocka_unit_test(alone_without_a_slice),
		cmocka_unit_test(members_have_one_share),
		cmocka_unit_test(turns_earn_nothing),
		cmocka_unit_test(shares_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
