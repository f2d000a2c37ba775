// SPDX-License-Identifier: MIT
/*
 * Builders of valid inputs (see samples.h). They write fields by the offsets
 * of the specifications, not through the parsers' own constants, so that a
 * wrong constant there shows.
 */
#include "tests/unit/samples.h"

#include <string.h>

#include "lib/crc32.h"
#include "public/start.h"

static void put16(u8 *p, size_t at, u32 x)
{
	p[at] = (u8)x;
	p[at + 1] = (u8)(x >> 8);
}

static void put32(u8 *p, size_t at, u32 x)
{
	put16(p, at, x & 0xffff);
	put16(p, at + 2, x >> 16);
}

static void put64(u8 *p, size_t at, u64 x)
{
	put32(p, at, (u32)x);
	put32(p, at + 4, (u32)(x >> 32));
}

void mbi_begin(struct mbi *m, void *buffer)
{
	m->p = buffer;
	m->size = 8;
	put32(m->p, 4, 0);
}

void mbi_tag(struct mbi *m, u32 type, const void *body, u32 size)
{
	put32(m->p, m->size, type);
	put32(m->p, m->size + 4, size + 8);
	if (size > 0)
		memcpy(m->p + m->size + 8, body, size);
	memset(m->p + m->size + 8 + size, 0xee, 7 & (0 - size));
	m->size += (size + 8 + 7) & ~7u;
}

void mbi_string(struct mbi *m, u32 type, const char *s)
{
	mbi_tag(m, type, s, (u32)strlen(s) + 1);
}

void mbi_module(struct mbi *m, u32 start, u32 end, const char *cmdline)
{
	u8 body[4096];

	put32(body, 0, start);
	put32(body, 4, end);
	strcpy((char *)body + 8, cmdline);
	mbi_tag(m, 3, body, 8 + (u32)strlen(cmdline) + 1);
}

void mbi_memory(struct mbi *m, const u64 (*ranges)[3], u32 count)
{
	u8 body[8 + 24 * 300];

	put32(body, 0, 24);
	put32(body, 4, 0);
	for (u32 i = 0; i < count; i++) {
		put64(body, 8 + 24 * i, ranges[i][0]);
		put64(body, 16 + 24 * i, ranges[i][1]);
		put64(body, 24 + 24 * i, ranges[i][2]);
	}
	mbi_tag(m, 6, body, 8 + 24 * count);
}

void mbi_framebuffer(struct mbi *m, u8 type)
{
	u8 body[30] = {0};

	put64(body, 0, 0x180000000);
	put32(body, 8, 4096);
	put32(body, 12, 1024);
	put32(body, 16, 768);
	body[20] = 32;
	body[21] = type;
	memcpy(body + 24, "\x10\x08\x08\x08\x00\x08", 6);
	mbi_tag(m, 8, body, type == 1 ? 30 : 24);
}

u32 mbi_end(struct mbi *m)
{
	mbi_tag(m, 0, NULL, 0);
	put32(m->p, 0, m->size);
	return m->size;
}

u32 sample_mbi(void *buffer)
{
	static const u64 memory[][3] = {
		{0, 0x9fc00, 1},          {0x9fc00, 0x400, 2},     {0xf0000, 0x10000, 2},
		{0x100000, 0x7ee0000, 1}, {0x7fe0000, 0x20000, 3},
	};
	struct mbi m;

	mbi_begin(&m, buffer);
	mbi_string(&m, 1, "vellum_mem=32M debug");
	mbi_string(&m, 2, "GRUB 2.06-13+deb12u1");
	mbi_module(&m, 0x200000, 0x600123, "console=ttyS0 root=/dev/ram0");
	mbi_module(&m, 0x601000, 0x701000, "");
	mbi_memory(&m, memory, 5);
	mbi_framebuffer(&m, 1);
	mbi_tag(&m, 12, "\x18\x20\x30\x40\x00\x00\x00\x00", 8);
	mbi_tag(&m, 14, "RSD PTR \x01OEMID \x00\x11\x22\x33\x44", 20);
	mbi_tag(&m, 15, "RSD PTR \x02OEMID \x02\x11\x22\x33\x44\x24\x00\x00\x00zzzzzzzzzzzz", 36);
	mbi_tag(&m, 17, "\x30\x00\x00\x00\x01\x00\x00\x00", 8);
	mbi_tag(&m, 18, NULL, 0);
	mbi_tag(&m, 4242, "unknown", 8);
	return mbi_end(&m);
}

