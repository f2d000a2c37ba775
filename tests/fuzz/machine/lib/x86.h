/* SPDX-License-Identifier: MIT */
/*
 * The processor of a fuzzer: the real header with those privileged instructions
 * replaced that the hypercalls' paths execute. Found before the real one.
 */
#ifndef VELLUM_TESTS_FUZZ_MACHINE_X86_H
#define VELLUM_TESTS_FUZZ_MACHINE_X86_H

#define read_cr3  privileged_read_cr3
#define write_cr3 privileged_write_cr3
#define invlpg    privileged_invlpg
#define inl       privileged_inl
#define outl      privileged_outl
#include "hv/include/lib/x86.h"
#undef read_cr3
#undef write_cr3
#undef invlpg
#undef inl
#undef outl

/** The fuzzer's CR3; write_cr3() checks that it may be loaded. */
u64 read_cr3(void);
void write_cr3(u64 value);
void invlpg(u64 va);

/** Its bus, which has nothing on it. */
static inline u32 inl(u16 port)
{
	(void)port;
	return ~0u;
}

static inline void outl(u16 port, u32 value)
{
	(void)port;
	(void)value;
}

#endif
