/* SPDX-License-Identifier: MIT */
/*
 * A guest of one page of code, which later.c copies to the first page of another
 * domain: position-independent, RDI says what it does (later.h). Its stack ends
 * LATER_STACK_END bytes behind its first instruction.
 */
#include "mini/tests/later.h"
#include "mini/traps.h"

	.section .rodata
	.balign 16
	.globl later_code, later_code_end
later_code:
	leaq later_code(%rip), %rsp
	addq $LATER_STACK_END, %rsp
	movq %rsi, %r8
	movl $1, %esi
	movl $VL_NR_SHUTDOWN, %eax
	.macro when what, label
	cmpq $\what, %rdi
	je \label
	.endm
	when LATER_SPINS, spin
	when LATER_ENDS, end
	when LATER_CRASHES, bad
	when LATER_CALLS, calls
	when LATER_PARKS, park
	when LATER_YIELDS, yields
	when LATER_FLUSHES, flushes
	when LATER_CHECKS, checks
	when LATER_TOUCHES, touches
	when LATER_DEVICES, devices
bad:
	ud2 /* without an IDT: a triple fault */

spin:
	incq later_code + LATER_DATA(%rip)
	jmp spin

	/* RDI: number, RSI: argument. */
	.macro hypercall
	.byte 0x0f, 0x01, 0xc1
	.endm
end:
	movl %eax, %edi
	hypercall
	ud2

calls:
	xorl %edi, %edi
	hypercall
	testq %rax, %rax
	jg calls
	ud2

park:
	cli
	hlt
	ud2

yields:
	movl $VL_NR_YIELD, %edi
	hypercall
	testq %rax, %rax
	jz yields
	ud2

/* All of its translations again and again. */
flushes:
	movq %cr3, %rax
	movq %rax, %cr3
	incq later_code + LATER_DATA(%rip)
	pushq %rax
	popq %rcx
	cmpq %rcx, %rax
	je flushes
	ud2

touches:
	xorl %eax, %eax
1:	movq (%rax), %rcx
	addq $0x200000, %rax
	cmpq $0x40000000, %rax
	jb 1b
	jmp spin

/* What the processor holds must stay. The pattern is no other guest's. Where there is an FXSAVE that
 * leaves out what is compared here, it is on. */
checks:
	movl $0x80000001, %eax
	cpuid
	btl $25, %edx
	jnc 1f
	movl $0xc0000080, %ecx
	rdmsr
	btsl $14, %eax
	wrmsr
1:
	rdtsc
	shlq $32, %rax
	movq $LATER_PATTERN, %rbx
	xorq %rax, %rbx
	movq %cr4, %rax
	orq $0x200, %rax
	movq %rax, %cr4
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	leaq \n(%rbx), %rax
	movq %rax, %xmm\n
	.endr
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	leaq \n(%rbx), %r\n
	.endr
	movl $0x10000, %eax
	.irp n, 0, 1, 2, 3
	addl $8, %eax
	movq %rax, %db\n
	.endr
	movl $0xc0000100, %ecx
	movl $0x11111000, %eax
	movl $0x7f00, %edx
	wrmsr
	movl $0xc0000102, %ecx
	movl $0x22222000, %eax
	wrmsr
	fldpi
checks_again:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	leaq \n(%rbx), %rax
	movq %xmm\n, %rcx
	cmpq %rax, %rcx
	jne bad
	.endr
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	leaq \n(%rbx), %rax
	cmpq %rax, %r\n
	jne bad
	.endr
	fldpi
	fcompp /* one that was there, one that is new */
	fnstsw %ax
	testw $0x4000, %ax
	jz bad
	fldpi
	incq later_code + LATER_DATA(%rip)
	testq $0xfff, later_code + LATER_DATA(%rip)
	jnz checks_again
	movl $0x10000, %eax
	.irp n, 0, 1, 2, 3
	addl $8, %eax
	movq %db\n, %rcx
	cmpq %rax, %rcx
	jne bad
	.endr
	movl $0xc0000100, %ecx
	rdmsr
	cmpl $0x11111000, %eax
	jne bad
	cmpl $0x7f00, %edx
	jne bad
	movl $0xc0000102, %ecx
	rdmsr
	cmpl $0x22222000, %eax
	jne bad
	jmp checks_again

#include "mini/tests/board_code.inc"
later_code_end:

	.section .note.GNU-stack, "", @progbits
