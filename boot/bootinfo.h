/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, as one fixed-size copy. The Multiboot2
 * information lies somewhere in RAM that the modules, the partition or the
 * guest will soon overwrite, and it is untrusted; so it is walked once, every
 * length is checked there, and nothing in struct boot_info points back into it.
 */
#ifndef VELLUM_BOOT_BOOTINFO_H
#define VELLUM_BOOT_BOOTINFO_H

#include "lib/failure.h"
#include "lib/types.h"
#include "public/start.h"

#define BOOT_MAX_MEMORY          256
#define BOOT_MAX_MODULES         8
#define BOOT_CMDLINE_SIZE        1024
#define BOOT_MODULE_CMDLINE_SIZE 2048
#define BOOT_LOADER_SIZE         64
#define BOOT_RSDP_SIZE           64

/** Value of EAX that a Multiboot2 loader enters us with. */
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u

/** A file that the loader put into RAM, where it lies now. */
struct boot_module {
	struct range mem;                       /* machine addresses, bytes */
	char cmdline[BOOT_MODULE_CMDLINE_SIZE]; /* the words after the file name in grub.cfg */
};

/** Place of one colour in a pixel, bits. */
struct boot_color {
	u8 position;
	u8 size;
};

#define BOOT_FRAMEBUFFER_INDEXED 0
#define BOOT_FRAMEBUFFER_RGB     1
#define BOOT_FRAMEBUFFER_TEXT    2 /* EGA text: width and height are characters */

struct boot_framebuffer {
	bool present;
	u8 type; /* BOOT_FRAMEBUFFER_* */
	u8 bpp;  /* bits per pixel, 16 in text mode */
	u64 addr;
	u32 pitch; /* bytes per line */
	u32 width;
	u32 height;
	struct boot_color red, green, blue; /* BOOT_FRAMEBUFFER_RGB only */
};

/** Everything that Vellum uses of the Multiboot2 information. About 25 KiB: static, not on a stack.
 */
struct boot_info {
	u32 memory_count;
	u32 module_count;
	struct vl_memory_range
		memory[BOOT_MAX_MEMORY]; /* as given: unsorted, may overlap or wrap */
	struct boot_module module[BOOT_MAX_MODULES];
	char cmdline[BOOT_CMDLINE_SIZE]; /* Vellum's own; "" if none */
	char loader[BOOT_LOADER_SIZE];   /* name of the boot loader, cut if long; "" if none */
	struct boot_framebuffer framebuffer;
	u8 rsdp[BOOT_RSDP_SIZE]; /* copy of ACPI's root pointer */
	u32 rsdp_size;           /* bytes of it; 0: none given */
	u64 efi_system_table;    /* ma of the 64-bit EFI system table; 0: not booted by EFI */
	bool efi_memory_map;     /* an EFI memory map was given */
	bool efi_boot_services;  /* boot services were not terminated */
};

/**
 * Copy the Multiboot2 information at `mbi` into `out`.
 * mbi:   8-byte aligned, `limit` bytes of it are readable.
 * out:   filled completely; undefined after a failure, except that `cmdline` is a terminated
 *        string (so that a console choice in it can still be honoured).
 * Fails with VL_EINVAL when the information breaks the specification (truncated, a tag shorter than
 * its kind needs or longer than the rest, an unterminated string, a module that ends before it
 * starts, no memory map, bad entry size) and VL_E2BIG when it holds more than struct boot_info can.
 */
int boot_info_parse(const void *mbi, size_t limit, struct boot_info *out, struct failure *f);

#endif
