/* SPDX-License-Identifier: MIT */
/*
 * A later guest that answers each event with one (mini/role.h).
 */
#ifndef MINI_ROLE_ANSWER_H
#define MINI_ROLE_ANSWER_H

/** For ever: opens a port for the first guest, prints "port N", and halts until events come, each
 * of which it sends back. */
void role_answer(void);

#endif
