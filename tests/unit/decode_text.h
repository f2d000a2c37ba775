/* SPDX-License-Identifier: MIT */
/*
 * Decoded instructions as text, so that tests state what they expect in a form
 * that a person can check against a manual. Shared by the decoder's tests.
 */
#ifndef VELLUM_TESTS_DECODE_TEXT_H
#define VELLUM_TESTS_DECODE_TEXT_H

#include "cpu/decode.h"

/** Name of an operation as in INSN_OPS, "?" for anything else. */
const char *op_name(u8 op);

/**
 * Write what decode() answered to `text`: for an error "more", "unknown", "invalid" or "long",
 * else  [LOCK|REP|REPNE] OP[.size] [operands] [aN]  with the destination first, memory as
 * [segment:base+index*scale+disp][:bytes if not size], and N the address size if it is not the
 * mode's own. Registers have their 64-bit names whatever the size.
 */
void describe(int err, const struct insn *insn, char *text, size_t size);

#endif
