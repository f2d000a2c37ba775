// SPDX-License-Identifier: MIT
/*
 * Remapping against a naive model: all small p2ms, and random ones of up to
 * three domains with holes, shared frames and pages of others in the way, in
 * each mode, with each kind of owners, in slices, aborted anywhere, without
 * spare frames or memory. No page that is at home is touched, none is lost, each
 * is where its p2m says after every move; all kinds of owners lead to the same
 * moves, as many as there must be.
 */
/* shows: M11 M12 M14 M15 M16 M17 */
#include "tests/unit/check.h"

#include "public/errno.h"
#include "tests/unit/remap_world.h"

#define STRIDES 3u
static const u32 strides[STRIDES] = {1, 512, 1u << 18};

static void print_case(const struct world_case *c)
{
	for (u32 s = 0; s < c->nr_spaces; s++) {
		print_error("domain %u:", s);
		for (u32 p = 0; p < c->pages; p++)
			print_error(" %d", c->frame[s][p] == WORLD_NONE ? -1 : c->frame[s][p]);
		print_error("\n");
	}
	print_error("of %u, mode %d, stride %u, spares %u, slice %u, abort %u, fail %u\n", c->of,
		    (int)c->mode, c->stride, c->spares, c->slice, c->abort_after, c->fail_at);
}

static void must_be_right(const struct world_case *c, const char *wrong)
{
	if (wrong == NULL)
		return;
	print_case(c);
	stop_test("%s", wrong);
}

/* What one domain alone must cost, with a spare frame or by exchange. */
static void check_cost(const struct world_case *c, const struct world_result *r)
{
	struct world_shape shape = world_shape(c);
	bool direct = c->mode == REMAP_DIRECT;
	u64 copied = direct ? shape.away - shape.in_cycles : shape.away;

	if (r->counts.copied == copied && r->counts.evacuated == (direct ? 0 : shape.cycles) &&
	    r->counts.exchanged == (direct ? shape.in_cycles - shape.cycles : 0) &&
	    r->most_spares <= 1 && r->spares_left == 0)
		return;
	print_case(c);
	stop_test("%lu copied, %lu evacuated, %lu exchanged, %u spare frames; %lu away, %lu cycles "
		  "of %lu",
		  r->counts.copied, r->counts.evacuated, r->counts.exchanged, r->most_spares,
		  shape.away, shape.cycles, shape.in_cycles);
}

/* Its place, or another's, or one frame beside, or nowhere. */
static u8 nth_frame(u64 n, u32 pages)
{
	return n > pages ? WORLD_NONE : (u8)n;
}

/* All that a domain of `pages` pages can be: each page is nowhere, at any place, or beside. */
static void all_of(u32 pages)
{
	struct world_case c = {
		.nr_spaces = 1, .pages = pages, .stride = 1, .spares = 1, .slice = 1};
	u64 cases = 1;

	for (u32 p = 0; p < pages; p++)
		cases *= pages + 2;
	for (u64 n = 0; n < cases; n++) {
		struct world_result r;
		u64 rest = n;

		for (u32 p = 0; p < pages; p++, rest /= pages + 2)
			c.frame[0][p] = nth_frame(rest % (pages + 2), pages);
		for (c.mode = REMAP_AUTO; c.mode <= REMAP_DIRECT; c.mode++) {
			must_be_right(&c, world_run_all(&c, &r));
			assert_int_equal(r.answer, 0);
			check_cost(&c, &r);
		}
	}
}

static void all_small(void **state)
{
	(void)state;
	for (u32 pages = 1; pages <= 4; pages++)
		all_of(pages);
	if (random_cases(0) >= 1000000)
		for (u32 pages = 5; pages <= 6; pages++)
			all_of(pages);
}

