/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault on a guest's account. Each stands between two
 * labels that trap.c knows: a #GP at the first goes on at the second. System V
 * contract: bool rdmsr_safe(EDI msr, RSI value *), bool wrmsr_safe(EDI msr,
 * RSI value).
 */
	.section .text, "ax"
	.globl rdmsr_safe, wrmsr_safe, safe_rdmsr, safe_wrmsr, safe_failed
rdmsr_safe:
	movl %edi, %ecx
safe_rdmsr:
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, (%rsi)
	movl $1, %eax
	ret

wrmsr_safe:
	movl %edi, %ecx
	movl %esi, %eax
	movq %rsi, %rdx
	shrq $32, %rdx
safe_wrmsr:
	wrmsr
	movl $1, %eax
	ret

safe_failed:
	xorl %eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
