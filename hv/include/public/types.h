/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width integers for the ABI headers. They are the only thing that the
 * ABI takes from its surroundings, so that any kernel, in any build, can
 * include it.
 */
#ifndef VELLUM_PUBLIC_TYPES_H
#define VELLUM_PUBLIC_TYPES_H

#if defined(__KERNEL__) && defined(__linux__)
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/** Pin the layout of a shared structure; `what` becomes the compiler's message. */
#define VL_ABI_ASSERT(cond, what) _Static_assert(cond, what)

#endif
