/* SPDX-License-Identifier: MIT */
/*
 * Linux's boot_params ("zero page"), by Documentation/x86/zero-page.rst and
 * boot.rst. Own definition: only the fields that Vellum writes have names.
 * Guests that are not Linux get one too, with a minimal header.
 */
#ifndef VELLUM_DOMAIN_BOOTPARAMS_H
#define VELLUM_DOMAIN_BOOTPARAMS_H

#include "boot/bootinfo.h"
#include "domain/bzimage.h"
#include "mem/memmap.h"
#include "lib/failure.h"
#include "lib/types.h"

#define BOOTPARAMS_MAX_E820 128

/** struct screen_info, offset 0 of boot_params. */
struct linux_screen_info {
	u8 orig_x;
	u8 orig_y;
	u16 ext_mem_k;
	u16 orig_video_page;
	u8 orig_video_mode;
	u8 orig_video_cols;
	u8 flags;
	u8 unused2;
	u16 orig_video_ega_bx;
	u16 unused3;
	u8 orig_video_lines;
	u8 orig_video_is_vga;
	u16 orig_video_points;
	u16 lfb_width;
	u16 lfb_height;
	u16 lfb_depth;
	u32 lfb_base;
	u32 lfb_size;
	u16 cl_magic;
	u16 cl_offset;
	u16 lfb_linelength;
	u8 red_size;
	u8 red_pos;
	u8 green_size;
	u8 green_pos;
	u8 blue_size;
	u8 blue_pos;
	u8 rsvd_size;
	u8 rsvd_pos;
	u16 vesapm_seg;
	u16 vesapm_off;
	u16 pages;
	u16 vesa_attributes;
	u32 capabilities;
	u32 ext_lfb_base;
	u8 reserved[2];
} __attribute__((packed));
_Static_assert(sizeof(struct linux_screen_info) == 64, "screen_info is 64 bytes");

/** The setup header, offset 0x1f1 of boot_params, as of boot protocol 2.15. */
struct linux_setup_header {
	u8 setup_sects;
	u16 root_flags;
	u32 syssize;
	u16 ram_size;
	u16 vid_mode;
	u16 root_dev;
	u16 boot_flag;
	u16 jump;
	u32 header;
	u16 version;
	u32 realmode_swtch;
	u16 start_sys_seg;
	u16 kernel_version;
	u8 type_of_loader;
	u8 loadflags;
	u16 setup_move_size;
	u32 code32_start;
	u32 ramdisk_image;
	u32 ramdisk_size;
	u32 bootsect_kludge;
	u16 heap_end_ptr;
	u8 ext_loader_ver;
	u8 ext_loader_type;
	u32 cmd_line_ptr;
	u32 initrd_addr_max;
	u32 kernel_alignment;
	u8 relocatable_kernel;
	u8 min_alignment;
	u16 xloadflags;
	u32 cmdline_size;
	u32 hardware_subarch;
	u64 hardware_subarch_data;
	u32 payload_offset;
	u32 payload_length;
	u64 setup_data;
	u64 pref_address;
	u32 init_size;
	u32 handover_offset;
	u32 kernel_info_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct linux_setup_header) == 0x26c - 0x1f1, "setup_header of 2.15");

struct linux_e820_entry {
	u64 addr;
	u64 size;
	u32 type;
} __attribute__((packed));

struct linux_boot_params {
	struct linux_screen_info screen_info;
	u8 pad_040[0x070 - 0x040];
	u64 acpi_rsdp_addr;
	u8 pad_078[0x0c0 - 0x078];
	u32 ext_ramdisk_image;
	u32 ext_ramdisk_size;
	u32 ext_cmd_line_ptr;
	u8 pad_0cc[0x1e8 - 0x0cc];
	u8 e820_entries;
	u8 pad_1e9[0x1ef - 0x1e9];
	u8 sentinel; /* 0 says that the loader cleared what it does not know */
	u8 pad_1f0;
	struct linux_setup_header hdr;
	u8 pad_26c[0x2d0 - 0x26c];
	struct linux_e820_entry e820_table[BOOTPARAMS_MAX_E820];
	u8 pad_cd0[0x1000 - 0xcd0];
} __attribute__((packed));
_Static_assert(sizeof(struct linux_boot_params) == 4096, "boot_params is one page");
_Static_assert(offsetof(struct linux_boot_params, acpi_rsdp_addr) == 0x070, "zero-page.rst");
_Static_assert(offsetof(struct linux_boot_params, ext_ramdisk_image) == 0x0c0, "zero-page.rst");
_Static_assert(offsetof(struct linux_boot_params, ext_cmd_line_ptr) == 0x0c8, "zero-page.rst");
_Static_assert(offsetof(struct linux_boot_params, e820_entries) == 0x1e8, "zero-page.rst");
_Static_assert(offsetof(struct linux_boot_params, sentinel) == 0x1ef, "zero-page.rst");
_Static_assert(offsetof(struct linux_boot_params, hdr) == 0x1f1, "zero-page.rst");
_Static_assert(offsetof(struct linux_boot_params, hdr.header) == 0x202, "boot.rst");
_Static_assert(offsetof(struct linux_boot_params, hdr.cmd_line_ptr) == 0x228, "boot.rst");
_Static_assert(offsetof(struct linux_boot_params, hdr.xloadflags) == 0x236, "boot.rst");
_Static_assert(offsetof(struct linux_boot_params, hdr.setup_data) == 0x250, "boot.rst");
_Static_assert(offsetof(struct linux_boot_params, hdr.init_size) == 0x260, "boot.rst");
_Static_assert(offsetof(struct linux_boot_params, e820_table) == 0x2d0, "zero-page.rst");

/** Head of a node of the setup_data list; `len` bytes of payload follow. */
struct linux_setup_data {
	u64 next; /* physical; 0 ends the list */
	u32 type;
	u32 len;
};
_Static_assert(sizeof(struct linux_setup_data) == 16, "boot.rst");

/** What goes in. Addresses are the guest's physical ones, 0 meaning "none". */
struct bootparams_request {
	const struct memmap *guest;
	const struct bzimage *bzimage;              /* NULL: an ELF kernel, minimal header */
	const void *image;                          /* the bzImage's bytes (mapped); NULL for ELF */
	const struct boot_framebuffer *framebuffer; /* NULL: none */
	bool efi;   /* booted by UEFI: without a linear framebuffer there is no VGA text either */
	u64 kernel; /* where the payload was loaded */
	u64 cmdline;
	u32 cmdline_length;  /* bytes without the closing zero */
	struct range initrd; /* empty: none */
	u64 rsdp;
	u64 setup_data; /* first node of the list */
};

/**
 * Fill the page at `bp` completely. Fails with VL_E2BIG when the command line is longer than the
 * kernel takes or the map has more than BOOTPARAMS_MAX_E820 ranges.
 */
int bootparams_fill(struct linux_boot_params *bp, const struct bootparams_request *req,
		    struct failure *f);

#endif
