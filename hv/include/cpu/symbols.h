/* SPDX-License-Identifier: MIT */
/*
 * Names of Vellum's functions, for backtraces. The table is made from the
 * linked image (scripts/gen-symbols) and linked in by a second pass.
 */
#ifndef VELLUM_CPU_SYMBOLS_H
#define VELLUM_CPU_SYMBOLS_H

#include "lib/types.h"

#define SYMBOL_NAME 48 /* bytes; what is longer is cut */

/* In ascending order. A panic has time to count, and the image is to be small: neither addresses
 * nor places of names are in it, and a letter of a name has six bits. */
extern const u16 symbol_steps[]; /* from the one before, the first from IMAGE_BASE */
extern const u32 symbol_count;
extern const u8 symbol_names[]; /* one behind the other */

/**
 * The function that contains the address `va`: its name, zero-terminated, and how many bytes after
 * its start that is. False when va is not in Vellum's text.
 */
bool symbol_find(u64 va, char name[static SYMBOL_NAME], u64 *offset);

#endif
