// SPDX-License-Identifier: MIT
/*
 * The optimisations that are on (lib/switches.h).
 */
#include "lib/switches.h"

struct switches switches = {.shadow = VL_SHADOW_ALL, .fast = VL_FAST_ALL};
