/* SPDX-License-Identifier: MIT */
/*
 * What this kernel is when another one made it (mini/other.h): the word
 * role=NAME of its command line says so; without it, it runs tests.
 */
#ifndef MINI_ROLE_H
#define MINI_ROLE_H

#include "lib/types.h"

/** Whether another guest made this one: it owns no hardware. */
bool is_later_guest(void);

/** Play the role that the command line names; returns if it names none. */
void role_play(void);

/** Try everything that is none of a guest's business. Whether nothing of it worked. */
bool hostile_all(void);

/** Make random calls with abusive arguments (seed=HEX of the command line, or the time), until one
 * of them ends this guest or it ends itself. */
void abuse(void);

#endif
