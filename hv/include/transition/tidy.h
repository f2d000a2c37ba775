/* SPDX-License-Identifier: MIT */
/*
 * What a transition leaves to be done later, so that it is short.
 */
#ifndef VELLUM_TRANSITION_TIDY_H
#define VELLUM_TRANSITION_TIDY_H

#include "lib/failure.h"
#include "lib/types.h"

struct cpu_block;

/**
 * On a CPU in passthrough, in a hypercall: free up to `tables` shadow tables of the last
 * virtualized time of this CPU, and of one other in turn, since that may not call for long.
 */
void transition_tidy(u64 tables);

/** This CPU is about to be virtualized: do what is left to do, and nobody else may any more. Its
 * vcpu is new then. */
void transition_take(struct cpu_block *own);

/** It is in passthrough again, or has not left it. Any CPU may make its vcpu anew from here on. */
void transition_give(struct cpu_block *own);

/** What was made ready is for a guest that is no more. */
void transition_forget(void);

/** A shadow for the vcpu of this block; 0 or -VL_ENOMEM. */
int transition_make_shadow(struct cpu_block *b, struct failure *f);

#endif
