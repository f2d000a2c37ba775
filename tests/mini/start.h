/* SPDX-License-Identifier: MIT */
/*
 * From assembly to C.
 */
#ifndef MINI_START_H
#define MINI_START_H

#include "lib/types.h"

/** Called by entry.S on the boot stack, with the boot page tables, interrupts off. */
void start(pa_t info) __attribute__((noreturn));

#endif
