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
#include "cpu/asm_frame.h"
#include "cpu/asm_offsets.h"


	.section .text, "ax"
	.balign EXCEPTION_STUB
	.globl exception_stubs, interrupt_stubs
exception_stubs:
	.set vector, 0
	.rept FIRST_INTERRUPT
	.balign EXCEPTION_STUB
	/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX push an error code. */
	.if !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
	pushq $0
	.else
	/* An 8259 may be programmed to these vectors, and then there is none: the CPU aligns RSP
	 * before it pushes five words or six. */
	testb $8, %spl
	jz 1f
	pushq $0
1:
	.endif
	pushq $vector
	jmp exception_common
	.set vector, vector + 1
	.endr

	/* Half as long: no error code, and the vector as a signed byte. */
	.balign INTERRUPT_STUB
interrupt_stubs:
	.rept 256 - FIRST_INTERRUPT
	.balign INTERRUPT_STUB
	.if vector < 128
	pushq $vector
	.else
	pushq $(vector - 256)
	.endif
	jmp interrupt_common
	.set vector, vector + 1
	.endr

interrupt_common:
	pushq (%rsp)
	movq $0, 8(%rsp)
	testb $0x80, (%rsp)
	jz exception_common
	addq $256, (%rsp)
exception_common:
	cld
	PUSH_REGISTERS
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	testb $3, FRAME_CS(%rbx)
	jnz from_guest
	call trap
	movq %rbx, %rsp
	testl %eax, %eax
	jz resume_frame
	POP_REGISTERS
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

from_guest:
	movq (cpu_window + CPU_STACK_TOP)(%rip), %rdi
	subq $FRAME_SIZE, %rdi
	cmpq %rdi, %rbx
	jne from_guest_by_ist
exit_from_guest:
	call vcpu_exit
	movq %rbx, %rsp
/* RSP: a struct trap_frame, to be resumed by IRETQ. */
	.globl resume_frame, resume_iretq
resume_frame:
	POP_REGISTERS
	cmpq $0, (%rsp) /* trap_frame.vector: the stack to return from, see vcpu_resume16() */
	jne 1f
	addq $16, %rsp
resume_iretq:
	iretq
1:	movq (%rsp), %rsp
	iretq

/* Any IRETQ of Vellum's lets the next NMI come, which would find this one's frame on its stack; a
 * breakpoint of the guest's on a port hits Vellum, too, and would find that of the one before. So
 * they go on where the guest's other exits are, whose stack is larger, too. */
from_guest_by_ist:
	movq %rbx, %rsi
	movq %rdi, %rbx
	movl $(FRAME_SIZE / 8), %ecx
	rep movsq
	movq %rbx, %rsp
	movq %rbx, %rdi
	andq $-16, %rsp
	jmp exit_from_guest

/*
 * SYSCALL from ring 3 where fast.S does not serve it: RCX = RIP, R11 = RFLAGS, flags masked, all
 * else the guest's but RSP, which is in entry.rsp already. Makes the frame that an exception would
 * have made; which selectors the guest had follows from its virtual CPL (real ones are in the frame's
 * place for a user, see cpu/vcpu.c).
 */
	.macro SYSCALL_EXIT vector, cs
	movq (cpu_window + CPU_STACK_TOP)(%rip), %rsp
	pushq $SYSCALL_SS
	pushq (cpu_window + FAST_ENTRY_RSP)(%rip)
	pushq %r11
	pushq $\cs
	pushq %rcx
	pushq $0
	pushq $\vector
	jmp exception_common
	.endm

	.globl syscall_exit, syscall32_entry, sysenter_entry
syscall_exit:
	SYSCALL_EXIT EXIT_SYSCALL_VECTOR, SYSCALL_CS
syscall32_entry:
	movq %rsp, (cpu_window + FAST_ENTRY_RSP)(%rip)
	SYSCALL_EXIT EXIT_SYSCALL32_VECTOR, SYSCALL_CS32
/*
 * SYSENTER from ring 3: the stack is ours, flags but IF the guest's, and nothing tells where it
 * was; that is so on bare hardware too.
 */
sysenter_entry:
	pushq $SYSCALL_SS
	pushq $0
	pushfq
	pushq $SYSCALL_CS32
	pushq $0
	pushq $0
	pushq $EXIT_SYSENTER_VECTOR
	jmp exception_common

	.section .note.GNU-stack, "", @progbits
