// SPDX-License-Identifier: MIT
/*
 * The ELF note by which Vellum recognises a kernel that it can start, and the
 * ABI that the kernel was written for. Nothing else is needed in the file.
 */
#include "lib/types.h"
#include "public/start.h"

struct elf_note {
	u32 name_size;
	u32 desc_size;
	u32 type;
	char name[8]; /* padded to a multiple of 4 */
	struct vl_note desc;
};

static const struct elf_note note __attribute__((section(".note.vellum"), used, aligned(4))) = {
	.name_size = sizeof(VL_NOTE_NAME),
	.desc_size = sizeof(struct vl_note),
	.type = VL_NOTE_ABI,
	.name = VL_NOTE_NAME,
	.desc = {.abi_major = VL_ABI_MAJOR, .abi_minor = VL_ABI_MINOR},
};
