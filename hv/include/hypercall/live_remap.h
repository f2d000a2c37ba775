/* SPDX-License-Identifier: MIT */
/*
 * While a later domain is remapped live beside others, which is a test of debug
 * builds, no frame changes hands.
 */
#ifndef VELLUM_HYPERCALL_LIVE_REMAP_H
#define VELLUM_HYPERCALL_LIVE_REMAP_H

#include "lib/types.h"

struct vcpu;

/** Whether one is on. Under remote_begin_alone(), from which on it stays so. */
bool live_remap_is_on(void);

/** End it where it is, if one is on: each page stays where it has come to. Under
 * remote_begin_alone(); all domains stand still meanwhile. */
void live_remap_end(struct vcpu *v);

#endif
