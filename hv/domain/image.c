// SPDX-License-Identifier: MIT
/*
 * Telling the kinds of kernel files apart (see domain/image.h). Pure.
 */
#include "domain/image.h"

#include "lib/string.h"

enum image_kind image_kind(const void *image, size_t size)
{
	const u8 *p = image;

	if (size >= 4 && memcmp(p, "\177ELF", 4) == 0)
		return IMAGE_ELF;
	if (size >= 0x206 && memcmp(p + 0x202, "HdrS", 4) == 0)
		return IMAGE_BZIMAGE;
	return IMAGE_UNKNOWN;
}
