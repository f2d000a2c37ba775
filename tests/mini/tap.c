// SPDX-License-Identifier: MIT
/*
 * The test runner. Each test runs inside trap_catch(), so an exception that it
 * did not ask for fails that test alone, and test_fail() is an exception made
 * by software. Lines that are no TAP start with '#'.
 */
#include "mini/tap.h"

#include <stdarg.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/traps.h"
#include "mini/virtual.h"

/* Thrown like exceptions; no vector has these numbers. */
#define THROW_FAIL (NR_VECTORS + 1)
#define THROW_SKIP (NR_VECTORS + 2)

extern const struct test tests_start[], tests_end[]; /* mini.lds.S */

static char wanted[256];
static char reason[256];

void test_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vl_vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	trap_throw(THROW_FAIL);
}

void test_fail_as_said(void)
{
	trap_throw(THROW_FAIL);
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vl_vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	trap_throw(THROW_SKIP);
}

/* Whether `name` fits the first `n` characters of `pattern`. */
static bool matches(const char *name, const char *pattern, size_t n)
{
	if (n > 0 && pattern[n - 1] == '*')
		return strncmp(name, pattern, n - 1) == 0;
	return strlen(name) == n && strncmp(name, pattern, n) == 0;
}

static bool is_wanted(const struct test *test)
{
	const char *p = wanted;
	size_t n;

	for (;;) {
		for (n = 0; p[n] != 0 && p[n] != ',';)
			n++;
		if (matches(test->name, p, n) && !(test->on_request && p[0] == '*'))
			return true;
		if (p[n] == 0)
			return false;
		p += n + 1;
	}
}

static void call_test(void *arg)
{
	const struct test *test = arg;

	test->run();
}

static bool run_one(const struct test *test, int number)
{
	struct trap_info info;
	bool left = trap_catch(call_test, (void *)(uintptr_t)test, &info);

	interrupts_off();
	space_load(&kernel_space);
	if (!left)
		print("ok %d - %s\n", number, test->name);
	else if (info.vector == THROW_SKIP)
		print("ok %d - %s # SKIP %s\n", number, test->name, reason);
	else if (info.vector == THROW_FAIL)
		print("not ok %d - %s: %s\n", number, test->name, reason);
	else
		print("not ok %d - %s: unexpected %s error %#lx at %#lx, cr2 %#lx\n", number,
		      test->name, trap_name(info.vector), info.error, info.rip, info.cr2);
	return !left || info.vector == THROW_SKIP;
}

/* With `virtualized` on the command line every test runs at ring 3 on shadow tables: what it sees
 * must not differ, so the tests themselves do not know. A kernel that began there stays until a
 * test leaves. */
static void enter_mode(u64 more)
{
	s64 answer = is_virtualized() ? 0 : virtualize(more);

	if (answer < 0 || !is_virtualized())
		print("Bail out! virtualize answered %ld\n", answer);
}

static void leave_mode(void)
{
	s64 answer = is_virtualized() ? devirtualize() : 0;

	if (answer < 0 || is_virtualized())
		print("Bail out! devirtualize answered %ld\n", answer);
}

bool tests_run(void)
{
	char value[2];
	bool virtualized = cmdline_get("virtualized", value, sizeof(value));
	bool stays = (start_info->flags & VL_START_VIRTUALIZED) != 0;
	u64 more = cmdline_get("iopl3", value, sizeof(value)) ? VL_DEBUG_IOPL3 : 0;
	int number = 0, failed = 0, count = 0;

	more |= cmdline_get("io", value, sizeof(value)) ? VL_LAYER_IO : 0;
	if (!cmdline_get("test", wanted, sizeof(wanted)) || strcmp(wanted, "all") == 0)
		memcpy(wanted, "*", 2);
	for (const struct test *t = tests_start; t < tests_end; t++)
		count += is_wanted(t);
	print("1..%d\n", count);
	for (const struct test *t = tests_start; t < tests_end; t++) {
		if (!is_wanted(t))
			continue;
		print("# %s shows: %s\n", t->name, t->rows);
		if (virtualized)
			enter_mode(more);
		failed += !run_one(t, ++number);
		if (virtualized && !stays)
			leave_mode();
	}
	if (count == 0)
		print("Bail out! no test is named %s\n", wanted);
	print("# %d passed, %d failed\n", count - failed, failed);
	return count > 0 && failed == 0;
}
