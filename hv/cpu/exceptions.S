/* SPDX-License-Identifier: MIT */
/*
 * Entry points of exceptions that hit Vellum itself. Each stub makes the
 * frames equal (an error code of 0 where the CPU pushes none) and adds the
 * vector; the common part saves all registers as struct trap_frame
 * (cpu/trap.h) and calls trap().
 *
 * trap() returns for one case only, an NMI during a hypercall in passthrough.
 * The way back must not be IRETQ: NMIs stay blocked until the guest, which
 * gets this NMI when the hypercall ends, executes its own.
 */
#define STUB_SIZE 16

	.section .text, "ax"
	.balign STUB_SIZE
	.globl exception_stubs
exception_stubs:
	.set vector, 0
	.rept 32
	.balign STUB_SIZE
	/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX push an error code. */
	.if !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
	pushq $0
	.endif
	pushq $vector
	jmp exception_common
	.set vector, vector + 1
	.endr

exception_common:
	cld
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
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	call trap
	movq %rbx, %rsp
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
	addq $16, %rsp
	/* The frame lies right below the interrupted RSP (no IST): build {rcx, rax, rbx, rflags,
	 * rip} there, which ends where that RSP is, and pop it. */
	pushq %rax
	pushq %rbx
	pushq %rcx
	movq 24(%rsp), %rax /* rip */
	movq 40(%rsp), %rcx /* rflags */
	movq 48(%rsp), %rbx /* rsp */
	movq %rax, -8(%rbx)
	movq %rcx, -16(%rbx)
	popq %rcx
	movq %rcx, -40(%rbx)
	movq (%rsp), %rcx
	movq %rcx, -24(%rbx)
	movq 8(%rsp), %rcx
	movq %rcx, -32(%rbx)
	leaq -40(%rbx), %rsp
	popq %rcx
	popq %rax
	popq %rbx
	popfq
	ret

	.section .note.GNU-stack, "", @progbits
