/* SPDX-License-Identifier: MIT */
/*
 * Crossings between a user and the guest kernel without a trap frame (cpu/fast.h).
 *
 * All state is in struct cpu, field fast, of the CPU's window. SYSCALL and #GP come here with interrupts off
 * and leave by SYSRETQ or IRETQ; NMI, #MC and #DB have stacks of their own, so
 * the frame in fast.entry is nobody else's between two instructions.
 * The active and inactive GS bases are the guest's all the time: Vellum uses
 * none.
 */
#include "cpu/asm_frame.h"
#include "cpu/asm_offsets.h"

#define FAST(field) (cpu_window + FAST_##field)(%rip)
#define TABLES(offset) (cpu_window + BLOCK_TABLES + offset)(%rip)

#define ACCESS_CODE 0xfb /* present, ring 3, code, readable, accessed */
#define ACCESS_DATA 0xf3

/* Bits of RFLAGS that a return to user mode may set as it likes. IF must be set, IOPL clear. */
#define FLAGS_FREE 0x250dd7
#define FLAGS_IF   0x200
/* And the same for the guest kernel: not TF, which is stepping, nor AC, which is about SMAP. */
#define FLAGS_KERNEL (FLAGS_FREE & ~0x40100)

/* Vellum's slots are the addresses whose bits 63..43 are these. */
#define OWN_SLOTS_SHIFT 43
#define OWN_SLOTS       -16

	/* S5 and S6: what selectors are valid goes with the virtual CPL. */
	.macro SHOW_KERNEL
	movb $ACCESS_CODE, TABLES(ACCESS_GUEST_CS)
	movb $ACCESS_DATA, TABLES(ACCESS_GUEST_SS)
	movb $0, TABLES(ACCESS_USER_CS)
	movb $0, TABLES(ACCESS_USER_CS32)
	.endm

	.macro SHOW_USER
	movb $0, TABLES(ACCESS_GUEST_CS)
	movb $0, TABLES(ACCESS_GUEST_SS)
	movb $ACCESS_CODE, TABLES(ACCESS_USER_CS)
	movb $ACCESS_CODE, TABLES(ACCESS_USER_CS32)
	movw $IOMAP_BASE_CLOSED, TABLES(REAL_IOMAP_BASE)
	.endm

	.section .text, "ax"
/*
 * SYSCALL from ring 3. RCX, R11: RIP and RFLAGS; RSP and the rest the guest's. To the guest's handler
 * behind its SWAPGS, with the kernel's root. The I/O map stays closed: a port access in the kernel
 * traps once and opens it (vcpu.c).
 */
	.globl syscall_entry, syscall_slow
syscall_entry:
	movq %rsp, FAST(ENTRY_RSP)
	cmpw $CROSSING_USER, FAST(CROSSING) /* cpl and slow */
	jne 1f
	movq FAST(KERNEL_TOP), %rsp
	movq %rsp, %cr3
	SHOW_KERNEL
	movl $CROSSING_KERNEL_BY_SYSCALL, FAST(CROSSING)
	swapgs
	leaq FAST(ENTRY), %rsp
	iretq
/* The same where a user's is not to be served here. */
syscall_slow:
	movq %rsp, FAST(ENTRY_RSP)
1:	cmpb $CROSSING_KERNEL, FAST(CPL)
	jne syscall_exit
	cmpq FAST(CALL_SITE), %rcx
	jne syscall_exit
/* The guest kernel's hypercall. RAX: number, RDI, RSI, RDX: arguments -> RAX; System V otherwise,
 * RCX and R11 are lost. */
	movq (cpu_window + CPU_STACK_TOP)(%rip), %rsp
	pushq $GUEST_SS
	pushq FAST(ENTRY_RSP)
	pushq %r11
	pushq $GUEST_CS
	pushq %rcx
	subq $8, %rsp
	subq $FAST_CALLS_FIRST, %rax
	cmpq $NR_FAST_CALLS, %rax
	jae 2f
	leaq fast_calls(%rip), %rcx
	cld
	call *(%rcx, %rax, 8)
	addq $8, %rsp
	iretq
2:	movq $-38, %rax /* -VL_ENOSYS */
	addq $8, %rsp
	iretq

/*
 * #GP. The stack, if the processor pushed an error code: 0 error, 8 RIP, 16 CS, 24 RFLAGS, 32 RSP, 40
 * SS. (An 8259 may use this vector, and then there is none; no RIP of below is a selector.)
 */
	.globl fast_general_protection
fast_general_protection:
	pushq %rax
	movq 16(%rsp), %rax
	cmpq FAST(SYSRET_SITE), %rax
	je fast_sysret
	cmpq FAST(IRET_SITE), %rax
	je fast_iret
	.set offset, 0
	.rept NR_PLAIN_SITES
	cmpq (cpu_window + FAST_SWAPGS_SITE + offset)(%rip), %rax
	je 1f
	.set offset, offset + 8
	.endr
	cmpq FAST(KERNEL_IRET_SITE), %rax
	je fast_iret_kernel
	jmp leave_rax
1:
	/* SWAPGS alone: three bytes; the fault's RF is not the next instruction's; NT is set while the
	 * GS base is a user's (S7). */
	swapgs
	popq %rax
	addq $3, 8(%rsp)
	xorb $0x40, 25(%rsp)
	andb $0xfe, 26(%rsp)
	addq $8, %rsp
	iretq

