/* SPDX-License-Identifier: MIT */
/*
 * What each unit test needs: cmocka with its prerequisites, a reproducible
 * random generator, and the check of an error sentence.
 */
#ifndef VELLUM_TESTS_UNIT_CHECK_H
#define VELLUM_TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* cmocka has a macro of this name; ours is the function of lib/failure.h. */
#undef fail

#include "lib/failure.h"
#include "lib/types.h"
#include "public/errno.h"

/** xorshift64*: the same numbers on every machine. Seed with anything but 0. */
struct rng {
	u64 state;
};

static inline u64 rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 2685821657736338717ull;
}

/** Uniform enough in [0, n). */
static inline u32 rng_below(struct rng *r, u32 n)
{
	return (u32)((rng_next(r) >> 32) * n >> 32);
}

/** Cases of a randomized test: the usual number, or the environment's VL_TEST_CASES. */
static inline u32 random_cases(u32 usual)
{
	const char *wanted = getenv("VL_TEST_CASES");

	return wanted ? (u32)strtoul(wanted, NULL, 0) : usual;
}

/** End the test with a message, as cmocka's fail_msg() (which needs its macro fail()). */
#define stop_test(...)                                                                             \
	do {                                                                                       \
		print_error(__VA_ARGS__);                                                          \
		print_error("\n");                                                                 \
		_fail(__FILE__, __LINE__);                                                         \
	} while (0)

/** `result` is -errno_ with one sentence, not cut, that contains `part`. */
#define assert_fails(result, errno_, f, part)                                                      \
	do {                                                                                       \
		struct failure *failure_ = (f);                                                    \
		assert_int_equal((result), -(errno_));                                             \
		assert_int_equal(failure_->err, (errno_));                                         \
		assert_int_equal(failure_->text[strlen(failure_->text) - 1], '.');                 \
		if (strstr(failure_->text, (part)) == NULL)                                        \
			stop_test("\"%s\" lacks \"%s\"", failure_->text, (part));                  \
	} while (0)

/** `result` is 0; prints the sentence if not. */
#define assert_works(result, f)                                                                    \
	do {                                                                                       \
		int result_ = (result);                                                            \
		if (result_ != 0)                                                                  \
			stop_test("%d: %s", result_, (f)->text);                                   \
	} while (0)

#endif
