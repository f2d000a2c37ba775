/* SPDX-License-Identifier: MIT */
/*
 * Taking the kernel's processors but the first one offline, and back.
 */
#ifndef VELLUM_TOOLS_CPUS_H
#define VELLUM_TOOLS_CPUS_H

#include <stdint.h>

#include "dom-tools/lib/error.h"

/** All that are online but the first: those that were, one bit each, go into `*taken`. 0, or an
 * error that names the one that would not go; then none has been taken. */
int cpus_take_offline(uint64_t *taken, struct vl_error *e);

/** Go on with the first one, and stay there if it is online. */
void cpus_use_first(void);

/** Those online again. What fails is left as it is: nothing else can be done about it. */
void cpus_bring_back(uint64_t taken);

#endif
