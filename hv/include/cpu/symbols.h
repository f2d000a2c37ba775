/* SPDX-License-Identifier: MIT */
/*
 * Names of Vellum's functions, for backtraces. The table is made from the
 * linked image (scripts/gen-symbols) and linked in by a second pass.
 */
#ifndef VELLUM_CPU_SYMBOLS_H
#define VELLUM_CPU_SYMBOLS_H

#include "lib/types.h"

/* In ascending order. A panic has time to count, and the image is to be small: neither addresses
 * nor places of names are in it. */
extern const u16 symbol_steps[]; /* from the one before, the first from IMAGE_BASE */
extern const u32 symbol_count;
extern const char symbol_names[]; /* one behind the other, each zero-terminated */

/**
 * Name of the function that contains the address `va`, and how many bytes after its start that is.
 * NULL when va is not in Vellum's text.
 */
const char *symbol_find(u64 va, u64 *offset);

#endif
