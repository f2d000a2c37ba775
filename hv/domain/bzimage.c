// SPDX-License-Identifier: MIT
/*
 * Reading a bzImage's setup header (Documentation/x86/boot.rst) and checking
 * the file against it. Pure. Sizes are computed in 64 bits from fields of at
 * most 32, so nothing here can wrap.
 */
#include "domain/bzimage.h"

#include "lib/load.h"
#include "lib/string.h"
#include "public/errno.h"

/* Offsets of setup header fields in the file. */
#define SETUP_SECTS      0x1f1
#define SYSSIZE          0x1f4
#define JUMP_OFFSET      0x201 /* the header ends at 0x202 + this byte */
#define MAGIC            0x202
#define VERSION          0x206
#define LOADFLAGS        0x211
#define INITRD_ADDR_MAX  0x22c
#define KERNEL_ALIGNMENT 0x230
#define RELOCATABLE      0x234
#define XLOADFLAGS       0x236
#define CMDLINE_SIZE     0x238
#define PREF_ADDRESS     0x258
#define INIT_SIZE        0x260
#define HEADER_LEAST_END 0x264 /* after init_size, the last field that we read */
#define HEADER_MOST_END  0x290 /* boot_params has other fields from there on; below two sectors */

#define LOADED_HIGH    1
#define KERNEL_64      1
#define SECTOR         512
#define PARAGRAPH      16
#define PROTOCOL_LEAST 0x20c

/* Fields of the PE header, offsets after its signature "PE\0\0". */
#define PE_OFFSET       0x3c /* in the file: where the signature is */
#define PE_OPTIONAL     24
#define PE_CHECKSUM     (PE_OPTIONAL + 64)
#define PE_CERTIFICATES (PE_OPTIONAL + 112 + 4 * 8) /* fifth data directory of PE32+ */
#define PE_LEAST        (PE_CERTIFICATES + 8)
#define PE32_PLUS       0x20b

struct file {
	const u8 *p;
	u64 size;
};

static u16 get16(struct file file, u64 at)
{
	return load16(file.p + at);
}

static u32 get32(struct file file, u64 at)
{
	return load32(file.p + at);
}

static u64 get64(struct file file, u64 at)
{
	return load64(file.p + at);
}

static int check_kind(struct file file, struct failure *f)
{
	u16 protocol;

	if (file.size < HEADER_LEAST_END || memcmp(file.p + MAGIC, "HdrS", 4) != 0)
		return fail(f, VL_ENOEXEC,
			    "The kernel is not a Linux bzImage; boot a bzImage or an ELF64 kernel "
			    "with Vellum's note.");
	protocol = get16(file, VERSION);
	if (protocol < PROTOCOL_LEAST)
		return fail(f, VL_ENOEXEC,
			    "The kernel has boot protocol %u.%u, and Vellum needs 2.12; boot Linux "
			    "3.8 or newer.",
			    protocol >> 8, protocol & 0xff);
	if (!(get16(file, XLOADFLAGS) & KERNEL_64) || !(file.p[LOADFLAGS] & LOADED_HIGH))
		return fail(f, VL_ENOEXEC,
			    "The kernel has no 64-bit entry; boot a bzImage built for x86-64.");
	return 0;
}

static int damaged_header(struct failure *f, const char *field, u64 value)
{
	return fail(f, VL_ENOEXEC,
		    "The kernel's setup header is damaged (%s is %#lx); copy the bzImage again.",
		    field, value);
}

static void read_header(struct file file, struct bzimage *out)
{
	u32 sectors = file.p[SETUP_SECTS] ? file.p[SETUP_SECTS] : 4;

	*out = (struct bzimage){
		.payload_offset = (u64)(sectors + 1) * SECTOR,
		.payload_size = (u64)get32(file, SYSSIZE) * PARAGRAPH,
		.header_offset = BZIMAGE_HEADER_OFFSET,
		.header_size = MAGIC + file.p[JUMP_OFFSET] - BZIMAGE_HEADER_OFFSET,
		.pref_address = get64(file, PREF_ADDRESS),
		.init_size = get32(file, INIT_SIZE),
		.alignment = get32(file, KERNEL_ALIGNMENT),
		.relocatable = file.p[RELOCATABLE] != 0,
		.protocol = get16(file, VERSION),
		.xloadflags = get16(file, XLOADFLAGS),
		.cmdline_max = get32(file, CMDLINE_SIZE),
		.initrd_addr_max = get32(file, INITRD_ADDR_MAX),
	};
}

