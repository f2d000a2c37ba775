/* SPDX-License-Identifier: MIT */
/*
 * Calling Vellum. After hypercall_init(), pass hypercall_page to the wrappers
 * of public/calls.h:
 *
 *     version = vl_call_version(hypercall_page);
 */
#ifndef MINI_HYPERCALL_H
#define MINI_HYPERCALL_H

#include "lib/types.h"
#include "public/calls.h"

/** Our copy of the page, as the function that it starts with. */
int64_t hypercall_page(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		       uint64_t a5);

/** The data in our copy. Read only; what lies there is Vellum's. */
const struct vl_hypercall_data *hypercall_data(void);

/** Copy the page that the start info names, and tell it where the direct map is. Needs the
 * final page tables. */
void hypercall_init(void);

#endif
