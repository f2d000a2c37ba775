/* SPDX-License-Identifier: MIT */
/*
 * What lwIP wants to know of the compiler and of the kernel around it: it looks for this file by
 * this name.
 */
#ifndef MINI_LWIP_CC_H
#define MINI_LWIP_CC_H

#include <limits.h>

#include "mini/console.h"
#include "mini/exit.h"

#define LWIP_NO_INTTYPES_H   1
#define LWIP_NO_CTYPE_H      1
#define LWIP_NO_UNISTD_H     1
#define LWIP_TIMEVAL_PRIVATE 0

/* It is unistd.h's otherwise, which is none of a kernel's; where lwIP finds no SSIZE_MAX it makes
 * another one. */
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
typedef long ssize_t;

#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

#define LWIP_PLATFORM_DIAG(words)    print words
#define LWIP_PLATFORM_ASSERT(reason) panic("lwIP: %s", reason)

/** Random enough for ports and sequence numbers of a test. */
unsigned int stack_random(void);
#define LWIP_RAND() stack_random()

#endif
