/* SPDX-License-Identifier: MIT */
/* STAND-IN until calls 30 and 31 are in calls.h: dropped then. */
#ifndef VELLUM_PUBLIC_GUESTS_H
#define VELLUM_PUBLIC_GUESTS_H

#include "calls.h"

#ifndef VL_CALL_DOMAIN_CONSOLE_READ
#define VL_CALL_DOMAIN_CONSOLE_READ  30
#define VL_CALL_DOMAIN_CONSOLE_WRITE 31
#endif

#endif
