/* SPDX-License-Identifier: MIT */
/*
 * Which of the two kinds of kernel a file is, by its magic alone; whether it
 * is a good one is for bzimage_parse() and elf64_parse() to say.
 */
#ifndef VELLUM_DOMAIN_IMAGE_H
#define VELLUM_DOMAIN_IMAGE_H

#include "lib/types.h"

enum image_kind {
	IMAGE_UNKNOWN,
	IMAGE_BZIMAGE,
	IMAGE_ELF, /* any ELF file, also one that elf64_parse() refuses */
};

enum image_kind image_kind(const void *image, size_t size);

#endif