void sample_bzimage_seal(u8 *buffer, size_t size)
{
	static struct crc32_tables t;

	crc32_init(&t);
	put32(buffer, size - 4, crc32_update(&t, ~(u32)0, buffer, size - 4));
}

size_t sample_bzimage(u8 *buffer)
{
	size_t size = 3 * 512 + 0x500;

	for (size_t i = 0; i < size; i++)
		buffer[i] = (u8)(i * 7 + i / 256);
	memset(buffer, 0, 0x2d0);
	memcpy(buffer, "MZ", 2);
	put32(buffer, 0x3c, SAMPLE_PE);
	memcpy(buffer + SAMPLE_PE, "PE\0\0", 4);
	put16(buffer, SAMPLE_PE + 24, 0x20b);
	put32(buffer, SAMPLE_PE + 24 + 108, 6);
	buffer[0x1f1] = 2; /* setup_sects */
	put32(buffer, 0x1f4, 0x50);
	put16(buffer, 0x1fe, 0xaa55);
	put16(buffer, 0x200, 0x6aeb); /* jump: the header ends at 0x26c */
	memcpy(buffer + 0x202, "HdrS", 4);
	put16(buffer, 0x206, 0x20f);
	buffer[0x211] = 1;                /* loadflags: loaded high */
	put32(buffer, 0x22c, 0x7fffffff); /* initrd_addr_max */
	put32(buffer, 0x230, 0x200000);   /* kernel_alignment */
	buffer[0x234] = 1;                /* relocatable */
	put16(buffer, 0x236, 0x7f);       /* xloadflags */
	put32(buffer, 0x238, 2047);       /* cmdline_size */
	put64(buffer, 0x258, 0x1000000);  /* pref_address */
	put32(buffer, 0x260, 0x2c00000);  /* init_size */
	sample_bzimage_seal(buffer, size);
	return size;
}

static size_t put_note(u8 *p, size_t at, u32 type, const char *name, const void *desc, u32 size)
{
	u32 name_size = (u32)strlen(name) + 1;

	put32(p, at, name_size);
	put32(p, at + 4, size);
	put32(p, at + 8, type);
	memcpy(p + at + 12, name, name_size);
	at += 12 + ((name_size + 3) & ~3u);
	memcpy(p + at, desc, size);
	return at + ((size + 3) & ~3u);
}

static void put_phdr(u8 *p, u32 i, u32 type, const u64 (*f)[6])
{
	size_t at = SAMPLE_ELF_PHDR(i);

	put32(p, at, type);
	put32(p, at + 4, 5);
	for (u32 k = 0; k < 6; k++)
		put64(p, at + 8 + 8 * k, (*f)[k]);
}

size_t sample_elf(u8 *buffer)
{
	/* offset, vaddr, paddr, filesz, memsz, align */
	static const u64 load0[1][6] = {
		{0x200, 0xffffffff80100000, 0x100000, 0x800, 0x1000, 0x1000}};
	static const u64 load1[1][6] = {
		{0xa00, 0xffffffff80200000, 0x200000, 0x200, 0x200, 0x1000}};
	u64 note[1][6] = {{SAMPLE_ELF_NOTE, 0, 0, 0, 0, 4}};
	struct vl_note abi = {VL_ABI_MAJOR, VL_ABI_MINOR};
	size_t end;

	memset(buffer, 0, 0xc00);
	memcpy(buffer, "\177ELF\2\1\1", 7);
	put16(buffer, 16, 2);  /* ET_EXEC */
	put16(buffer, 18, 62); /* x86-64 */
	put32(buffer, 20, 1);
	put64(buffer, 24, 0x100040); /* entry */
	put64(buffer, 32, 64);       /* phoff */
	put16(buffer, 52, 64);
	put16(buffer, 54, 56);
	put16(buffer, 56, 3);
	end = put_note(buffer, SAMPLE_ELF_NOTE, 3, "GNU", "build-id", 8);
	end = put_note(buffer, end, VL_NOTE_ABI, VL_NOTE_NAME, &abi, sizeof(abi));
	note[0][3] = note[0][4] = end - SAMPLE_ELF_NOTE;
	put_phdr(buffer, 0, 1, load0);
	put_phdr(buffer, 1, 1, load1);
	put_phdr(buffer, 2, 4, (const u64(*)[6])note);
	for (size_t i = 0x200; i < 0xc00; i++)
		buffer[i] = (u8)i;
	return 0xc00;
}
