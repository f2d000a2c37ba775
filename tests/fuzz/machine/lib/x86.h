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
#include "hv/include/lib/x86.h"
#undef read_cr3
#undef write_cr3
#undef invlpg

/** The fuzzer's CR3; write_cr3() checks that it may be loaded. */
u64 read_cr3(void);
void write_cr3(u64 value);
void invlpg(u64 va);

#endif
