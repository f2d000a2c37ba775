/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls, from the page that guests call to the handlers.
 */
#ifndef VELLUM_HYPERCALL_HYPERCALL_H
#define VELLUM_HYPERCALL_HYPERCALL_H

#include "cpu/trap.h"
#include "lib/types.h"
#include "public/hypercall.h"

struct domain;

/** How hypercall/page.S leaves after hypercall_enter(). */
enum hypercall_way {
	HYPERCALL_PASSTHROUGH, /* return, at ring 0 */
	HYPERCALL_NMI,         /* return, and hand an NMI on */
	HYPERCALL_VIRTUALIZED, /* IRETQ to the frame, which is for ring 3 by now */
};

/**
 * C side of hypercall_entry, on this CPU's hypervisor stack, interrupts off. `frame` is the state
 * that the guest goes on with; its registers hold number and arguments, RAX takes the result.
 */
enum hypercall_way hypercall_enter(struct trap_frame *frame);

/** Perform a call of domain `d`: number in RDI, arguments in RSI, RDX, RCX, R8, R9. */
s64 hypercall_dispatch(struct domain *d, const struct trap_frame *frame);

/** Fill one page with the hypercall page's code and data (`direct_map` is the guest's to write). */
void hypercall_page_fill(void *page);

#endif
