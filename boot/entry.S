/* SPDX-License-Identifier: MIT */
/*
 * From GRUB to C. GRUB enters start32 in 32-bit protected mode without paging
 * (Multiboot2 specification 3.3) wherever it put the image; this file finds
 * out where that is, checks for long mode, builds the first page tables and
 * calls boot_main() at the image's link address.
 *
 * Register contract of start32: EAX = loader magic, EBX = physical address of
 * the Multiboot2 information, interrupts off, ESP undefined. Throughout the
 * 32-bit part EBP = physical address of image_start, EBX stays.
 *
 * The first tables map, read-write-execute with 2 MiB pages: va == pa below
 * 4 GiB, the same again at DIRECT_BASE, the image at IMAGE_BASE. They last
 * until Vellum has moved into its partition.
 */
#include "mem/layout.h"

#define PHYS(symbol) (symbol - IMAGE_BASE)(%ebp)

#define PTE_TABLE 0x003 /* present, writable */
#define PTE_LARGE 0x083 /* present, writable, 2 MiB */

#define COM1 0x3f8
#define VGA_TEXT 0xb8000

	.section .multiboot2, "a"
	.balign 8
multiboot2_header:
	/* No framebuffer tag: with it GRUB would leave the text screen on BIOS machines. On UEFI, where
	 * there is none, GRUB passes its graphics mode on anyway, and the guest gets that. */
	.long 0xe85250d6 /* magic */
	.long 0          /* i386 protected mode */
	.long multiboot2_end - multiboot2_header
	.long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
	/* Relocatable: below 4 GiB, at a 2 MiB boundary, as low as possible. */
	.balign 8
	.word 10, 0
	.long 24
	.long IMAGE_ALIGN
	.long 0xfffff000
	.long IMAGE_ALIGN
	.long 1
	.balign 8
	.word 0, 0
	.long 8
multiboot2_end:

	.section .text.start, "ax"
	.code32
	.globl start32, boot_pd_image
start32:
	cli
	cld
	/* The only memory known to be ours is the information itself: borrow a word of it as a
	 * stack for the one call that tells where we are. */
	movl (%ebx), %edi
	leal 4(%ebx), %esp
	call 1f
1:	popl %ebp
	movl %edi, (%ebx)
	subl $(1b - IMAGE_BASE), %ebp
	leal PHYS(boot_stack_top), %esp

	cmpl $0x36d76289, %eax
	leal PHYS(message_magic), %esi
	jne stop32

	rdtsc
	movl %eax, PHYS(boot_tsc)
	movl %edx, PHYS(boot_tsc + 4)

	call check_long_mode
	leal PHYS(message_long_mode), %esi
	jc stop32

	call build_tables

	movl $0x20, %eax /* PAE and no more: firmware leaves others set, and start.h names this one */
	movl %eax, %cr4
	leal PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx /* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl $0x80010033, %eax /* PG WP NE ET MP PE; caches on */
	movl %eax, %cr0

	leal PHYS(boot_gdt), %eax
	movl %eax, PHYS(boot_gdt_base)
	lgdt PHYS(boot_gdt_register)
	leal PHYS(start64_low), %eax
	pushl $0x08
	pushl %eax
	lret

/* Carry set when the CPU has no long mode. Clobbers EAX, ECX, EDX; keeps EBX. */
check_long_mode:
	pushl %ebx
	pushfl
	popl %eax
	movl %eax, %ecx
	xorl $0x200000, %eax /* EFLAGS.ID can be changed: the CPU has CPUID */
	pushl %eax
	popfl
	pushfl
	popl %eax
	cmpl %eax, %ecx
	je 1f
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb 1f
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc 1f
	popl %ebx
	clc
	ret
1:	popl %ebx
	stc
	ret

build_tables:
	leal PHYS(boot_pdpt_low), %eax
	orl $PTE_TABLE, %eax
	leal PHYS(boot_pml4), %edi
	movl %eax, (%edi)
	movl %eax, (257 * 8)(%edi)
	leal PHYS(boot_pdpt_image), %eax
	orl $PTE_TABLE, %eax
	movl %eax, (256 * 8)(%edi)
	leal PHYS(boot_pd_image), %eax
	orl $PTE_TABLE, %eax
	movl %eax, PHYS(boot_pdpt_image)
	leal PTE_LARGE(%ebp), %eax
	movl %eax, PHYS(boot_pd_image)

	leal PHYS(boot_pdpt_low), %edi
	leal PHYS(boot_pd_low), %eax
	orl $PTE_TABLE, %eax
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b

	leal PHYS(boot_pd_low), %edi
	movl $PTE_LARGE, %eax
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 2b
	ret

/* Print the sentence at ESI on serial and VGA and halt. No stack is needed. */
stop32:
	movl $VGA_TEXT, %edi
	movl $(80 * 25), %ecx
	movl $0x07200720, %eax
	shrl $1, %ecx
	rep stosl
	movl $VGA_TEXT, %edi
	/* 115200 8n1 */
	movw $(COM1 + 3), %dx
	movb $0x83, %al
	outb %al, %dx
	movw $COM1, %dx
	movb $1, %al
	outb %al, %dx
	incl %edx
	xorl %eax, %eax
	outb %al, %dx
	movw $(COM1 + 3), %dx
	movb $0x03, %al
	outb %al, %dx
1:	lodsb
	testb %al, %al
	jz 3f
	movb $0x07, %ah
	cmpb $'\n', %al
	je 4f
	cmpb $'\r', %al
	je 4f
	movw %ax, (%edi)
	addl $2, %edi
4:	movb %al, %bl
	movl $100000, %ecx
	movw $(COM1 + 5), %dx
2:	inb %dx, %al
	testb $0x20, %al
	loopz 2b
	movb %bl, %al
	movw $COM1, %dx
	outb %al, %dx
	jmp 1b
3:	cli
	hlt
	jmp 3b

	.code64
start64_low:
	movabsq $start64_high, %rax
	jmp *%rax
start64_high:
	leaq boot_stack_top(%rip), %rsp
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	xorl %ebp, %ebp
	movl %ebx, %edi
	movq boot_tsc(%rip), %rsi
	call boot_main
	ud2

/*
 * void relocate(u64 dst /rdi/, u64 src /rsi/, u64 size /rdx/, u64 root /rcx/)
 * Copy the image, this very stack included, and switch to the tables that map the copy at the
 * link address. From the copy's start to the switch nothing but registers may change.
 */
	.globl relocate
relocate:
	movq %rcx, %rax
	movq %rdx, %rcx
	rep movsb
	movq %rax, %cr3
	ret

	.section .rodata, "a"
message_magic:
	.asciz "vellum: error: The boot loader did not speak Multiboot2: load Vellum with GRUB's multiboot2 command.\r\n"
message_long_mode:
	.asciz "vellum: error: This CPU has no 64-bit long mode, which Vellum needs: use a 64-bit CPU.\r\n"

	.section .data, "aw"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 0x08: 64-bit code */
	.quad 0x00cf93000000ffff /* 0x10: data */
boot_gdt_register:
	.word 23
boot_gdt_base:
	.long 0

boot_tsc:
	.quad 0

	.section .bss, "aw", @nobits
	.balign 4096
boot_pml4:       .skip 4096
boot_pdpt_low:   .skip 4096
boot_pd_low:     .skip 4 * 4096
boot_pdpt_image: .skip 4096
boot_pd_image:   .skip 4096

	.section .note.GNU-stack, "", @progbits
