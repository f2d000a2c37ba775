/* SPDX-License-Identifier: MIT */
/*
 * How many CPUs the machine has, as ACPI's MADT tells: a guest that is to start further ones needs
 * RAM below 1 MiB, where a processor begins (mem/memmap.h, MEM_WITH_LOW). Vellum starts none
 * itself.
 */
#ifndef VELLUM_BOOT_MADT_H
#define VELLUM_BOOT_MADT_H

#include "lib/types.h"

/** `size` readable bytes of machine memory from `ma` on, or NULL if they cannot be reached. */
typedef const u8 *(*madt_map_fn)(u64 ma, u32 size);

/**
 * CPUs in the MADT that are there or can be brought online, each local APIC once. `rsdp`: a copy of
 * ACPI's root pointer, `rsdp_size` bytes of it (0: none). 0 if there is no MADT, or firmware's
 * tables are damaged: a table counts only if its length and checksum are right.
 */
u32 madt_count_cpus(const u8 *rsdp, u32 rsdp_size, madt_map_fn map);

#endif
