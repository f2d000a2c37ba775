/* SPDX-License-Identifier: MIT */
/*
 * See remapped.h. Position-independent; RDI: the bytes of its memory. It says
 * a letter on its console when a round is over. Without an IDT, whatever goes
 * wrong is a triple fault.
 */
#include "mini/tests/remapped.h"

#define PAGE   4096
#define COM1   0x3f8
#define FACTOR 0x9e3779b97f4a7c15

	.section .rodata
	.balign 16
	.globl remapped_code, remapped_code_end
remapped_code:
	leaq remapped_code(%rip), %rbx
	leaq PAGE * (REMAPPED_STACK + 1)(%rbx), %rsp
	addq %rbx, %rdi
	addq $PAGE * REMAPPED_WORDS, %rbx
	movabsq $FACTOR, %r9
	movq %r9, %r8 /* what the values of this round are made with */
	movq %rbx, %rsi
fill:
	movq %rsi, %rax
	xorq %r8, %rax
	movq %rax, (%rsi)
	addq $REMAPPED_STEP, %rsi
	cmpq %rdi, %rsi
	jb fill

round:
	movl $COM1, %edx
	movb $'.', %al
	outb %al, %dx
	pushq %r8
	leaq (%r8, %r9), %r10
	movq %rbx, %rsi
look:
	movq %rsi, %rax
	xorq %r8, %rax
	cmpq %rax, (%rsi)
	jne bad
	movq %rsi, %rax
	xorq %r10, %rax
	movq %rax, (%rsi)
	addq $REMAPPED_STEP, %rsi
	cmpq %rdi, %rsi
	jb look
	popq %rax
	cmpq %rax, %r8
	jne bad
	movq %r10, %r8
	jmp round
bad:
	ud2
remapped_code_end:

	.section .note.GNU-stack, "", @progbits
