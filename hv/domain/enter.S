/* SPDX-License-Identifier: MIT */
/*
 * The way into the first guest. Vellum's part runs at its link address and
 * loads the guest's start tables, into which the caller has put Vellum's
 * top-level entries for this moment; the trampoline, a copy in the guest's
 * start area, runs at va == pa, takes them out again and sets up the state of
 * public/start.h. After its last jump no instruction of Vellum runs.
 */
#include "cpu/asm_offsets.h"

	.section .text, "ax"
/* start_area_enter(RDI root, RSI area, RDX entry, RCX boot_params) */
	.globl start_area_enter
start_area_enter:
	cli
	cld
	movq %rdi, %cr3
	leaq START_TRAMPOLINE(%rsi), %rax
	jmp *%rax

	.section .rodata, "a"
	.globl guest_trampoline, guest_trampoline_end
guest_trampoline:
	movq %rdx, %r8
	movq %rcx, %r9
	movq %rdi, %r10
	lgdt START_GDT_REGISTER(%rsi)
	lidt START_IDT_REGISTER(%rsi)
	leaq START_STACK(%rsi), %rsp
	leaq (1f - guest_trampoline + START_TRAMPOLINE)(%rsi), %rax
	pushq $START_GUEST_CS
	pushq %rax
	lretq
1:	movl $START_GUEST_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	lldt %ax
	/* Vellum leaves the address space. */
	leaq (FIRST_SLOT * 8)(%r10), %rdi
	movl $MAX_SLOTS, %ecx
	rep stosq
	movq %r10, %cr3
	leaq START_INFO(%rsi), %rdi
	movq %r8, %rax
	movq %r9, %rsi
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %ebp, %ebp
	xorl %esp, %esp
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	jmp *%rax
guest_trampoline_end:

	.section .note.GNU-stack, "", @progbits
