/* SPDX-License-Identifier: MIT */
/*
 * The homecoming of a guest that has got the machine: before it can be
 * devirtualized, each of its pages has to be in the frame of its own number.
 */
#ifndef VELLUM_TRANSITION_HOME_H
#define VELLUM_TRANSITION_HOME_H

#include "lib/types.h"

struct vcpu;

/**
 * For call_devirtualize(), while the domain's p2m is `own`: some more of its pages come home, in
 * time that does not go by how many there are. Alone on the machine; the vcpu's others stand still
 * meanwhile. Never 0:
 *  -VL_EAGAIN: call again, until the p2m is no longer `own`; the guest may run in between;
 *  -VL_ENOMEM: the partition has no room for what the planner keeps;
 *  -VL_EIO: a failpoint.
 * After any of them each page is where the p2m says.
 */
s64 home_come(struct vcpu *v);

#endif
