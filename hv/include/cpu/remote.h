/* SPDX-License-Identifier: MIT */
/*
 * Virtual CPUs ask each other: see domain/remote.h for the protocol.
 */
#ifndef VELLUM_CPU_REMOTE_H
#define VELLUM_CPU_REMOTE_H

#include "cpu/vcpu.h"

/* TSC ticks: much longer than an exit, much shorter than what anybody notices. */
#define KICK_AGAIN ((u64)200000)

/** From here on others may ask this CPU's vcpu; its paging mode is captured. And no longer. */
void remote_enter(struct vcpu *v);
void remote_leave(struct vcpu *v);

/** Wait for a kick that is on its way to the vcpu's CPU: it would be the guest's NMI, once that has
 * its own tables. Nobody may ask for anything meanwhile. */
void remote_settle(const struct vcpu *v);

/** The vcpu that runs on a CPU; NULL: it is not virtualized. Of another CPU, it may be over at any
 * time; its memory stays. */
struct vcpu *remote_vcpu(const struct domain *d, u32 cpu);

/** Serve what waits. Only where nothing of the guest is in hand that a flush or a change of the p2m
 * would invalidate; no lock is held. */
void remote_serve(struct vcpu *v);

/** VL_CALL_MMU_FLUSH_REMOTE of a virtualized guest. */
s64 vcpu_mmu_flush_remote(struct vcpu *v, u64 cpus, u64 space, u64 va);

/** Send `other` an NMI, of the guest's. Returns when it has it. */
void remote_send_nmi(struct vcpu *v, struct vcpu *other);

/** Something waits for the vcpu of a CPU, which it finds when it looks: at its next exit, which
 * comes now. */
void remote_look(struct vcpu *v, u32 cpu);

/** Whether the guest has put this CPU aside; and: its vcpu is over, as it is parked (`from`:
 * CPU_PARKED or CPU_HELD), and the CPU waits for INIT. False: it woke up meanwhile. */
bool remote_is_parked(const struct vcpu *v);
bool remote_give_up(struct domain *d, u32 cpu, u32 from);

/**
 * Around every change of what physical memory is for a virtualized domain (p2m, aliases, traps):
 * its other vcpus stand still between the two, outside the guest, and flush all afterwards, as
 * does the caller's. One CPU at a time, of whatever domain; no lock is held.
 */
void remote_stop_others(struct vcpu *v);
void remote_start_others(struct vcpu *v);

/** Between the two: the same for the vcpus of another domain. */
void remote_stop_domain(struct vcpu *v, const struct domain *d);
void remote_start_domain(struct vcpu *v, const struct domain *d);

/**
 * That one CPU alone, for what changes no memory that a vcpu can use; `v` NULL: in passthrough.
 * Around the joining of a CPU, too, from its look at what memory is to remote_enter(): whoever
 * changes that would find no vcpu to stop in between.
 */
void remote_begin_alone(struct vcpu *v);
void remote_end_alone(struct vcpu *v);

#endif
