/* SPDX-License-Identifier: MIT */
/*
 * One function a format, all of the same form, over the library that the
 * distribution has for it.
 */
#ifndef DOM_TOOLS_IMAGE_UNPACK_H
#define DOM_TOOLS_IMAGE_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/** Bytes in, and room for bytes out. */
struct unpack {
	const uint8_t *in;
	size_t in_size;
	uint8_t *out;
	size_t out_size;
};

/**
 * Unpack all of it. Returns 0 if that filled `out` exactly, -EIO if the input is damaged or has
 * another size, -ENOMEM. What stands behind the end of the packed data is ignored.
 */
typedef int unpack_fn(const struct unpack *u);

unpack_fn unpack_gzip, unpack_bzip2, unpack_lzma, unpack_xz, unpack_lz4, unpack_zstd;

#endif
