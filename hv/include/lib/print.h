/* SPDX-License-Identifier: MIT */
/*
 * Formatting without a C library: pure, bounded, no allocation.
 */
#ifndef VELLUM_LIB_PRINT_H
#define VELLUM_LIB_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/**
 * Format into `buf` of `size` bytes, always zero-terminated when size > 0.
 * Conversions: %d %i %u %x %X %p %s %c %%, with flags '0' '-' '#', a width (number or *),
 * a precision for %s, and the length modifiers l, ll, z. Returns the length that the whole text
 * has, as the standard's snprintf does: >= size means it was cut.
 */
int vl_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vl_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

#endif
