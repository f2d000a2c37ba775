/* SPDX-License-Identifier: MIT */
/*
 * A later guest that is left the machine (mini/role.h).
 */
#ifndef MINI_ROLE_HEIR_H
#define MINI_ROLE_HEIR_H

#include "lib/types.h"

/** Returns when the machine is this guest's alone, in passthrough. */
void role_heir(void);

bool role_heir_owns_machine(void);

/** Of mini/role.c: memory that nobody else is to change, by a number of the command line, which
 * the second checks it with. */
u64 canary_begin(void);
void canary_check(u64 seed);

#endif
