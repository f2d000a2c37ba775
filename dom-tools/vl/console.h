/* SPDX-License-Identifier: MIT */
/*
 * The console of another domain at this terminal.
 */
#ifndef DOM_TOOLS_VL_CONSOLE_H
#define DOM_TOOLS_VL_CONSOLE_H

#include "dom-tools/lib/client.h"

/**
 * Show what the domain writes, from the oldest that is kept, and send it what is typed, until ^] is
 * typed or the domain is gone. Returns 0, or a negative errno with its sentence in `e`.
 */
int console_attach(struct vl_client *c, uint32_t domid, struct vl_error *e);

#endif