/* SWAPGS; SYSRETQ. RCX and R11 are the user's, and so is everything but RAX, which is pushed. */
fast_sysret:
	movq FAST(INFO), %rax
	testq $-0x7ffffe00, (%rax) /* the virtual IF, or an interrupt that waits */
	jnz leave_rax
	movq %rcx, %rax
	shrq $47, %rax
	jnz leave_rax
	movl %r11d, %eax
	xorl $FLAGS_IF, %eax
	testl $~FLAGS_FREE, %eax
	jnz leave_rax
	movq FAST(USER_TOP), %rax
	movq %rax, %cr3
	/* AMD: SYSRET keeps the hidden part of SS, which is null since the #GP. */
	movl $OWN_SS, %eax
	movl %eax, %ss
	SHOW_USER
	movl $CROSSING_USER, FAST(CROSSING)
	swapgs
	popq %rax
	movq 32(%rsp), %rsp
	sysretq
leave_rax:
	popq %rax
	jmp exception_stubs + 13 * EXCEPTION_STUB

/* SWAPGS; IRETQ to a 64-bit user. The frame is on the guest's stack, which may not be mapped (then
 * fast_fixup() leads to leave_fault) or may claim to be in Vellum's slots. */
fast_iret:
	movq FAST(INFO), %rax
	testq $-0x7ffffe00, (%rax)
	jnz leave_rax
	pushq %rcx
	pushq %rdx
	movq 56(%rsp), %rcx
	movq %rcx, %rax
	sarq $OWN_SLOTS_SHIFT, %rax
	cmpq $OWN_SLOTS, %rax
	je leave_fault
	.globl fast_guest_access, fast_guest_access_end, leave_fault
fast_guest_access:
	movq (%rcx), %rax
	cmpq $USER_CS, 8(%rcx)
	jne leave_fault
	movq 16(%rcx), %rdx
	cmpq $USER_SS, 32(%rcx)
	movq 24(%rcx), %rcx
fast_guest_access_end:
	jne leave_fault
	xorl $FLAGS_IF, %edx
	testl $~FLAGS_FREE, %edx
	jnz leave_fault
	orl $FLAGS_IF, %edx
	movq %rdx, 48(%rsp)
	movq %rax, %rdx
	shrq $47, %rdx
	jnz leave_fault
	cmpb $0, FAST(PREFILL)
	jne 2f
1:
	movq %rax, 32(%rsp)
	movq $USER_CS, 40(%rsp)
	movq %rcx, 56(%rsp)
	movq $USER_SS, 64(%rsp)
	movq FAST(USER_TOP), %rax
	movq %rax, %cr3
	SHOW_USER
	movl $CROSSING_USER, FAST(CROSSING)
	swapgs
	popq %rdx
	popq %rcx
	popq %rax
	addq $8, %rsp
	iretq
2:	pushq %rax
	pushq %rcx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	cld
	movb $0, FAST(PREFILL)
	movq FAST(VCPU), %rdi
	movq %rax, %rsi
	call fast_prefill
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rcx
	popq %rax
	jmp 1b
/*
 * IRETQ from the guest kernel to itself. It faults because the guest's own selector for its code is not
 * valid at ring 3, with that selector as the error code; with NT set (S7) it would have none.
 */
fast_iret_kernel:
	movq FAST(KERNEL_CS), %rax
	cmpq 8(%rsp), %rax
	jne leave_rax
	pushq %rcx
	pushq %rdx
	movq 56(%rsp), %rcx
	movq %rcx, %rax
	sarq $OWN_SLOTS_SHIFT, %rax
	cmpq $OWN_SLOTS, %rax
	je leave_fault
	movq FAST(KERNEL_CS), %rax
	.globl fast_guest_access2, fast_guest_access2_end
fast_guest_access2:
	cmpq 8(%rcx), %rax
	jne leave_fault
	/* SS: the one that belongs to it, or null. */
	addq $8, %rax
	movq 16(%rcx), %rdx
	cmpq 32(%rcx), %rax
	je 1f
	xorl %eax, %eax
	cmpq 32(%rcx), %rax
	jne leave_fault
1:
	testl $~(FLAGS_KERNEL | FLAGS_IF), %edx
	jnz leave_fault
	movq %rax, FAST(KERNEL_SS)
	movq (%rcx), %rax
	movq 24(%rcx), %rcx
fast_guest_access2_end:
	/* Canonical, in the upper half. */
	pushq %rax
	sarq $47, %rax
	incq %rax
	popq %rax
	jnz leave_fault
	movq %rax, 32(%rsp)
	movq FAST(INFO), %rax
	testl $FLAGS_IF, %edx
	jz 3f
	cmpb $0, INFO_PENDING(%rax)
	jne leave_fault_rip
3:	movl %edx, (%rax)
	andl $FLAGS_IF, (%rax)
	orl $FLAGS_IF, %edx
	movq %rdx, 48(%rsp)
	movq %rcx, 56(%rsp)
	movb $1, FAST(BY_IRET)
	popq %rdx
	popq %rcx
	popq %rax
	addq $8, %rsp
	iretq
leave_fault_rip:
	movq FAST(KERNEL_IRET_SITE), %rax
	movq %rax, 32(%rsp)
leave_fault:
	popq %rdx
	popq %rcx
	jmp leave_rax

/*
 * #PF of the guest in a state in which it can be served without a trap frame: see fast_fault(). No
 * 8259 uses this vector then, so there is an error code: 0 error, 8 RIP, 16 CS, 24 RFLAGS, 32 RSP, 40 SS.
 */
	.globl fast_page_fault
fast_page_fault:
	cmpb $0, FAST(FAULTS)
	je 1f
	testb $3, 16(%rsp)
	jz 1f
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	cld
	leaq 72(%rsp), %rdi
	subq $8, %rsp
	call fast_fault
	addq $8, %rsp
	testb %al, %al
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	jz 1f
	addq $8, %rsp
	iretq
1:	jmp exception_stubs + 14 * EXCEPTION_STUB

	.section .note.GNU-stack, "", @progbits
