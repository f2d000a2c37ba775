// SPDX-License-Identifier: MIT
/*
 * The optimisations that are on (domain/switches.h).
 */
#include "domain/switches.h"

struct switches switches = {.shadow = VL_SHADOW_ALL, .fast = VL_FAST_ALL};
