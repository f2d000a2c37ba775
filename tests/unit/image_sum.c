// SPDX-License-Identifier: MIT
/*
 * The checksum of an image: its published check value, instruction against
 * table, and that each changed bit is found, once, at the end of the pieces.
 */
/* shows: I4 */
#include "tests/unit/check.h"

#include "mem/image_sum.h"

#define SIZE (3 * IMAGE_SUM_STEP + 4096)

static u8 image[SIZE];
static struct image_sum s;

static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

/* Bit by bit, as the polynomial is defined; without the last inversion. */
static u32 by_definition(const u8 *p, u64 size)
{
	u32 crc = ~(u32)0;

	for (u64 i = 0; i < size * 8; i++) {
		u32 bit = (crc ^ (u32)(p[i / 8] >> i % 8)) & 1;

		crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
	}
	return crc;
}

static s64 verify(void)
{
	s64 left, last = SIZE;

	for (u32 step = 0; step < 4; step++) {
		left = image_sum_step(&s);
		if (left <= 0)
			break;
		assert_int_equal(last - left, IMAGE_SUM_STEP);
		assert_false(s.whole);
		last = left;
	}
	assert_true(left <= 0);
	return left;
}

static void fill(struct rng *r)
{
	for (u32 i = 0; i < SIZE; i++)
		image[i] = (u8)rng_next(r);
}

static void values(void **state)
{
	struct rng r = {1};

	(void)state;
	assert_int_equal(~by_definition((const u8 *)"123456789", 9), 0xe3069283);
	fill(&r);
	for (u64 size = 8; size <= SIZE; size += 8 * 509) {
		image_sum_init(&s, image, size, false);
		assert_int_equal(s.expected, by_definition(image, size));
		if (!has_instruction())
			continue;
		image_sum_init(&s, image, size, true);
		assert_int_equal(s.expected, by_definition(image, size));
	}
}

static void changes(void **state)
{
	struct rng r = {2};

	(void)state;
	fill(&r);
	for (u32 i = 0; i < random_cases(200); i++) {
		u32 at = rng_below(&r, SIZE);

		image_sum_init(&s, image, SIZE, has_instruction() && i % 2);
		assert_int_equal(verify(), 0);
		assert_true(s.whole);
		image[at] ^= (u8)(1 << rng_below(&r, 8));
		assert_int_equal(verify(), -VL_EBADMSG);
		assert_false(s.whole);
		assert_int_equal(verify(), -VL_EBADMSG);
		image_sum_init(&s, image, SIZE, false);
		assert_int_equal(verify(), 0);
	}
}

/* Half a verification is none, and it does not outlive image_sum_forget(). */
static void forgotten(void **state)
{
	struct rng r = {3};

	(void)state;
	fill(&r);
	image_sum_init(&s, image, SIZE, false);
	assert_false(s.whole);
	assert_int_equal(verify(), 0);
	image_sum_forget(&s);
	assert_false(s.whole);
	assert_true(image_sum_step(&s) > 0);
	image_sum_forget(&s);
	assert_int_equal(verify(), 0);
	assert_true(s.whole);
	/* A new round has begun. */
	assert_true(image_sum_step(&s) > 0);
	assert_false(s.whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(changes),
		cmocka_unit_test(forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
