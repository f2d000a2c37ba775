/* SPDX-License-Identifier: MIT */
/*
 * Errors of the library are born with their sentence. The place that finds a
 * problem says what is wrong and what helps, once, for a person to read; what
 * lies between it and the place that prints adds nothing.
 */
#ifndef DOM_TOOLS_LIB_ERROR_H
#define DOM_TOOLS_LIB_ERROR_H

/** One failure; lives on the caller's stack and is valid only after a call failed. */
struct vl_error {
	int err;        /* errno or VL_E*, positive */
	char text[512]; /* one sentence, cause then remedy; no newline at its end */
};

/** Record a failure and return -err, so that callers write `return vl_fail(e, ENOENT, "...")`. */
int vl_fail(struct vl_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
