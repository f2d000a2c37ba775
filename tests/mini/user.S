/* SPDX-License-Identifier: MIT */
/*
 *   void user_enter(const struct trap_frame *regs, u64 sysret)
 *       to ring 3; returns when user_resume() is called
 *   void user_resume(void)
 */
#include "mini/layout.h"
#include "mini/segments.h"
#include "mini/traps.h"

	.text
	.globl user_enter
user_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %gs:CPU_LEAVE_RSP
	mov %rdi, %r12
	mov %rsi, %r13
	/* The CPU aligns RSP0 by itself, SYSCALL's entry does not. */
	mov %rsp, %rdi
	and $-16, %rdi
	mov %rdi, %rsp
	call segments_set_kernel_stack
	mov %r12, %rdi
	test %r13, %r13
	jz trap_return

	/* The frame's layout is that of traps.h: 15 registers, vector, error, rip, cs, rflags, rsp. */
	mov %rdi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	add $8, %rsp
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	add $8, %rsp
	pop %rax
	mov 16(%rsp), %rcx
	mov 32(%rsp), %r11
	mov 40(%rsp), %rsp
	swapgs
	sysretq

	.globl user_resume
user_resume:
	mov %gs:CPU_LEAVE_RSP, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