/* Two domains of two and three pages: all that they can be. */
static void all_small_pairs(void **state)
{
	const u32 pages = 3, values = pages + 2;
	struct world_case c = {
		.nr_spaces = 2, .pages = pages, .stride = 1, .spares = 8, .slice = 1};
	struct world_result r;

	(void)state;
	for (u32 n = 0; n < 15625; n++) {
		u32 rest = n;

		for (u32 i = 0; i < 6; i++, rest /= values)
			c.frame[i / 3][i % 3] =
				rest % values == pages + 1 ? WORLD_NONE : (u8)(rest % values);
		c.mode = n % 3;
		c.of = n % 2;
		must_be_right(&c, world_run_all(&c, &r));
		assert_int_equal(r.answer, 0);
	}
}

static void shuffle(struct rng *r, u8 *frame, u32 n)
{
	for (u32 i = 0; i < n; i++)
		frame[i] = (u8)i;
	for (u32 i = n; i > 1; i--) {
		u32 k = rng_below(r, i);
		u8 was = frame[k];

		frame[k] = frame[i - 1];
		frame[i - 1] = was;
	}
}

/* A permutation, of which some pages stay at home, some share, some are not there. */
static void make_pages(struct rng *r, struct world_case *c, u32 s)
{
	u32 holes = rng_below(r, 3) == 0 ? rng_below(r, 100) : 0;
	u32 shared = rng_below(r, 3) == 0 ? rng_below(r, 100) : 0;
	u32 home = rng_below(r, 2) == 0 ? rng_below(r, 100) : 0;
	u8 all[WORLD_FRAMES];

	shuffle(r, all, rng_below(r, 2) == 0 ? c->pages : WORLD_FRAMES);
	for (u32 p = 0; p < c->pages; p++) {
		c->frame[s][p] = all[p];
		if (rng_below(r, 100) < home)
			c->frame[s][p] = (u8)p; /* maybe shared */
		if (rng_below(r, 100) < shared)
			c->frame[s][p] = all[rng_below(r, c->pages)];
		if (rng_below(r, 100) < holes)
			c->frame[s][p] = WORLD_NONE;
	}
}

static void make_case(struct rng *r, struct world_case *c)
{
	memset(c, 0, sizeof(*c));
	c->nr_spaces = rng_below(r, 3) == 0 ? 1 + rng_below(r, WORLD_SPACES) : 1;
	c->of = rng_below(r, c->nr_spaces);
	c->pages = 1 + rng_below(r, WORLD_PAGES);
	/* Many tables take long to make. */
	c->stride = strides[rng_below(r, 20) == 0 ? rng_below(r, STRIDES) : 0];
	c->mode = rng_below(r, 3);
	c->spares = c->nr_spaces > 1 ? WORLD_SPARES : 1;
	c->slice = 1 + (rng_below(r, 2) == 0 ? rng_below(r, 40) : 0);
	for (u32 s = 0; s < c->nr_spaces; s++)
		make_pages(r, c, s);
}

static void random_worlds(void **state)
{
	struct rng rng = {20031};

	(void)state;
	for (u32 i = 0; i < random_cases(15000); i++) {
		struct world_case c;
		struct world_result r;

		make_case(&rng, &c);
		must_be_right(&c, world_run_all(&c, &r));
		assert_int_equal(r.answer, 0);
		if (c.nr_spaces == 1)
			check_cost(&c, &r);
	}
}

/* Wherever it is stopped: then nothing of a lone domain is in a spare frame, and another remap
 * brings it home. */
static void stopped_anywhere(void **state)
{
	struct rng rng = {707};
	u64 stopped = 0;

	(void)state;
	for (u32 i = 0; i < random_cases(6000) / 2; i++) {
		struct world_case c;
		struct world_result r;

		make_case(&rng, &c);
		c.slice = 1 + rng_below(&rng, 3);
		c.abort_after = 1 + rng_below(&rng, 20);
		must_be_right(&c, world_run_all(&c, &r));
		stopped += r.answer == 1;
		if (c.nr_spaces == 1 && r.spares_left != 0) {
			print_case(&c);
			stop_test("a spare frame stays in use");
		}
	}
	assert_true(stopped > random_cases(6000) / 8);
}

