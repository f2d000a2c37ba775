/* SPDX-License-Identifier: MIT */
/*
 * The first serial port, written to by polling, and printf on top of it.
 */
#ifndef MINI_CONSOLE_H
#define MINI_CONSOLE_H

#include <stdarg.h>

/** Program the 16550 at 0x3f8: 115200 baud, 8N1, no interrupts. */
void console_init(void);

/** Print one formatted text, at most 511 bytes of it; conversions of lib/print.h. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
