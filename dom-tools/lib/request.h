/* SPDX-License-Identifier: MIT */
/*
 * What the files of this library share to make hypercalls: one call, its
 * answer, and the sentence for an answer that its caller has no better one for.
 */
#ifndef DOM_TOOLS_LIB_REQUEST_H
#define DOM_TOOLS_LIB_REQUEST_H

#include "dom-tools/lib/client.h"

/** A call in the making: the name is for messages. */
struct request {
	const char *name;
	struct vl_ioctl_call io;
};

/** The call has a buffer, as its arguments `arg` and `arg` + 1. */
void request_buffer(struct request *r, uint32_t arg, void *buffer, size_t size);

/** Issue the call. Returns 0 and the answer, which is >= 0, or a negative errno with sentence. */
int request_answer(struct vl_client *c, struct request *r, uint64_t *result, struct vl_error *e);

/** Returns 0 if r->io.result is an answer, or a negative errno with sentence. */
int request_check(const struct vl_client *c, const struct request *r, struct vl_error *e);

/** The sentence for an answer that Vellum cannot give; returns -EPROTO. */
int request_nonsense(const struct request *r, struct vl_error *e, const char *what);

/** A call whose buffer, arguments `arg` and `arg` + 1, is a struct vl_console_read: text at `pos`.
 */
int request_text(struct vl_client *c, struct request *r, uint32_t arg, uint64_t pos,
		 struct vl_log_chunk *chunk, struct vl_error *e);

#endif
