/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault on a guest's account: registers that the
 * processor may not have, values that it may refuse. Each stands between two
 * labels that trap.c knows by the table: a #GP at one of them goes on at
 * safe_failed. System V contracts: bool rdmsr_safe(EDI msr, RSI value *),
 * bool wrmsr_safe(EDI msr, RSI value), bool write_cr0_safe(RDI value),
 * bool write_cr4_safe(RDI value), bool xsetbv_safe(EDI index, RSI value), and
 * bool load_es_safe(EDI selector) with its likes, whose #NP is caught, too.
 */
	.section .text, "ax"
	.globl rdmsr_safe, wrmsr_safe, write_cr0_safe, write_cr4_safe, xsetbv_safe, safe_failed
	.globl load_es_safe, load_ds_safe, load_fs_safe, load_gs_safe
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

write_cr0_safe:
	movl $1, %eax
safe_cr0:
	movq %rdi, %cr0
	ret

write_cr4_safe:
	movl $1, %eax
safe_cr4:
	movq %rdi, %cr4
	ret

xsetbv_safe:
	movl %edi, %ecx
	movl %esi, %eax
	movq %rsi, %rdx
	shrq $32, %rdx
safe_xsetbv:
	xsetbv
	movl $1, %eax
	ret

	.irp reg, es, ds, fs, gs
load_\reg\()_safe:
	movl $1, %eax
safe_\reg:
	movl %edi, %\reg
	ret
	.endr

safe_failed:
	xorl %eax, %eax
	ret

	.section .rodata, "a"
	.balign 8
	.globl safe_addresses, safe_addresses_end
safe_addresses:
	.quad safe_rdmsr, safe_wrmsr, safe_cr0, safe_cr4, safe_xsetbv, safe_es, safe_ds, safe_fs, safe_gs
safe_addresses_end:

	.section .note.GNU-stack, "", @progbits
