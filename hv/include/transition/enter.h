/* SPDX-License-Identifier: MIT */
/*
 * What entering ring 3 is, whether the vcpu was captured (transition/virtualize.c)
 * or begins (transition/fresh.c). Nothing of it can fail.
 */
#ifndef VELLUM_TRANSITION_ENTER_H
#define VELLUM_TRANSITION_ENTER_H

#include "lib/types.h"

struct domain;
struct vcpu;

/** What is the domain's, once: these layers (VL_LAYER_*) are virtualized from now on. */
void transition_enter_domain(struct domain *d, u64 layers);

/** What is the CPU's: this CPU runs `v`, on its shadow and on Vellum's descriptor tables. */
void transition_enter_cpu(struct vcpu *v);

/** After that and whatever else: serve what others asked meanwhile, and v->frame can be resumed. */
void transition_enter_done(struct vcpu *v);

#endif
