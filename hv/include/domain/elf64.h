/* SPDX-License-Identifier: MIT */
/*
 * ELF64 kernels with Vellum's note (public/start.h): the mini guest, vmlinux,
 * and whatever is ported to the ABI. Owns the refusal of unsuitable files:
 * after elf64_parse() segments lie inside the file, do not overlap in memory
 * and contain the entry.
 */
#ifndef VELLUM_DOMAIN_ELF64_H
#define VELLUM_DOMAIN_ELF64_H

#include "lib/failure.h"
#include "lib/types.h"
#include "public/start.h"

#define ELF64_MAX_SEGMENTS 16

/** One piece of the kernel: copy file_size bytes to pa, zero the rest up to memory_size. */
struct elf64_segment {
	u64 file_offset;
	u64 file_size;
	u64 pa;
	u64 memory_size;
};

struct elf64 {
	u32 count;
	struct elf64_segment segment[ELF64_MAX_SEGMENTS]; /* sorted by pa, disjoint, none empty */
	struct range span;                                /* physical: first to last segment */
	u64 entry;                                        /* physical */
	bool has_note;
	struct vl_note note; /* if it has one */
};

/**
 * Check and describe the ELF file in `image`, `size` bytes. e_entry may be a physical address (as
 * in vmlinux) or a virtual one, which is translated by the segment that holds it. Fails with
 * VL_ENOEXEC (not such a file; note missing or of another ABI), VL_EIO (truncated).
 */
int elf64_parse(const void *image, size_t size, struct elf64 *out, struct failure *f);

/**
 * The same, whatever the note: for a kernel that was packed in another format, whose own protocol
 * says how it starts.
 */
int elf64_layout(const void *image, size_t size, struct elf64 *out, struct failure *f);

#endif
