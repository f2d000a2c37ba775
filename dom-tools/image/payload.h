/* SPDX-License-Identifier: MIT */
/*
 * The kernel inside a bzImage. Linux's own decompressor runs at ring 0 before
 * anything that Vellum could help with; a later guest starts with the ELF
 * file that it would have unpacked. So the tool unpacks it, with the libraries
 * of the distribution. Owns: nothing is written beyond the size that the file
 * itself claims, and no result is shorter.
 */
#ifndef DOM_TOOLS_IMAGE_PAYLOAD_H
#define DOM_TOOLS_IMAGE_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "dom-tools/lib/error.h"
#include "domain/bzimage.h"

enum payload_format {
	PAYLOAD_GZIP,
	PAYLOAD_BZIP2,
	PAYLOAD_LZMA,
	PAYLOAD_XZ,
	PAYLOAD_LZ4,
	PAYLOAD_ZSTD,
	NR_PAYLOAD_FORMATS,
};

struct payload {
	enum payload_format format;
	const uint8_t *data; /* in the image */
	size_t size;
	size_t unpacked_size; /* as the file says; at most what the kernel wants to be loaded to */
};

/**
 * Find the payload of a bzImage that bzimage_parse() has accepted as `bz`, in `image`, `size`
 * bytes. Returns 0 or a negative errno with its sentence in `e`. ENOEXEC: there is none, or in a
 * format that is not supported; EIO: it does not lie inside the file or contradicts the header.
 */
int payload_find(const void *image, size_t size, const struct bzimage *bz, struct payload *out,
		 struct vl_error *e);

/**
 * Unpack it to `out`, out->unpacked_size bytes. Returns 0 or a negative errno with its sentence in
 * `e`. EIO: it is damaged; ENOMEM.
 */
int payload_unpack(const struct payload *p, void *out, struct vl_error *e);

/** "gzip", "bzip2", ... */
const char *payload_format_name(enum payload_format format);

#endif
