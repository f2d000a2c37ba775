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
 * Handle an exception. Returns only for an NMI during a hypercall, which it marks in struct cpu;
 * everything else is a bug of Vellum and panics.
 */
void trap(const struct trap_frame *frame);

#endif
