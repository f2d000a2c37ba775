/* SPDX-License-Identifier: MIT */
/*
 * Names of Vellum's functions, for backtraces. The table is made from the
 * linked image (scripts/gen-symbols) and linked in by a second pass.
 */
#ifndef VELLUM_CPU_SYMBOLS_H
#define VELLUM_CPU_SYMBOLS_H

#include "lib/types.h"

struct symbol {
	u32 offset; /* from IMAGE_BASE */
	u32 name;   /* offset in symbol_names */
};

extern const struct symbol symbol_table[]; /* sorted by offset */
extern const u32 symbol_count;
extern const char symbol_names[];

/**
 * Name of the function that contains the address `va`, and how many bytes after its start that is.
 * NULL when va is not in Vellum's text.
 */
const char *symbol_find(u64 va, u64 *offset);

#endif
