/* SPDX-License-Identifier: MIT */
/*
 * The buffers that calls are given: a physical address of the caller's and a
 * size, which are both its to choose. What is found there holds until the
 * caller's p2m changes, that is until its vcpu waits for anything; and the
 * guest may write to it meanwhile (invariants D1, D3).
 */
#ifndef VELLUM_HYPERCALL_BUFFER_H
#define VELLUM_HYPERCALL_BUFFER_H

#include "domain/domain.h"

/** Find one of `least` bytes and more. 0; -VL_EINVAL: it is smaller; -VL_EFAULT: it is not in the
 * caller's own RAM, or crosses a page boundary. */
s64 buffer_find(const struct domain *d, pa_t pa, u64 size, u64 least, u8 **at);

/** The same, and have a copy of its first `least` bytes, which are read once. */
s64 buffer_read(const struct domain *d, pa_t pa, u64 size, void *to, u64 least);

/** Fill it with an answer of `known` bytes, as far as they fit, and return how many those are; or
 * the error, with `least` 1. */
s64 buffer_answer(const struct domain *d, pa_t pa, u64 size, const void *from, u64 known);

#endif
