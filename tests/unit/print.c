// SPDX-License-Identifier: MIT
/*
 * vl_snprintf() against the C library's, which is the same function for the
 * conversions that both have.
 */
#include "tests/unit/check.h"

#include "lib/print.h"

/* Same text and same length, at every size of the buffer. */
#define assert_as_libc(...)                                                                        \
	do {                                                                                       \
		char want_[128], got_[128];                                                        \
		int length_ = snprintf(want_, sizeof(want_), __VA_ARGS__);                         \
		for (size_t size_ = 0; size_ <= sizeof(got_); size_++) {                           \
			memset(got_, 0x7f, sizeof(got_));                                          \
			assert_int_equal(vl_snprintf(got_, size_, __VA_ARGS__), length_);          \
			if (size_ > 0) {                                                           \
				snprintf(want_, size_, __VA_ARGS__);                               \
				assert_string_equal(got_, want_);                                  \
			}                                                                          \
			if (size_ < sizeof(got_))                                                  \
				assert_int_equal(got_[size_], 0x7f);                               \
		}                                                                                  \
	} while (0)

static void numbers(void **state)
{
	(void)state;
	assert_as_libc("%d|%d|%d", 0, -1, 2147483647);
	assert_as_libc("%d|%i", -2147483647 - 1, 42);
	assert_as_libc("%u|%x|%X", 4294967295u, 0xdeadbeefu, 0xdeadbeefu);
	assert_as_libc("%ld|%lu|%lx", -9223372036854775807l - 1, ~0ul, ~0ul);
	assert_as_libc("%lld|%llu|%zu", -5ll, 18446744073709551615ull, (size_t)7);
	assert_as_libc("%#x|%#lx", 0x12u, 0x123456789abul);
}

static void widths(void **state)
{
	(void)state;
	assert_as_libc("[%5d][%-5d][%05d]", 42, 42, 42);
	assert_as_libc("[%5d][%-5d][%05d]", -42, -42, -42);
	assert_as_libc("[%016lx][%#10x][%#010x]", 0xabcul, 0xabcu, 0xabcu);
	assert_as_libc("[%*d][%-*u]", 6, 1, 6, 2u);
	assert_as_libc("[%3d]", 123456);
}

static void strings(void **state)
{
	(void)state;
	assert_as_libc("[%s][%10s][%-10s]", "abc", "abc", "abc");
	assert_as_libc("[%.2s][%.*s][%.0s]", "abc", 2, "xyz", "abc");
	assert_as_libc("[%6.2s][%-6.2s]", "abc", "abc");
	assert_as_libc("%c%c%%", 'a', 'b');
	assert_as_libc("plain, and longer than the smaller ones of the buffers");
	assert_as_libc("%s", "");
}

/* A precision means that the string need not be terminated. */
static void precision_bounds_the_read(void **state)
{
	char *three = malloc(3);
	char text[8];

	(void)state;
	memcpy(three, "abc", 3);
	assert_int_equal(vl_snprintf(text, sizeof(text), "%.3s", three), 3);
	assert_string_equal(text, "abc");
	free(three);
}

static void random_numbers(void **state)
{
	static const char *const formats[] = {"%lx",    "%#lx",    "%20lu", "%-20ld|",
					      "%020lx", "%#020lx", "%ld",   "%lX"};
	struct rng rng = {7};
	u32 cases = random_cases(100000);

	(void)state;
	for (u32 n = 0; n < cases; n++) {
		u64 x = rng_next(&rng) >> rng_below(&rng, 64);
		char got[64], want[64];

		if (x == 0)
			continue; /* "%#lx" of 0: the C library prints 0, ours prints 0x0 */
		for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(want, sizeof(want), formats[i], x);
			vl_snprintf(got, sizeof(got), formats[i], x);
#pragma GCC diagnostic pop
			assert_string_equal(got, want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),        cmocka_unit_test(widths),
		cmocka_unit_test(strings),        cmocka_unit_test(precision_bounds_the_read),
		cmocka_unit_test(random_numbers),
	};

	return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
