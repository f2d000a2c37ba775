/* SPDX-License-Identifier: MIT */
/*
 * Protection keys of user pages.
 */
#ifndef MINI_TESTS_KEYS_H
#define MINI_TESTS_KEYS_H

#include "mini/cpu.h"

#define CR4_PKE       0x400000u
#define PF_K          0x20u /* error code: a protection key */
#define PTE_KEY_SHIFT 59

static inline bool keys_exist(void)
{
	return cpuid(0).eax >= 7 && (cpuid(7).ecx & 8) != 0;
}

/* With CR4.PKE only. */
static inline u32 read_pkru(void)
{
	u32 low;

	asm volatile("rdpkru" : "=a"(low) : "c"(0) : "edx");
	return low;
}

static inline void write_pkru(u32 value)
{
	asm volatile("wrpkru" ::"a"(value), "c"(0), "d"(0) : "memory");
}

#endif
