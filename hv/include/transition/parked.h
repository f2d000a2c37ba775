/* SPDX-License-Identifier: MIT */
/*
 * CPUs that are virtualized and parked: the guest has put them offline, by HLT
 * with interrupts disabled. They do not come to a transition; they are held where they are
 * while it is under way.
 */
#ifndef VELLUM_TRANSITION_PARKED_H
#define VELLUM_TRANSITION_PARKED_H

#include "domain/domain.h"

/**
 * Those that are parked stay so until parked_let_go() or parked_leave(). -VL_EBUSY, and nothing is
 * held: besides them there are not just so many virtualized CPUs as are `running`. One that is
 * parked wakes for a moment when it is asked for something.
 */
s64 parked_hold(u64 running);
void parked_let_go(void);

/** Those that are held have no vcpu any more, and wait for INIT. None hosts a later domain's. */
void parked_leave(struct domain *d);

#endif
