/* SPDX-License-Identifier: MIT */
/*
 * A kernel as a guest would start from it: an ELF64 file with Vellum's note,
 * or the ELF64 file inside a bzImage. Judged by the same code that the
 * hypervisor uses for its first guest.
 */
#ifndef DOM_TOOLS_IMAGE_KERNEL_H
#define DOM_TOOLS_IMAGE_KERNEL_H

#include <stdbool.h>

#include "dom-tools/image/payload.h"
#include "domain/elf64.h"

struct kernel {
	bool packed;            /* a bzImage */
	char release[64];       /* what a bzImage says it is, "" otherwise */
	struct bzimage bzimage; /* if it is one */
	struct payload payload;
	void *unpacked;       /* NULL unless it is a bzImage */
	const void *elf_file; /* what `elf` describes */
	size_t elf_size;
	struct elf64 elf;
};

/**
 * Examine the kernel in `image`, `size` bytes, which has to stay as it is as long as `kernel` is
 * used. Returns 0 or a negative errno with its sentence in `e`: ENOEXEC (not such a file), EIO
 * (truncated or damaged), EBADMSG (a checksum does not match), ENOMEM. To be freed by
 * kernel_free() if it returns 0.
 */
int kernel_examine(const void *image, size_t size, struct kernel *kernel, struct vl_error *e);

void kernel_free(struct kernel *kernel);

/** Bytes of memory from its first to its last byte, once it is loaded. */
uint64_t kernel_span(const struct kernel *kernel);

#endif
