/* SPDX-License-Identifier: MIT */
/*
 * The real descriptor tables: what of them is made once, at boot.
 */
#ifndef VELLUM_CPU_SEGMENTS_H
#define VELLUM_CPU_SEGMENTS_H

#include "lib/failure.h"

/** Vellum's own entries, IDT and TSS, and memory for the mirrored LDT: -VL_ENOMEM or 0. */
int segments_init(struct failure *f);

#endif
