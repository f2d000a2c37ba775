/* SPDX-License-Identifier: MIT */
/*
 * Ways into the kernel and out of it: one stub for each vector, SYSCALL, and
 * the return. All of them build or take the same struct trap_frame (traps.h).
 *
 * GS: the kernel runs with GS = cpu_local. Whatever comes from ring 3 swaps on
 * the way in and on the way out, what comes from ring 0 does not. Between
 * SYSCALL and its swapgs only an NMI or a machine check could come, and their
 * handlers do not use GS.
 */
#include "mini/layout.h"
#include "mini/segments.h"
#include "mini/traps.h"

	.macro save_registers
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	.endm

	.macro restore_registers
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	.endm

/* 256 stubs, 16 bytes apart. The CPU pushes an error code for a few; the others get a 0. */
	.text
	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept NR_VECTORS
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	push $0
	.else /* none for an 8259's interrupt; the CPU aligned RSP before its five words or six */
	testb $8, %spl
	jz 1f
	push $0
1:
	.endif
	push $vector
	jmp trap_common
	vector = vector + 1
	.endr

	.balign 16
trap_common:
	save_registers
	cld
	testb $3, TRAP_FRAME_CS(%rsp)
	jz 1f
	swapgs
1:	mov %rsp, %rdi
	call trap_dispatch
	mov %rsp, %rdi

/* trap_return(frame): the stack pointer walks through the frame, wherever that is. */
	.globl trap_return
trap_return:
	mov %rdi, %rsp
	testb $3, TRAP_FRAME_CS(%rsp)
	jz 1f
	swapgs
1:	restore_registers
	add $16, %rsp /* vector, error */
	iretq

/* SYSCALL: RCX = user's RIP, R11 = user's RFLAGS, RSP still the user's, interrupts off (SFMASK). */
	.balign 16
	.globl syscall_entry
syscall_entry:
	swapgs
	mov %rsp, %gs:CPU_USER_RSP
	mov %gs:CPU_KERNEL_RSP, %rsp
	push $USER_DS
	push %gs:CPU_USER_RSP
	push %r11
	push $USER_CS
	push %rcx
	push $0
	push $VECTOR_SYSCALL
	save_registers
	mov %rsp, %rdi
	call trap_dispatch
	ud2 /* user_run() returns instead */
