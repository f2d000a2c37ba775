/* SPDX-License-Identifier: MIT */
/*
 * --fail-at N, for tests: a step of what a command does fails.
 */
#ifndef DOM_TOOLS_VL_FAILPOINT_H
#define DOM_TOOLS_VL_FAILPOINT_H

#include "dom-tools/vl/command.h"

/** Set the failpoint if the user asked for one. Returns 0, or a negative errno with its sentence.
 */
int failpoint_set(struct invocation *inv, struct vl_error *e);

/** If Vellum was not asked, the failpoint is still there: take it back. */
void failpoint_clear(struct invocation *inv);

#endif
