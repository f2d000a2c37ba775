/* SPDX-License-Identifier: MIT */
/*
 * From the stack of one block to that of another (cpu/sched.h). All that a
 * function of C keeps is on the stack that is left.
 */

	.section .text, "ax"
/* void switch_stacks(u64 *left /rdi/, u64 rsp /rsi/): returns when somebody comes back to *left. The
 * first time on a stack, what is there is made by sched_make_stack() in hv/cpu/sched.c. */
	.globl switch_stacks
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
