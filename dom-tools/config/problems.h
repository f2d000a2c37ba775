/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a configuration, all of it. Checks add what they find
 * and go on; who prints sorts first, so that the order is that of the file
 * however many passes there were.
 */
#ifndef DOM_TOOLS_CONFIG_PROBLEMS_H
#define DOM_TOOLS_CONFIG_PROBLEMS_H

#include <stddef.h>
#include <stdint.h>

/** A place in the file; both count from 1, columns in bytes. Line 0: no place of its own. */
struct position {
	uint32_t line;
	uint32_t column;
};

enum severity {
	PROBLEM_ERROR,
	PROBLEM_WARNING, /* it works, but hardly as it was meant */
};

struct problem {
	struct position at;
	enum severity severity;
	char text[256]; /* what is wrong, then what helps; no full stop, no newline */
};

/** More than these help nobody: one says that there are more, the rest are only counted. */
#define MAX_PROBLEMS 100

/** Start with {0}. */
struct problems {
	size_t count; /* in list */
	size_t errors;
	size_t warnings;
	struct problem list[MAX_PROBLEMS];
};

/** Add one. */
void problem_add(struct problems *p, enum severity severity, struct position at, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));

/** Sort by place; those without one come last. */
void problems_sort(struct problems *p);

#endif
