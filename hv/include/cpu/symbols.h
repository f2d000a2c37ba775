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
extern const u8 symbol_pairs[][2]; /* what a byte that no name has stands for */
extern const u8 symbol_names[];    /* one behind the other, each zero-terminated */

#define SYMBOL_SIZE 48u

/**
 * Name of the function that contains the address `va`, cut if it is too long, and how many bytes
 * after its start that is. False when va is not in Vellum's text.
 */
bool symbol_find(u64 va, char name[SYMBOL_SIZE], u64 *offset);

#endif
