/* SPDX-License-Identifier: MIT */
/*
 * Included before every file of the hypervisor by the build: symbols are
 * hidden, so that position-independent code reaches them RIP-relative and not
 * through a GOT, which the linker cannot place at Vellum's link address.
 */
#ifndef VELLUM_LIB_HIDDEN_H
#define VELLUM_LIB_HIDDEN_H

#pragma GCC visibility push(hidden)

#endif
