/* SPDX-License-Identifier: MIT */
/*
 * For assembly: the general registers' part of struct trap_frame (cpu/trap.h),
 * pushed on top of vector and error code, and popped again.
 */
#ifndef VELLUM_CPU_ASM_FRAME_H
#define VELLUM_CPU_ASM_FRAME_H

/* clang-format off */
#ifdef __ASSEMBLER__

	.macro PUSH_REGISTERS
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro POP_REGISTERS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	.endm

#endif /* __ASSEMBLER__ */
/* clang-format on */

#endif
