/* SPDX-License-Identifier: MIT */
/*
 * Dual mode: while this kernel is virtualized, its network card goes to Vellum and the
 * stack goes on with a virtio device of Vellum's, which has the card's address; and back. Neither
 * side resets the card, and nothing is lost on the way. With dual=reset both do, and what comes
 * meanwhile is lost: in Bochs, whose card has all descriptors when its tail is at its head, and so
 * cannot be left on.
 */
#ifndef MINI_LWIP_DUAL_H
#define MINI_LWIP_DUAL_H

#include "mini/lwip/nic.h"

/** `dual` is on the command line; `nic` is the card. */
void dual_start(const struct nic *nic);
bool dual_is_wanted(void);

/** Give the card away; have it back. Virtualized. */
void dual_take(void);
void dual_return(void);

/** No interrupt tells of frames now. */
bool dual_polls(void);

#endif
