/* SPDX-License-Identifier: MIT */
/*
 * Debug builds (`make DEBUG=1`) have what only tests may ask of a hypervisor.
 * Code for it is compiled always, so that it stays correct, and dropped by the
 * compiler in release builds.
 */
#ifndef VELLUM_LIB_DEBUG_H
#define VELLUM_LIB_DEBUG_H

#include <stdbool.h>

#ifndef VELLUM_DEBUG
#define VELLUM_DEBUG 0
#endif

static inline bool is_debug_build(void)
{
	return VELLUM_DEBUG != 0;
}

#endif
