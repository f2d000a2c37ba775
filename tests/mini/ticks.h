/* SPDX-License-Identifier: MIT */
/*
 * Between the timers: the one counter that both feed.
 */
#ifndef MINI_TICKS_H
#define MINI_TICKS_H

#include "mini/traps.h"

void ticks_reset(void);

/** Handler of a timer interrupt. */
void ticks_count(const struct trap_frame *frame);

#endif
