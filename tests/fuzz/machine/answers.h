/* SPDX-License-Identifier: MIT */
/*
 * What hv/hypercall/hypercalls.def says that a call may answer.
 */
#ifndef VELLUM_TESTS_FUZZ_ANSWERS_H
#define VELLUM_TESTS_FUZZ_ANSWERS_H

#include "lib/types.h"

/** Whether the call is no function of memory alone, and not fuzzed here. */
bool answer_is_elsewhere(u64 nr);

/** Whether call `nr` may answer r; of a number without a call, -VL_ENOSYS alone. */
bool answer_is_defined(u64 nr, s64 r);

#endif
