// SPDX-License-Identifier: MIT
/*
 * Where the payload is, what packed it and how large it will be, see
 * payload.h. Behind the packed data Linux's build appends the unpacked size,
 * 32 bits; gzip has the same there by itself.
 */
#include "dom-tools/image/payload.h"

#include <errno.h>
#include <string.h>

#include "dom-tools/image/unpack.h"
#include "lib/load.h"

/* Fields of the setup header (Documentation/x86/boot.rst). The first counts from the start of the
 * protected-mode part. */
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define SIZE_FIELD     4

static const struct {
	const char *name;
	const char *magic;
	size_t magic_size;
	unpack_fn *unpack;
} formats[NR_PAYLOAD_FORMATS] = {
	[PAYLOAD_GZIP] = {"gzip", "\x1f\x8b\x08", 3, unpack_gzip},
	[PAYLOAD_BZIP2] = {"bzip2", "BZh", 3, unpack_bzip2},
	[PAYLOAD_LZMA] = {"lzma", "\x5d\0\0", 3, unpack_lzma},
	[PAYLOAD_XZ] = {"xz",
			"\xfd"
			"7zXZ\0",
			6, unpack_xz},
	[PAYLOAD_LZ4] = {"lz4", "\x02\x21\x4c\x18", 4, unpack_lz4},
	[PAYLOAD_ZSTD] = {"zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd},
};

#define LZO_MAGIC "\x89LZO"

const char *payload_format_name(enum payload_format format)
{
	return formats[format].name;
}

static int find_format(const struct payload *p, enum payload_format *format, struct vl_error *e)
{
	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++)
		if (p->size > formats[i].magic_size &&
		    memcmp(p->data, formats[i].magic, formats[i].magic_size) == 0) {
			*format = (enum payload_format)i;
			return 0;
		}
	if (p->size > 4 && memcmp(p->data, LZO_MAGIC, 4) == 0)
		return vl_fail(e, ENOEXEC,
			       "the kernel is packed with lzo, which is not supported; build it "
			       "with another CONFIG_KERNEL_ format");
	return vl_fail(e, ENOEXEC,
		       "what packed the kernel is not known; build it with one of gzip, bzip2, "
		       "lzma, xz, lz4 and zstd");
}

int payload_find(const void *image, size_t size, const struct bzimage *bz, struct payload *out,
		 struct vl_error *e)
{
	const uint8_t *p = image;
	uint64_t offset = bz->payload_offset + load32(p + PAYLOAD_OFFSET);
	uint64_t length = load32(p + PAYLOAD_LENGTH);

	if (length <= SIZE_FIELD)
		return vl_fail(e, ENOEXEC, "the bzImage has no packed kernel inside");
	if (offset > size || length > size - offset)
		return vl_fail(
			e, EIO,
			"the kernel is truncated: its payload goes past the end of the file; "
			"copy it again");
	*out = (struct payload){.data = p + offset, .size = length};
	if (find_format(out, &out->format, e))
		return -e->err;
	out->unpacked_size = load32(p + offset + length - SIZE_FIELD);
	if (out->format != PAYLOAD_GZIP)
		out->size -= SIZE_FIELD;
	if (out->unpacked_size == 0 || out->unpacked_size > bz->init_size)
		return vl_fail(e, EIO,
			       "the kernel is damaged: it unpacks to %zu bytes and its header says "
			       "at most %ju; copy it again",
			       out->unpacked_size, (uintmax_t)bz->init_size);
	return 0;
}

int payload_unpack(const struct payload *p, void *out, struct vl_error *e)
{
	struct unpack u = {p->data, p->size, out, p->unpacked_size};
	int rc = formats[p->format].unpack(&u);

	if (rc == -ENOMEM)
		return vl_fail(e, ENOMEM, "not enough memory to unpack the kernel");
	if (rc)
		return vl_fail(e, EIO,
			       "the kernel is damaged: its %s payload does not unpack to the %zu "
			       "bytes that it should; copy it again",
			       payload_format_name(p->format), p->unpacked_size);
	return 0;
}
