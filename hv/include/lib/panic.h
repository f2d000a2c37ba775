/* SPDX-License-Identifier: MIT */
/*
 * The end: for bugs of Vellum only, a guest's mistake never leads here.
 * Declared on the lowest floor so that every file can assert; cpu/panic.c,
 * which knows registers and stacks, does it.
 */
#ifndef VELLUM_LIB_PANIC_H
#define VELLUM_LIB_PANIC_H

/** Print the message, a symbolized backtrace and the recent events; halt. */
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/** Panic unless `condition` holds: for what only a bug of Vellum can break. */
#define assert(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			panic("assertion failed: %s, %s:%d", #condition, __FILE__, __LINE__);      \
	} while (0)

#endif
