/* SPDX-License-Identifier: MIT */
/*
 * The role of a later guest that reaches the outside (mini/role.h).
 */
#ifndef MINI_ROLE_PING_H
#define MINI_ROLE_PING_H

#define PING_MAC   9u /* lowest byte of its address, see MAC_PREFIX */
#define PING_COUNT 50u

/* Asks the gateway of QEMU's user network, 10.0.2.2, for its address, and sends it echo requests
 * of all sizes, one after the other; ends. */
void role_ping(void);

#endif
