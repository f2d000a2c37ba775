/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing of parsers that want a large valid form before they look closer: the
 * input either is the file itself, or is a list of changes to a valid sample.
 */
#ifndef VELLUM_TESTS_FUZZ_DAMAGE_H
#define VELLUM_TESTS_FUZZ_DAMAGE_H

#include "lib/types.h"

/**
 * Make the parser's input. data[0] odd: the rest as it is. Even: `sample` (`size` bytes) with
 * changes {u16 offset, u8 kind, u8 value}, where kinds write a byte, a 32-bit extreme, or cut the
 * end. Returns a heap block of exactly *out_size bytes, so that reads past it are seen; free() it.
 */
u8 *damage(const u8 *data, size_t data_size, const u8 *sample, size_t size, size_t *out_size);

/** Abort with a message unless `holds`: how a fuzzer says that an invariant is broken. */
#define must(holds)                                                                                \
	do {                                                                                       \
		if (!(holds))                                                                      \
			broken(#holds, __FILE__, __LINE__);                                        \
	} while (0)
void broken(const char *what, const char *file, int line) __attribute__((noreturn));

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif
