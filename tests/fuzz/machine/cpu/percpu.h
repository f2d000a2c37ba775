/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer's CPU is not found from its stack. Found before the real header.
 */
#ifndef VELLUM_TESTS_FUZZ_MACHINE_PERCPU_H
#define VELLUM_TESTS_FUZZ_MACHINE_PERCPU_H

#define this_cpu this_cpu_of_hypervisor
#include "hv/include/cpu/percpu.h"
#undef this_cpu

static inline struct cpu *this_cpu(void)
{
	return &boot_cpu.cpu;
}

#endif
