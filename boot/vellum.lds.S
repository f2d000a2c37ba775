/* SPDX-License-Identifier: MIT */
/*
 * Vellum's image: linked at IMAGE_BASE, loaded by GRUB at any 2 MiB boundary.
 * Text, read-only and writable data are on pages of their own, because no page
 * is writable and executable (hv/mem/own_tables.c maps them so).
 */
#include "mem/layout.h"

OUTPUT_FORMAT(elf64-x86-64)
ENTRY(start32)

PHDRS
{
	text PT_LOAD FLAGS(5);
	rodata PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
}

SECTIONS
{
	. = IMAGE_BASE;
	image_start = .;
	.text : AT(ADDR(.text) - IMAGE_BASE + IMAGE_ALIGN) {
		KEEP(*(.multiboot2))
		*(.text.start)
		*(.text .text.*)
	} :text
	. = ALIGN(4096);
	image_text_end = .;
	.rodata : AT(ADDR(.rodata) - IMAGE_BASE + IMAGE_ALIGN) {
		*(.rodata .rodata.*)
	} :rodata
	/* Constants with addresses in them: nothing is relocated when Vellum runs. */
	.data.rel.ro : AT(ADDR(.data.rel.ro) - IMAGE_BASE + IMAGE_ALIGN) {
		*(.data.rel.ro .data.rel.ro.*)
	} :rodata
	. = ALIGN(4096);
	image_rodata_end = .;
	.data : AT(ADDR(.data) - IMAGE_BASE + IMAGE_ALIGN) {
		*(.data .data.*)
	} :data
	.bss : AT(ADDR(.bss) - IMAGE_BASE + IMAGE_ALIGN) {
		*(.bss .bss.* COMMON)
		. = ALIGN(4096);
	} :data
	image_end = .;
	boot_stack_top = boot_cpu + STACK_SIZE;
	cpu_window = WINDOW_BASE;
	ASSERT(image_end - image_start <= IMAGE_ALIGN, "the image does not fit into one large page")
	ASSERT(hypercall_page_end - hypercall_page <= hypercall_page_data, "the hypercall page's code runs into its data")
	/DISCARD/ : { *(.comment) *(.note.*) *(.eh_frame) *(.eh_frame_hdr) }
}
