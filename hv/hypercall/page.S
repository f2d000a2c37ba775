/* SPDX-License-Identifier: MIT */
/*
 * Both sides of a hypercall in passthrough.
 *
 * hypercall_page is data to Vellum: one page of position-independent code that
 * guests copy into their own text (public/hypercall.h has its contract). It
 * runs on the guest's stack, in the guest's address space, at CPL 0.
 */
#include "cpu/asm_offsets.h"

	.section .rodata, "a"
	.balign 4096
	.globl hypercall_page
hypercall_page:
	/* (RDI nr, RSI, RDX, RCX, R8, R9) -> RAX; System V */
	pushfq
	cli
	pushq %rbx
	pushq %r12
	pushq %r13
	movq %rcx, %r13
	leaq (hypercall_page + HYPERCALL_DATA)(%rip), %r12
	/* The root's entries of Vellum's slots, where the guest maps them. Bits 11:0 of CR3 are a
	 * PCID or cache bits, 63:52 are reserved. */
	movq %cr3, %rbx
	movabsq $0x000ffffffffff000, %rax
	andq %rax, %rbx
	addq DATA_DIRECT_MAP(%r12), %rbx
	addq $(FIRST_SLOT * 8), %rbx
	movl DATA_NR_SLOTS(%r12), %ecx
1:	movq (DATA_SLOT - 8)(%r12, %rcx, 8), %rax
	movq %rax, -8(%rbx, %rcx, 8)
	decl %ecx
	jnz 1b
	movq %r13, %rcx
	call *DATA_ENTRY(%r12)
	/* Take the entries out and drop what the TLB holds of them. None is global, so a CR3 load
	 * (bit 63 clear: with PCIDs, the current one) does. */
	movl DATA_NR_SLOTS(%r12), %ecx
2:	movq $0, -8(%rbx, %rcx, 8)
	decl %ecx
	jnz 2b
	movq %cr3, %rcx
	movq %rcx, %cr3
	popq %r13
	popq %r12
	popq %rbx
	popfq
	ret
	.org hypercall_page + HYPERCALL_DATA, 0xcc
	.org hypercall_page + 4096, 0

	.section .text, "ax"
/*
 * Where the page calls. In: the page's registers, interrupts off, the guest's
 * stack, tables and segments. Out: RAX; only call-clobbered registers change.
 * Vellum runs on its own stack, with its own IDT (hypercall_enter() sees to
 * it). An NMI that came meanwhile is handed on by INT 2 with the guest's IDT
 * back in place: NMIs are still blocked then, until the guest's IRETQ.
 */
	.globl hypercall_entry
hypercall_entry:
	cld
	pushq %rbp
	movq %rsp, %rbp
	leaq boot_stack_top(%rip), %rsp
	pushq $0
	pushq %r9
	pushq %r8
	pushq %rcx
	pushq %rdx
	pushq %rsi
	movq %rsp, %rsi
	movl %cs, %edx
	call hypercall_enter
	movq %rbp, %rsp
	popq %rbp
	testq %rdx, %rdx
	jz 1f
	int $2
1:	ret

	.section .note.GNU-stack, "", @progbits
