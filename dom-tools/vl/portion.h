/* SPDX-License-Identifier: MIT */
/*
 * `vl virtualize --memory RANGE` and `vl devirtualize --memory RANGE`.
 */
#ifndef DOM_TOOLS_VL_PORTION_H
#define DOM_TOOLS_VL_PORTION_H

#include "dom-tools/vl/command.h"

/** Virtualize the command's operand, or no longer. */
int portion_switch(struct invocation *inv, uint32_t mode, struct vl_error *e);

/** Virtualize what is still left out, if *is_part: some of memory is virtualized, and not all. */
int portion_add_rest(struct invocation *inv, bool *is_part, struct vl_error *e);

#endif
