/* SPDX-License-Identifier: MIT */
/*
 * The uplink: a network card that is Vellum's (cpu/pci_owner.h), as a port of
 * the switch between later domains' network devices. There is one at most.
 *
 * Frames for the outside leave in the exit of the guest that sends them. Those from there are
 * looked for at the end of an exit or in a HLT, each millisecond, as long as the CPU has vcpus of
 * later domains (sched.c).
 */
#ifndef VELLUM_CPU_UPLINK_H
#define VELLUM_CPU_UPLINK_H

#include "cpu/vcpu.h"
#include "io/switch.h"

/** See call uplink. Alone, with the other vcpus of the guest standing still. */
s64 uplink_on(const struct vcpu *v, u32 function, const char *bridge);
s64 uplink_tell(u32 function, struct vl_uplink *out);
void uplink_off(void);

/** The machine changes hands: there is none any more, if there was one. */
void uplink_end(void);

/** When to look for frames, a TSC; CLOCK_NEVER: there is none. And look. */
u64 uplink_due(void);
void uplink_poll(void);

/** With the switch: something waits at its port. */
void uplink_transmit(struct net_switch *s);

#endif
