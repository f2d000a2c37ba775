/* SPDX-License-Identifier: MIT */
/*
 * Small valid inputs for the parsers, made by code: the unit tests break them
 * in one place each, the fuzzers in many.
 */
#ifndef VELLUM_TESTS_UNIT_SAMPLES_H
#define VELLUM_TESTS_UNIT_SAMPLES_H

#include "lib/types.h"

#define SAMPLE_MAX 8192

/** Multiboot2 information under construction, in the caller's 8-byte aligned buffer. */
struct mbi {
	u8 *p;
	u32 size;
};

void mbi_begin(struct mbi *m, void *buffer);
/** Add a tag; `size` is that of the body. */
void mbi_tag(struct mbi *m, u32 type, const void *body, u32 size);
void mbi_string(struct mbi *m, u32 type, const char *s);
void mbi_module(struct mbi *m, u32 start, u32 end, const char *cmdline);
/** Memory map with `count` ranges {start, size, type}. */
void mbi_memory(struct mbi *m, const u64 (*ranges)[3], u32 count);
void mbi_framebuffer(struct mbi *m, u8 type);
/** Close it; returns its total size. */
u32 mbi_end(struct mbi *m);

/** One with every kind of tag that Vellum reads. Returns its size. */
u32 sample_mbi(void *buffer);

#define SAMPLE_PE 0x80 /* offset of the PE signature in sample_bzimage() */

/** A bzImage of protocol 2.15 with PE header and right CRC. Returns its size (< SAMPLE_MAX). */
size_t sample_bzimage(u8 *buffer);
/** Make the CRC right again after a change. */
void sample_bzimage_seal(u8 *buffer, size_t size);

/** An ELF64 kernel: two PT_LOADs (0x100000 with 0x800 of 0x1000, 0x200000), one PT_NOTE with a
 * foreign note before Vellum's. Returns its size. */
size_t sample_elf(u8 *buffer);
#define SAMPLE_ELF_PHDR(i) (64 + 56 * (i)) /* offsets: 0 first load, 1 second load, 2 note */
#define SAMPLE_ELF_NOTE    0x100           /* the foreign note; Vellum's follows */

#endif
