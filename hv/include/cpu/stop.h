/* SPDX-License-Identifier: MIT */
/*
 * Stopping the other CPUs, for good: a panic, or a guest that cannot go on.
 */
#ifndef VELLUM_CPU_STOP_H
#define VELLUM_CPU_STOP_H

#include "cpu/percpu.h"
#include "cpu/trap.h"

/**
 * Stop all CPUs but this one. Those that run Vellum or a virtualized guest halt where an NMI finds
 * them, and say where that was (struct cpu's `stopped`). One that the guest has for itself has to
 * be stopped by INIT; so has one that does not answer.
 */
void stop_others(void);

/** In an NMI, which hit Vellum or the guest at `frame`: if another CPU wants this one to stop, it
 * does not return. */
void stop_if_asked(const struct trap_frame *frame, enum cpu_stopped where);

#endif
