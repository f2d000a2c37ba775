/* SPDX-License-Identifier: MIT */
/*
 * Programs for ring 3: position-independent pieces that user.c copies into a
 * user page. Each begins at user_NAME and ends at user_NAME_end.
 */
#include "mini/traps.h"

	.macro program name
	.balign 16
	.globl user_\name
user_\name:
	.endm
	.macro program_end name
	.globl user_\name\()_end
user_\name\()_end:
	.endm

	.section .rodata

/* Syscalls for ever: RAX goes up by one between them. */
	program syscalls
1:	syscall
	inc %rax
	jmp 1b
	program_end syscalls

/* The same by the gate. */
	program gates
1:	int $VECTOR_GATE
	inc %rax
	jmp 1b
	program_end gates

/* One access to (RDI): read, write; then the gate. */
	program read
	mov (%rdi), %rax
	int $VECTOR_GATE
	program_end read
	program write
	mov %rax, (%rdi)
	int $VECTOR_GATE
	program_end write

/* EAX: 0 read (RDI), 1 write it, 2 jump there; then the gate. */
	program access
	cmp $1, %eax
	ja 2f
	je 1f
	movb (%rdi), %al
	int $VECTOR_GATE
1:	movb %al, (%rdi)
	int $VECTOR_GATE
2:	jmp *%rdi
	program_end access

	program jump
	jmp *%rdi
	program_end jump

	program breakpoint
	int3
	program_end breakpoint
	program undefined
	ud2
	program_end undefined

/* What ring 3 may not do. */
	program cli
	cli
	program_end cli
	program hlt
	hlt
	program_end hlt
	program in
	in $0x60, %al
	program_end in
	program read_cr3
	mov %cr3, %rax
	program_end read_cr3
	program kernel_gate
	int $0x21
	program_end kernel_gate

/* Read through the user's own GS. */
	program read_gs
	mov %gs:0, %rax
	int $VECTOR_GATE
	program_end read_gs

/* Spin until the TSC reaches RDI, with every other register a canary. */
	program spin
1:	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	cmp %rdi, %rax
	jb 1b
	int $VECTOR_GATE
	program_end spin

/* PKRU = EAX, and then nothing, or a write to (RDI). */
	program set_pkru
	xor %ecx, %ecx
	xor %edx, %edx
	wrpkru
	int $VECTOR_GATE
	program_end set_pkru
	program pkru_then_write
	xor %ecx, %ecx
	xor %edx, %edx
	wrpkru
	mov %rax, (%rdi)
	int $VECTOR_GATE
	program_end pkru_then_write

/* A gate that tests make as they like. */
	program int81
	int $0x81
	program_end int81
