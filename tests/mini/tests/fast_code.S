/* SPDX-License-Identifier: MIT */
/*
 * Kernel code for fast.c in the forms that Vellum serves without an exit once
 * it has seen them.
 */
#include "mini/layout.h"
#include "mini/segments.h"

	.text
/* s64 fast_call(u64 number, u64 a1, u64 a2, u64 a3): a hypercall by SYSCALL. */
	.globl fast_call, fast_call_site
fast_call:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	syscall
fast_call_site:
	ret

/* void fast_enter(const u64 frame[5]): SWAPGS; IRETQ with this frame, at its place; as user_enter(). */
	.globl fast_enter
fast_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %gs:CPU_LEAVE_RSP
	mov %rdi, %r12
	mov %rsp, %rdi
	and $-16, %rdi
	mov %rdi, %rsp
	call segments_set_kernel_stack
	mov %r12, %rsp
	xor %r15d, %r15d
	mov $0x401000, %edi /* USER_DATA */
	swapgs
	iretq

/* void fast_iret_self(u64 ss): IRETQ to the next instruction with this SS in the frame. */
	.globl fast_iret_self
fast_iret_self:
	mov %rsp, %rax
	push %rdi
	push %rax
	pushfq
	push $KERNEL_CS
	lea 1f(%rip), %rcx
	push %rcx
	iretq
1:	ret

/* A handler of SYSCALL whose first three bytes matter and are no SWAPGS. */
	.globl fast_other_handler
fast_other_handler:
	mov $1, %r15b
	jmp syscall_entry

	.section .rodata
/* User code for 32 bits: ESP before and behind a page fault that only Vellum sees, in EBX and ECX. */
	.globl user_esp32, user_esp32_end
user_esp32:
	.byte 0xb8, USER_DS, 0, 0, 0 /* mov $USER_DS, %eax */
	.byte 0x8e, 0xd8 /* mov %eax, %ds */
	.byte 0x89, 0xe3 /* mov %esp, %ebx */
	.byte 0x8b, 0x07 /* mov (%edi), %eax */
	.byte 0x89, 0xe1 /* mov %esp, %ecx */
	.byte 0xcd, 0x80 /* int $0x80 */
user_esp32_end:
