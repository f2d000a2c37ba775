/* SPDX-License-Identifier: MIT */
/*
 * C entry of the boot.
 */
#ifndef VELLUM_BOOT_MAIN_H
#define VELLUM_BOOT_MAIN_H

#include "lib/types.h"

/** Bytes that are readable at the Multiboot2 information: it says its own size, this bounds it. */
#define BOOT_INFO_LIMIT (1 * MIB)

/**
 * Called once by boot/entry.S on the boot CPU's stack and the first page tables. `mbi`: machine
 * address of the Multiboot2 information, below 4 GiB; `tsc`: the TSC at entry.
 */
void boot_main(u64 mbi, u64 tsc) __attribute__((noreturn));

#endif
