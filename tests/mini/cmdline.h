/* SPDX-License-Identifier: MIT */
/*
 * The guest's command line: words separated by spaces, `name` or `name=value`.
 */
#ifndef MINI_CMDLINE_H
#define MINI_CMDLINE_H

#include "lib/types.h"

/** The whole line; "" if none was given. */
const char *cmdline(void);

/** Copy the value of the first word `name=value` into `value` (size bytes, cut if longer);
 * "" for the word `name` alone. False, and nothing copied, if there is neither. */
bool cmdline_get(const char *name, char *value, size_t size);

/** The value as a hexadecimal number, with or without 0x; false if absent or no number. */
bool cmdline_get_hex(const char *name, u64 *value);

#endif
