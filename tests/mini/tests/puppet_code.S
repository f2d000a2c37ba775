/* SPDX-License-Identifier: MIT */
/*
 * The whole kernel of a puppet (puppet.h): it does what the shared page says,
 * one thing after the other. It runs wherever it was copied to, without a stack
 * or an IDT. RDI: pa and va of the page frame where it is to map the shared page,
 * RSI: the offer, and who makes it in the upper half.
 */
#include "mini/tests/puppet.h"

	.text
	.globl puppet_code, puppet_code_end
puppet_code:
	mov %rdi, %rbx
	mov %esi, %edx
	mov %rdi, %rcx
	shr $12, %rcx
	shr $32, %rsi
	mov $PUPPET_CALL_GRANT_MAP, %edi
	vmcall
puppet_next:
	mov PUPPET_WHAT(%rbx), %rax
	cmp $PUPPET_CALL, %rax
	je puppet_call
	cmp $PUPPET_READ, %rax
	je puppet_read
	cmp $PUPPET_WRITE, %rax
	je puppet_write
	mov $PUPPET_CALL_YIELD, %edi
	vmcall
	jmp puppet_next
puppet_call:
	mov PUPPET_ARG + 0(%rbx), %rdi
	mov PUPPET_ARG + 8(%rbx), %rsi
	mov PUPPET_ARG + 16(%rbx), %rdx
	mov PUPPET_ARG + 24(%rbx), %rcx
	mov PUPPET_ARG + 32(%rbx), %r8
	vmcall
	jmp puppet_done
puppet_read:
	mov PUPPET_ARG(%rbx), %rcx
	invlpg (%rcx)
	mov (%rcx), %rax
	jmp puppet_done
puppet_write:
	mov PUPPET_ARG(%rbx), %rcx
	mov PUPPET_ARG + 8(%rbx), %rax
	invlpg (%rcx)
	mov %rax, (%rcx)
puppet_done:
	mov %rax, PUPPET_ANSWER(%rbx)
	movq $0, PUPPET_WHAT(%rbx)
	jmp puppet_next
puppet_code_end:
