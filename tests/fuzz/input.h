/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing of what is no parser: the input is a row of decisions, each a byte; when it has ended,
 * all others are 0.
 */
#ifndef VELLUM_TESTS_FUZZ_INPUT_H
#define VELLUM_TESTS_FUZZ_INPUT_H

#include "lib/types.h"

struct input {
	const u8 *p;
	size_t left;
};

static inline u8 input_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

#endif
