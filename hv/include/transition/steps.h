/* SPDX-License-Identifier: MIT */
/*
 * What a transition does before its point of no return: steps that can fail,
 * each with what undoes it. The order is told once, and undone in reverse.
 */
#ifndef VELLUM_TRANSITION_STEPS_H
#define VELLUM_TRANSITION_STEPS_H

#include "lib/types.h"

struct vcpu;

struct transition_step {
	s64 (*make)(struct vcpu *v);  /* 0 or -VL_E*, having changed nothing then */
	void (*undo)(struct vcpu *v); /* NULL: nothing is left behind */
};

/** Undo what transition_prepare() has made, all of it. */
void transition_undo(struct vcpu *v, const struct transition_step *step, u32 count);

/**
 * Make all steps. Returns 0, or the first error, and all that was made is undone then. In debug
 * builds each step, and the point of no return, can be made to fail with -VL_EIO by the hypercall
 * set_failpoint; this uses the failpoint up, unless a step answers -VL_EAGAIN.
 */
s64 transition_prepare(struct vcpu *v, const struct transition_step *step, u32 count);

#endif
