/* SPDX-License-Identifier: MIT */
/*
 * The first instructions, entered as hv/include/public/start.h says: long mode,
 * ring 0, RIP at the image's physical address, everything below 4 GiB mapped
 * one to one, RDI = physical address of the start info, no stack, IDT limit 0.
 *
 *   1. write down the state of the CPU (entry_state.h)
 *   2. load page tables of our own, which also map the kernel high
 *   3. jump high, take a stack, call start() in start.c
 *
 * Until step 3 the code runs at its physical address, and that works because
 * every address it uses is relative to RIP.
 */
#include "mini/entry_state.h"
#include "mini/layout.h"

#define MSR_EFER 0xc0000080

	.text
	.globl entry
entry:
	mov %rdi, entry_state + ES_RDI(%rip)
	mov %rsi, entry_state + ES_RSI(%rip)
	mov %rsp, entry_state + ES_RSP(%rip)
	lea boot_stack_top(%rip), %rsp
	pushfq
	popq entry_state + ES_RFLAGS(%rip)
	mov %cr0, %rax
	mov %rax, entry_state + ES_CR0(%rip)
	mov %cr3, %rax
	mov %rax, entry_state + ES_CR3(%rip)
	mov %cr4, %rax
	mov %rax, entry_state + ES_CR4(%rip)
	mov $MSR_EFER, %ecx
	rdmsr
	mov %eax, entry_state + ES_EFER(%rip)
	mov %edx, entry_state + ES_EFER + 4(%rip)
	mov %cs, entry_state + ES_CS(%rip)
	mov %ds, entry_state + ES_DS(%rip)
	mov %es, entry_state + ES_ES(%rip)
	mov %ss, entry_state + ES_SS(%rip)
	sgdt entry_state + ES_GDTR(%rip)
	sidt entry_state + ES_IDTR(%rip)

	lea boot_root(%rip), %rax
	mov %rax, %cr3
	movabs $high, %rax
	jmp *%rax
high:
	lea boot_stack_top(%rip), %rsp
	xor %ebp, %ebp
	mov entry_state + ES_RDI(%rip), %rdi
	call start
	ud2

	.bss
	.balign 16
	.globl entry_state
entry_state:
	.skip ES_SIZE
	.balign 16
	.skip BOOT_STACK_SIZE
	.globl boot_stack_top
boot_stack_top:

/*
 * The page tables of step 2, put together by the assembler and the linker: the
 * first 4 GiB of physical memory at 0 (where we run), at DIRECT_MAP (so that C
 * reaches all that the start info points to), and its first GiB at KERNEL_BASE.
 * paging.c replaces them by exact ones.
 */
#define TABLE 0x3    /* present, writable */
#define LARGE 0x83   /* present, writable, 2 MiB page */

	.data
	.balign 4096
	.globl boot_root
boot_root:
	.quad boot_low - KERNEL_BASE + TABLE  /* slot 0 */
	.fill 272, 8, 0
	.quad boot_low - KERNEL_BASE + TABLE  /* slot 273: DIRECT_MAP */
	.fill 237, 8, 0
	.quad boot_high - KERNEL_BASE + TABLE /* slot 511: KERNEL_BASE */
boot_low:
	.quad boot_4gib - KERNEL_BASE + TABLE
	.quad boot_4gib - KERNEL_BASE + TABLE + 4096
	.quad boot_4gib - KERNEL_BASE + TABLE + 8192
	.quad boot_4gib - KERNEL_BASE + TABLE + 12288
	.fill 508, 8, 0
boot_high:
	.fill 510, 8, 0
	.quad boot_4gib - KERNEL_BASE + TABLE
	.quad 0
boot_4gib:
	address = 0
	.rept 2048
	.quad address + LARGE
	address = address + 0x200000
	.endr