static int check_header(const struct bzimage *bz, struct failure *f)
{
	u64 header_end = (u64)bz->header_offset + bz->header_size;

	if (header_end < HEADER_LEAST_END || header_end > HEADER_MOST_END)
		return damaged_header(f, "its end", header_end);
	if (bz->payload_size <= BZIMAGE_ENTRY_OFFSET)
		return damaged_header(f, "the kernel's size", bz->payload_size);
	if (bz->init_size < bz->payload_size)
		return damaged_header(f, "init_size", bz->init_size);
	if (bz->pref_address % PAGE_SIZE != 0 || bz->pref_address >= ((u64)1 << 52))
		return damaged_header(f, "pref_address", bz->pref_address);
	if (bz->relocatable &&
	    (bz->alignment < PAGE_SIZE || (bz->alignment & (bz->alignment - 1)) != 0))
		return damaged_header(f, "kernel_alignment", bz->alignment);
	return 0;
}

/*
 * Offset of the PE header's signature if the file has one that lies in the setup part, else 0.
 */
static u64 find_pe(struct file file, const struct bzimage *bz)
{
	u64 pe = get32(file, PE_OFFSET);

	if (memcmp(file.p, "MZ", 2) != 0 || pe < PE_OFFSET + 4 ||
	    pe + PE_LEAST > bz->payload_offset || memcmp(file.p + pe, "PE\0", 4) != 0 ||
	    get16(file, pe + PE_OPTIONAL) != PE32_PLUS)
		return 0;
	return pe;
}

/*
 * The kernel's build appends the register of a CRC-32 that starts with ~0, not inverted, so the
 * register over the whole is 0. Signing for secure boot changes the PE checksum and the certificate
 * directory afterwards; both were zero before, and are read as zero here.
 */
static bool crc_is_right(struct file file, const struct bzimage *bz, struct crc32_tables *t)
{
	static const u8 zeros[8];
	u64 end = bz->payload_offset + bz->payload_size;
	u64 pe = find_pe(file, bz);
	u64 at = 0;
	u32 crc = ~(u32)0;

	if (pe != 0) {
		crc = crc32_update(t, crc, file.p, pe + PE_CHECKSUM);
		crc = crc32_update(t, crc, zeros, 4);
		at = pe + PE_CHECKSUM + 4;
		crc = crc32_update(t, crc, file.p + at, pe + PE_CERTIFICATES - at);
		crc = crc32_update(t, crc, zeros, 8);
		at = pe + PE_CERTIFICATES + 8;
	}
	return crc32_update(t, crc, file.p + at, end - at) == 0;
}

int bzimage_parse(const void *image, size_t size, struct crc32_tables *crc, struct bzimage *out,
		  struct failure *f)
{
	struct file file = {image, size};
	int err = check_kind(file, f);

	if (err)
		return err;
	read_header(file, out);
	err = check_header(out, f);
	if (err)
		return err;
	if (size < out->payload_offset + out->payload_size)
		return fail(
			f, VL_EIO,
			"The kernel is truncated: the bzImage has %lu of its %lu bytes; copy it "
			"again.",
			(u64)size, out->payload_offset + out->payload_size);
	if (crc != NULL && !crc_is_right(file, out, crc))
		return fail(
			f, VL_EBADMSG,
			"The kernel is damaged: the bzImage's checksum is wrong; copy it again, "
			"or, if "
			"it is a Linux without checksum (6.15 and newer), add kernel_crc=off to "
			"Vellum's command line.");
	return 0;
}
