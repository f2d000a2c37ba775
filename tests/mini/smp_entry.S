/* SPDX-License-Identifier: MIT */
/*
 * Where the other CPUs come from: SIPI starts them in real mode at the page
 * AP_TRAMPOLINE, which gets a copy of what stands here. Straight to long mode,
 * on the tables that the kernel itself was started on, then high.
 */
#include "mini/layout.h"
#include "mini/smp.h"

#define AT(symbol) (symbol - ap_trampoline)

	.section .rodata, "a"
	.globl ap_trampoline, ap_trampoline_end
	.code16
ap_trampoline:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl AT(ap_gdt_register)
	movl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl AP_ROOT_OFFSET, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	movl AP_EFER_OFFSET, %eax
	xorl %edx, %edx
	wrmsr
	movl $0x80010031, %eax /* PG, WP, NE, ET, PE */
	movl %eax, %cr0
	ljmpl $0x08, $(AP_TRAMPOLINE + AT(ap_long))
	.code64
ap_long:
	movabs $ap_high, %rax
	jmp *%rax

	.balign 8
ap_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
ap_gdt_register:
	.word 15
	.long AP_TRAMPOLINE + AT(ap_gdt)
ap_trampoline_end:

	.text
	/* Where a vcpu of a later guest begins, by hypercall: on the kernel's tables, high. EDI: which
	 * it is. */
	.globl ap_enter
ap_enter:
	mov %edi, %eax
	jmp ap_on_stack
ap_high:
	mov $1, %eax
	lock xadd %eax, ap_arrived(%rip)
	/* Which it is: the order of arrival, from 1 on. */
	mov kernel_space(%rip), %rcx
	mov %rcx, %cr3
ap_on_stack:
	mov %eax, %edi
	imul $AP_STACK_SIZE, %rax, %rax
	lea ap_stacks(%rip), %rsp
	add %rax, %rsp
	xor %ebp, %ebp
	call ap_main
	ud2
