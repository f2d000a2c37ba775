/* SPDX-License-Identifier: MIT */
/*
 * Which portions of this guest's memory are virtualized: the hypercalls for it
 * as C functions.
 *
 * Every function returns 0, or a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_LIB_PORTIONS_H
#define DOM_TOOLS_LIB_PORTIONS_H

#include <stdbool.h>

#include "dom-tools/lib/client.h"

/** What is virtualized, in ascending order. ENOSYS: Vellum is too old to tell. */
int vl_get_portions(struct vl_client *c, struct vl_portions *p, struct vl_error *e);

/**
 * Add a portion to what is virtualized, or take it off; its size may be VL_PORTION_REST. EEXIST and
 * ENOENT: there is nothing to do; ERANGE: it ends behind the guest's memory; EBUSY: other domains
 * need it; ENOSPC: too many portions.
 */
int vl_change_portion(struct vl_client *c, bool add, const struct vl_portion *p,
		      struct vl_error *e);

#endif
