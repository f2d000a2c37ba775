/* SPDX-License-Identifier: MIT */
/*
 * What the tools learn about the machine from the kernel that they run on,
 * and not from Vellum.
 */
#ifndef DOM_TOOLS_LIB_MACHINE_H
#define DOM_TOOLS_LIB_MACHINE_H

#include <stdint.h>

#include "dom-tools/lib/error.h"

/**
 * Bytes that this guest could give away without swapping (MemAvailable): memory of later guests
 * comes from there. Returns 0 or a negative errno with its sentence in `e`.
 */
int machine_available_memory(uint64_t *bytes, struct vl_error *e);

/** Ticks of the time stamp counter a second, measured in 50 ms by the kernel's clock. */
uint64_t machine_tsc_rate(void);

#endif
