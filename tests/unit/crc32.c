// SPDX-License-Identifier: MIT
/*
 * The CRC-32 against the published check value and against the
 * definition, bit by bit, at all alignments and lengths.
 */
#include "tests/unit/check.h"

#include "lib/crc32.h"

static struct crc32_tables tables;

static u32 bitwise(u32 crc, const u8 *p, size_t size)
{
	for (; size > 0; size--, p++) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return crc;
}

static void check_value(void **state)
{
	(void)state;
	assert_int_equal(~crc32_update(&tables, ~(u32)0, "123456789", 9), 0xcbf43926u);
	assert_int_equal(crc32_update(&tables, 0x1234, "", 0), 0x1234);
}

static void equals_the_definition(void **state)
{
	struct rng r = {1};
	u8 data[80];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)rng_next(&r);
	for (size_t from = 0; from < 16; from++)
		for (size_t to = from; to < sizeof(data); to++) {
			u32 init = (u32)rng_next(&r);

			assert_int_equal(crc32_update(&tables, init, data + from, to - from),
					 bitwise(init, data + from, to - from));
		}
}

/* Data long enough to be folded, at odd addresses and lengths, in one piece and in two. */
static void long_data(void **state)
{
	struct rng r = {2};
	size_t size = 6 * 8 * CRC32_FOLD;
	u8 *data = malloc(size);

	(void)state;
	for (size_t i = 0; i < size; i++)
		data[i] = (u8)rng_next(&r);
	for (int n = 0; n < 40; n++) {
		u32 init = (u32)rng_next(&r);
		size_t from = rng_below(&r, 9);
		size_t length = size - from - rng_below(&r, 3 * 8 * CRC32_FOLD);
		size_t half = rng_below(&r, (u32)length);
		u32 want = bitwise(init, data + from, length);
		u32 got = crc32_update(&tables, init, data + from, half);

		assert_int_equal(crc32_update(&tables, init, data + from, length), want);
		assert_int_equal(crc32_update(&tables, got, data + from + half, length - half),
				 want);
	}
	/* Where folding starts, and one less. */
	for (size_t length = 4 * 8 * CRC32_FOLD - 2; length < 4 * 8 * CRC32_FOLD + 10; length++)
		assert_int_equal(crc32_update(&tables, 1, data, length), bitwise(1, data, length));
	free(data);
}

static int init(void **state)
{
	(void)state;
	crc32_init(&tables);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_value),
		cmocka_unit_test(equals_the_definition),
		cmocka_unit_test(long_data),
	};

	return cmocka_run_group_tests_name("crc32", tests, init, NULL);
}
