/* SPDX-License-Identifier: MIT */
/*
 * See hypercall_probe.h. A frame of its own pins the stack: [RSP] = probe, and
 * RSP at the call is kept in memory, since no register is free.
 */
#include "mini/tests/hypercall_probe.h"

	.text
	.globl hypercall_probe
hypercall_probe:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	push %rdi
	sub $8, %rsp /* keeps the call's stack aligned */
	mov %rsp, probe_rsp(%rip)
	mov %rdi, %rax
	pushq PROBE_RFLAGS(%rax)
	mov PROBE_KEPT + 0(%rax), %rbx
	mov PROBE_KEPT + 8(%rax), %rbp
	mov PROBE_KEPT + 16(%rax), %r12
	mov PROBE_KEPT + 24(%rax), %r13
	mov PROBE_KEPT + 32(%rax), %r14
	mov PROBE_KEPT + 40(%rax), %r15
	mov PROBE_ARG + 0(%rax), %rdi
	mov PROBE_ARG + 8(%rax), %rsi
	mov PROBE_ARG + 16(%rax), %rdx
	mov PROBE_ARG + 24(%rax), %rcx
	mov PROBE_ARG + 32(%rax), %r8
	mov PROBE_ARG + 40(%rax), %r9
	popfq
	call hypercall_page
	pushfq
	pushq vcpu_info(%rip) /* at ring 3 the interrupt flag is there */
	cli
	cld
	mov probe_rsp(%rip), %rcx
	mov 8(%rcx), %rdi
	mov %rax, PROBE_RESULT(%rdi)
	popq PROBE_SHARED(%rdi)
	popq PROBE_RFLAGS(%rdi)
	sub %rsp, %rcx
	mov %rcx, PROBE_KEPT + 48(%rdi)
	mov %rbx, PROBE_KEPT + 0(%rdi)
	mov %rbp, PROBE_KEPT + 8(%rdi)
	mov %r12, PROBE_KEPT + 16(%rdi)
	mov %r13, PROBE_KEPT + 24(%rdi)
	mov %r14, PROBE_KEPT + 32(%rdi)
	mov %r15, PROBE_KEPT + 40(%rdi)
	mov probe_rsp(%rip), %rsp
	add $16, %rsp
	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.bss
	.balign 8
probe_rsp:
	.skip 8
