/* SPDX-License-Identifier: MIT */
/*
 * The homecoming of a guest that has got the machine: before it can be
 * devirtualized, each of its pages has to be in the frame of its own number.
 * It is made in pieces, in which the guest stands still: by devirtualize, or,
 * live, by Vellum's timer while the guest runs.
 */
#ifndef VELLUM_TRANSITION_HOME_H
#define VELLUM_TRANSITION_HOME_H

#include "lib/types.h"

struct domain;
struct vcpu;

/** Whether this domain's memory can come home so (VL_REMAP_*, VL_HOME_STOP), on the CPU of `v`: 0,
 * -VL_EINVAL, -VL_E2BIG or -VL_EOPNOTSUPP, as VL_CALL_HOME has them. */
s64 home_check(const struct vcpu *v, const struct domain *d, u64 how);

/** This vcpu's domain has got the machine, and home_check() was 0. Alone on the machine. */
void home_begin(struct vcpu *v, u64 how);

/** Whether there are pieces to make before the domain can be devirtualized. */
bool home_is_ahead(const struct domain *d);

/**
 * For call_devirtualize(), while home_is_ahead(): the next piece, whose time does not go by how
 * much memory there is. The vcpu's others stand still meanwhile. Never 0:
 *  -VL_EAGAIN: call again; the guest may run in between;
 *  -VL_ENOMEM: the partition has no room for what the planner keeps;
 *  -VL_EIO: a failpoint.
 * After any of them each page is where the p2m says.
 */
s64 home_come(struct vcpu *v);

#endif
