/* SPDX-License-Identifier: MIT */
/*
 * The few functions of <string.h> that freestanding code needs, with the
 * standard's own names, contracts and prototypes: on a host (unit tests,
 * fuzzers) the C library's are used instead, so that sanitizers see them.
 */
#ifndef VELLUM_LIB_STRING_H
#define VELLUM_LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

#endif
