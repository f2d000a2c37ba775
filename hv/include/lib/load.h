/* SPDX-License-Identifier: MIT */
/*
 * Little-endian numbers at any address. The builtin is meant: in freestanding
 * code a plain memcpy() of four bytes would be a call.
 */
#ifndef VELLUM_LIB_LOAD_H
#define VELLUM_LIB_LOAD_H

#include "lib/types.h"

static inline u16 load16(const void *p)
{
	u16 x;

	__builtin_memcpy(&x, p, sizeof(x));
	return x;
}

static inline u32 load32(const void *p)
{
	u32 x;

	__builtin_memcpy(&x, p, sizeof(x));
	return x;
}

static inline u64 load64(const void *p)
{
	u64 x;

	__builtin_memcpy(&x, p, sizeof(x));
	return x;
}

#endif
