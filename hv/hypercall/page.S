/* SPDX-License-Identifier: MIT */
/*
 * Both sides of a hypercall in passthrough.
 *
 * hypercall_page is data to Vellum: position-independent code, the beginning of a
 * page that guests copy into their own text (public/hypercall.h has its contract;
 * hypercall_page_fill() makes the page, so the image need not have all of it). It
 * runs on the guest's stack, in the guest's address space, at CPL 0.
 */
#include "cpu/asm_frame.h"
#include "cpu/asm_offsets.h"

	/* RBX: a root's entry FIRST_SLOT. Its entry COUNT_SLOT counts the CPUs that are in a call on this
	 * root, in the upper half, behind a lock; mem/own_tables.c knows it, too. */
	.macro LOCK_ROOT
98:	lock btsl $COUNT_LOCK, COUNT_ENTRY(%rbx)
	jnc 99f
	pause
	jmp 98b
99:
	.endm
	.macro UNLOCK_ROOT
	lock btrl $COUNT_LOCK, COUNT_ENTRY(%rbx)
	.endm

	/* Take Vellum's entries out, if this CPU was the last on the root, and drop what the TLB holds of
	 * them. None is global, so a CR3 load (bit 63 clear: with PCIDs, the current one) does. Uses RCX. */
	.macro LEAVE_ROOT
	LOCK_ROOT
	decl (COUNT_ENTRY + 4)(%rbx)
	jnz 97f
	movl DATA_NR_SLOTS(%r12), %ecx
96:	movq $0, -8(%rbx, %rcx, 8)
	decl %ecx
	jnz 96b
97:	UNLOCK_ROOT
	movq %cr3, %rcx
	movq %rcx, %cr3
	.endm

	.section .rodata.page, "a"
	.globl hypercall_page, hypercall_page_end
hypercall_page:
	/* (RDI nr, RSI, RDX, RCX, R8, R9) -> RAX; System V */
	pushq %rbx
	pushq %r12
	pushq %r13
	pushfq
	leaq (hypercall_page + HYPERCALL_DATA)(%rip), %r12
	movl %cs, %eax
	testb $3, %al
	jnz 3f
	/* IF off, and TF: Vellum's #DB gate is not for a guest's single steps. */
	pushfq
	andl $~0x300, (%rsp)
	popfq
	movq %rcx, %r13
	/* The root's entries of Vellum's slots, where the guest maps them. Bits 11:0 of CR3 are a
	 * PCID or cache bits, 63:52 are reserved. */
	movq %cr3, %rbx
	movabsq $0x000ffffffffff000, %rax
	andq %rax, %rbx
	addq DATA_DIRECT_MAP(%r12), %rbx
	addq $(FIRST_SLOT * 8), %rbx
	LOCK_ROOT
	incl (COUNT_ENTRY + 4)(%rbx)
	movl DATA_NR_SLOTS(%r12), %ecx
1:	movq (DATA_SLOT - 8)(%r12, %rcx, 8), %rax
	movq %rax, -8(%rbx, %rcx, 8)
	decl %ecx
	jnz 1b
	UNLOCK_ROOT
	movq %r13, %rcx
	call *DATA_ENTRY(%r12)
	/* This may be ring 3 by now. Then Vellum has left the root itself. */
	movl %cs, %ecx
	testb $3, %cl
	jnz 4f
	LEAVE_ROOT
	popfq
	jmp 5f
	/* At ring 3: an instruction that no ring has without VT-x, and Vellum knows. */
3:	vmcall
	movl %cs, %ecx
	testb $3, %cl
	jnz 6f
	/* Devirtualized: Vellum has put its entries into the root itself, to get here. */
	movq %cr3, %rbx
	movabsq $0x000ffffffffff000, %rcx
	andq %rcx, %rbx
	addq DATA_DIRECT_MAP(%r12), %rbx
	addq $(FIRST_SLOT * 8), %rbx
	LEAVE_ROOT
	/* The saved image was made at ring 3 and shows the real IF: leave the flags as they are. */
	jmp 6f
	/* Virtualized: POPFQ would not change IF here. */
4:	testl $0x200, (%rsp)
	jz 6f
	sti
6:	addq $8, %rsp
5:	popq %r13
	popq %r12
	popq %rbx
	ret
hypercall_page_end:
	/* vellum.lds.S looks whether the one is before the other. */
	.globl hypercall_page_data
	.set hypercall_page_data, HYPERCALL_DATA

	.section .text, "ax"
/*
 * Where the page calls. In: the page's registers, interrupts off, the guest's
 * stack, tables and segments. Out: RAX; only call-clobbered registers change.
 * Makes a struct trap_frame of the state that the guest goes on with, on
 * Vellum's own stack; hypercall_enter() loads Vellum's IDT and says in EAX how
 * to leave (enum hypercall_way).
 */
	.globl hypercall_entry
hypercall_entry:
	cld
	/* Which CPU this is, its initial APIC id tells; nothing else of Vellum is loaded yet. */
	pushq %rbx
	pushq %rcx
	pushq %rdx
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	leaq cpu_stack_tops(%rip), %rax
	movq (%rax, %rbx, 8), %r11
	popq %rdx
	popq %rcx
	popq %rbx
	testq %r11, %r11
	jz 2f
	movq %rsp, %rax
	movq %r11, %rsp
	pushq $0
	movl %ss, %r11d
	movl %r11d, (%rsp)
	leaq 8(%rax), %r11
	pushq %r11
	pushfq
	movl %cs, %r11d
	pushq %r11
	pushq (%rax) /* RIP: the return address */
	pushq $0
	pushq $0
	PUSH_REGISTERS
	movq %rsp, %rbx
	movq %rsp, %rdi
	andq $-16, %rsp
	call hypercall_enter
	movq %rbx, %rsp
	cmpl $HYPERCALL_VIRTUALIZED, %eax
	je resume_frame
	/* Still passthrough. Not by IRETQ: an NMI that came meanwhile is handed on by INT 2 with the
	 * guest's IDT back in place, and NMIs are blocked until the guest's own IRETQ. */
	movl %eax, %ecx
	movq FRAME_RAX(%rsp), %rax
	movq FRAME_RBX(%rsp), %rbx
	movq FRAME_RSP(%rsp), %rsp
	leaq -8(%rsp), %rsp
	cmpl $HYPERCALL_NMI, %ecx
	jne 1f
	int $2
1:	ret
2:	movq $-ENODEV, %rax /* the guest has not told of this CPU */
	ret

	.section .note.GNU-stack, "", @progbits
