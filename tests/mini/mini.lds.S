/* SPDX-License-Identifier: MIT */
/*
 * Linker script. Three loadable segments with three sets of permissions, which
 * paging.c maps exactly so, and a PT_NOTE by which Vellum knows that the file
 * is for it. Virtual addresses are high, load addresses (AT) are physical.
 */
#include "mini/layout.h"

OUTPUT_FORMAT(elf64-x86-64)
ENTRY(entry_physical)

PHDRS
{
	text PT_LOAD FLAGS(5);
	rodata PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
	note PT_NOTE FLAGS(4);
}

/* Vellum takes e_entry as a physical address. */
entry_physical = entry - KERNEL_BASE;

SECTIONS
{
	. = KERNEL_BASE + KERNEL_PHYS;
	image_start = .;
	.text : AT(ADDR(.text) - KERNEL_BASE) {
		LONG(0x0b0f0b0f) /* ud2: tests jump here, and no function is to begin here */
		*(.text .text.*)
	} :text

	. = ALIGN(4096);
	text_end = .;
	.rodata : AT(ADDR(.rodata) - KERNEL_BASE) { *(.rodata .rodata.*) } :rodata
	.tests : AT(ADDR(.tests) - KERNEL_BASE) {
		tests_start = .;
		KEEP(*(SORT_BY_NAME(.tests.*)))
		tests_end = .;
	} :rodata
	.note.vellum : AT(ADDR(.note.vellum) - KERNEL_BASE) { KEEP(*(.note.vellum)) } :rodata :note

	. = ALIGN(4096);
	rodata_end = .;
	.data : AT(ADDR(.data) - KERNEL_BASE) { *(.data .data.*) } :data
	.bss : AT(ADDR(.bss) - KERNEL_BASE) { *(.bss .bss.* COMMON) } :data
	. = ALIGN(4096);
	image_end = .;

	/DISCARD/ : { *(.comment) *(.note.GNU-stack) *(.note.gnu.*) *(.eh_frame*) }
}
