/* SPDX-License-Identifier: MIT */
/*
 * The start area of a later guest is filled by the hypervisor's own code, in
 * this process. Its direct map is then the piece of memory in which the tool
 * has the area. Found before the real header, of which all else is as it is.
 */
#ifndef DOM_TOOLS_GUEST_HOST_LAYOUT_H
#define DOM_TOOLS_GUEST_HOST_LAYOUT_H

#define direct direct_of_hypervisor
#include "hv/include/mem/layout.h"
#undef direct

/** Where the tool has the byte at a physical address of the guest; ends it outside of the area. */
void *direct(ma_t ma);

#endif
