/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that hit Vellum itself.
 */
#ifndef VELLUM_CPU_TRAP_H
#define VELLUM_CPU_TRAP_H

#include "lib/types.h"

/** What exceptions.S pushes, from low addresses to high. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector;
	u64 error;
	u64 rip, cs, rflags, rsp, ss; /* pushed by the CPU */
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "exceptions.S pushes 17 words, the CPU 5");

/**
 * Handle what hit Vellum itself. True: an NMI during a hypercall in passthrough, marked in struct
 * cpu, NMIs are to stay blocked. False: an interrupt or NMI for the guest that this CPU runs was
 * noted, go on. Everything else is a bug of Vellum and panics.
 */
bool trap(struct trap_frame *frame);

#endif
