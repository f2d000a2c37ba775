/* SPDX-License-Identifier: MIT */
/*
 * The memory of a fuzzer's machine is an array, and the direct map is where
 * that stands. Found before the real header, of which all else is as it is.
 */
#ifndef VELLUM_TESTS_FUZZ_MACHINE_LAYOUT_H
#define VELLUM_TESTS_FUZZ_MACHINE_LAYOUT_H

#define direct direct_of_hypervisor
#include "hv/include/mem/layout.h"
#undef direct
#undef DIRECT_BASE

#define MACHINE_SIZE (16 * MIB)
extern u8 machine[MACHINE_SIZE];

#define DIRECT_BASE ((u64)machine)

/** The byte at a machine address; aborts where the machine has no memory. */
void *direct(ma_t ma);

#endif
