/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls, from the page that guests call to the handlers.
 */
#ifndef VELLUM_HYPERCALL_HYPERCALL_H
#define VELLUM_HYPERCALL_HYPERCALL_H

#include "lib/types.h"
#include "public/hypercall.h"

/** What hypercall_enter() gives back to hypercall/page.S, in RAX and RDX. */
struct hypercall_result {
	s64 value;
	u64 nmi; /* not 0: an NMI came meanwhile and is to be handed on */
};

/** C side of hypercall_entry, on this CPU's hypervisor stack, interrupts off. */
struct hypercall_result hypercall_enter(u64 nr, const u64 arg[5], u64 guest_cs);

/** Fill one page with the hypercall page's code and data (`direct_map` is the guest's to write). */
void hypercall_page_fill(void *page);

#endif
