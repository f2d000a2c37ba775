/* SPDX-License-Identifier: MIT */
/*
 * Errors are born with their sentence: the place that finds a problem says
 * what is wrong and what helps, in one sentence, and returns a negative errno.
 * Nothing between it and the place that prints adds to it.
 */
#ifndef VELLUM_LIB_FAILURE_H
#define VELLUM_LIB_FAILURE_H

/** One failure; `text` is "" when there was none. Lives on the caller's stack. */
struct failure {
	int err;        /* VL_E*, positive */
	char text[256]; /* one sentence: cause, then remedy; no newline */
};

/** Record a failure and return -err, so that callers write `return fail(f, VL_EINVAL, "...")`. */
int fail(struct failure *f, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