/* Without a spare frame, pages are exchanged, or it is said that there is none. */
static void without_spare(void **state)
{
	struct rng rng = {55};
	u64 failed = 0;

	(void)state;
	for (u32 i = 0; i < random_cases(6000) / 2; i++) {
		struct world_case c;
		struct world_result r;
		bool cycles;

		make_case(&rng, &c);
		c.spares = c.nr_spaces == 1 ? 0 : rng_below(&rng, 3);
		must_be_right(&c, world_run_all(&c, &r));
		cycles = world_shape(&c).cycles != 0;
		failed += r.answer != 0;
		if (r.answer != 0)
			assert_int_equal(r.answer, -VL_ENOMEM);
		if (c.nr_spaces == 1)
			assert_int_equal(r.answer != 0, c.mode == REMAP_INDIRECT && cycles);
	}
	assert_true(failed > 0);
}

/* Each allocation fails in turn. */
static void without_memory(void **state)
{
	struct rng rng = {66};
	u64 failed = 0;

	(void)state;
	for (u32 i = 0; i < random_cases(6000) / 4; i++) {
		enum owners_kind kind = rng_below(&rng, OWNERS_KINDS);
		struct world_case c;
		struct world_result r;

		make_case(&rng, &c);
		c.stride = strides[rng_below(&rng, STRIDES)];
		for (c.fail_at = 1; c.fail_at < 200; c.fail_at++) {
			must_be_right(&c, world_run(&c, kind, &r));
			if (r.answer == 0)
				break;
			assert_int_equal(r.answer, -VL_ENOMEM);
			failed++;
		}
		assert_true(c.fail_at < 200);
	}
	assert_true(failed > 100);
}

/* A place that somebody else has: nothing is moved at all. */
static void taken_places(void **state)
{
	struct rng rng = {77};
	u64 refused = 0;

	(void)state;
	for (u32 i = 0; i < random_cases(3000); i++) {
		struct world_case c;
		struct world_result r;
		bool busy = false;

		make_case(&rng, &c);
		c.taken = (u32)1 << rng_below(&rng, WORLD_PAGES);
		for (u32 p = 0; p < c.pages; p++)
			busy |= (c.taken >> p & 1) && c.frame[c.of][p] != p &&
				c.frame[c.of][p] != WORLD_NONE;
		must_be_right(&c, world_run_all(&c, &r));
		assert_int_equal(r.answer, busy ? -VL_EBUSY : 0);
		if (busy)
			assert_int_equal(r.counts.copied + r.counts.exchanged + r.counts.evacuated,
					 0);
		refused += busy;
	}
	assert_true(refused > random_cases(3000) / 40);
}

/* The first guest, whose empty entries are the identity: pages of its own are away beside. */
static void identity_p2m(void **state)
{
	struct rng rng = {88};

	(void)state;
	for (u32 i = 0; i < random_cases(3000); i++) {
		struct world_case c;
		struct world_result r;

		make_case(&rng, &c);
		c.nr_spaces = 1;
		c.of = 0;
		c.identity = true;
		c.spares = 1;
		for (u32 p = 0; p < c.pages; p++)
			if (c.frame[0][p] == WORLD_NONE)
				c.frame[0][p] = (u8)p;
		must_be_right(&c, world_run_all(&c, &r));
		assert_int_equal(r.answer, 0);
		check_cost(&c, &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_small),     cmocka_unit_test(all_small_pairs),
		cmocka_unit_test(random_worlds), cmocka_unit_test(stopped_anywhere),
		cmocka_unit_test(without_spare), cmocka_unit_test(without_memory),
		cmocka_unit_test(taken_places),  cmocka_unit_test(identity_p2m),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
