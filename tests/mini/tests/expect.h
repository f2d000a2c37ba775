/* SPDX-License-Identifier: MIT */
/*
 * "This must trap so": checks that fail the running test when a function does
 * not raise exactly the exception named.
 */
#ifndef MINI_TESTS_EXPECT_H
#define MINI_TESTS_EXPECT_H

#include "mini/traps.h"

/** fn(arg) must raise `vector` with `error`. Returns what was caught, for more checks. */
struct trap_info expect_trap(void (*fn)(void *), void *arg, u64 vector, u64 error);

/** Reading, writing, calling `va` must raise #PF there with `error`. */
void expect_read_fault(va_t va, u64 error);
void expect_write_fault(va_t va, u64 error);
void expect_call_fault(va_t va, u64 error);

#endif
