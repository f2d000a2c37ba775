/* SPDX-License-Identifier: MIT */
/*
 * The end of the run: how the guest tells the machine that it is done.
 */
#ifndef MINI_EXIT_H
#define MINI_EXIT_H

#include "lib/types.h"

/** End the emulator. QEMU (-device isa-debug-exit,iobase=0xf4,iosize=4) exits with status 33 if
 * `ok`, else 35. Bochs shuts down by its port 0x8900. Any other machine is reset. */
void machine_exit(bool ok) __attribute__((noreturn));

/** Print why, registers being in the text, and end the run as failed. */
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
