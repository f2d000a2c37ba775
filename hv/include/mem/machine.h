/* SPDX-License-Identifier: MIT */
/*
 * The machine's memory map, as the boot loader gave it, in normal form.
 */
#ifndef VELLUM_MEM_MACHINE_H
#define VELLUM_MEM_MACHINE_H

#include "mem/memmap.h"

/** Set once at boot; read-only afterwards. */
struct memmap *machine_map(void);

#endif
