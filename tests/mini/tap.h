/* SPDX-License-Identifier: MIT */
/*
 * Tests: how one is written, chosen and reported. A test is a function in
 * tests/, found by the linker section that TEST() puts it into.
 */
#ifndef MINI_TAP_H
#define MINI_TAP_H

#include "lib/types.h"

struct test {
	const char *name;
	const char *rows; /* rows of FEATURES.md that it shows, space-separated */
	void (*run)(void);
	bool on_request; /* runs only if the command line names it: `*` alone does not */
};

/**
 * Define a test:
 *
 *     TEST(memory_map, "M10")
 *     {
 *             CHECK(start_info->memory_map_count > 0, "the memory map is empty");
 *     }
 *
 * It passes when it comes to its end. It starts with interrupts off in the kernel's space. Tests
 * run in the order of their names, which begin with what they are about.
 */
#define TEST(name_, rows_) TEST_ENTRY(name_, rows_, false)

/**
 * A test that takes long, or whose output is compared with another run's: it prints what it
 * observes on lines that begin with "= ", which must be the same on the bare CPU and virtualized.
 * Only for those who ask for it by name.
 */
#define TEST_ON_REQUEST(name_, rows_) TEST_ENTRY(name_, rows_, true)

#define TEST_ENTRY(name_, rows_, on_request_)                                                      \
	static void test_##name_(void);                                                            \
	static const struct test entry_##name_                                                     \
		__attribute__((section(".tests." #name_), used, aligned(8))) = {                   \
			#name_, rows_, test_##name_, on_request_};                                 \
	static void test_##name_(void)

/** Fail the running test with a reason and leave it, from however deep, unless `cond` holds. */
#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			test_fail(__VA_ARGS__);                                                    \
	} while (0)

/** Leave the running test as failed, or as not applicable on this machine. */
void test_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void test_fail_as_said(void) __attribute__((noreturn)); /* another CPU has, with its reason */
void test_skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/** Run what the command line asks for (`test=NAME,NAME...`, a name may end in `*`; all without
 * it), print TAP, and return whether nothing failed. No test of that name is a failure, too. */
bool tests_run(void);

#endif
