/* SPDX-License-Identifier: MIT */
/*
 * Linux's bzImage as the 64-bit boot protocol (Documentation/x86/boot.rst)
 * sees it. Owns the refusal of damaged and of unsuitable kernels: after
 * bzimage_parse() every offset in struct bzimage lies inside the file.
 */
#ifndef VELLUM_DOMAIN_BZIMAGE_H
#define VELLUM_DOMAIN_BZIMAGE_H

#include "lib/crc32.h"
#include "lib/failure.h"
#include "lib/types.h"

/** The setup header starts here in the file and in boot_params. */
#define BZIMAGE_HEADER_OFFSET 0x1f1

/** The 64-bit entry, bytes after the start of the loaded payload. */
#define BZIMAGE_ENTRY_OFFSET 0x200

/** What Vellum needs to know of one bzImage. Offsets and sizes are bytes in the file. */
struct bzimage {
	u64 payload_offset; /* protected-mode part: copied to the load address */
	u64 payload_size;
	u32 header_offset; /* setup header, to be copied to the same offset of boot_params */
	u32 header_size;
	u64 pref_address; /* load address that the kernel prefers */
	u64 init_size;    /* bytes of RAM needed from the load address on, >= payload_size */
	u32 alignment;    /* of the load address if relocatable, a power of two */
	bool relocatable;
	u16 protocol; /* 0x20c is 2.12 */
	u16 xloadflags;
	u32 cmdline_max;     /* bytes of command line without the closing zero */
	u64 initrd_addr_max; /* highest address that the initrd's last byte may have */
};

/**
 * Check and describe the bzImage in `image`, `size` bytes.
 * crc: initialised tables to check the kernel's own CRC-32 with, or NULL not to check it.
 * Fails with VL_ENOEXEC (not a bzImage, boot protocol before 2.12, no 64-bit entry, inconsistent
 * header), VL_EIO (file truncated), VL_EBADMSG (checksum).
 */
int bzimage_parse(const void *image, size_t size, struct crc32_tables *crc, struct bzimage *out,
		  struct failure *f);

#endif
