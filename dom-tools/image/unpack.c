// SPDX-License-Identifier: MIT
/*
 * The six formats, see unpack.h. Each library gets the whole input and the
 * whole room at once.
 */
#include "dom-tools/image/unpack.h"

#include <bzlib.h>
#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* Linux packs with dictionaries of up to 64 MiB (lzma -9); nothing should make us take more. */
#define LZMA_MEMORY (160u << 20)

/* The size of a block of the lz4 tool's legacy format, unpacked. */
#define LZ4_BLOCK (8u << 20)

int unpack_gzip(const struct unpack *u)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)u->in, .next_out = u->out};
	int rc;

	if (u->in_size > UINT_MAX || u->out_size > UINT_MAX)
		return -EIO;
	z.avail_in = (uInt)u->in_size;
	z.avail_out = (uInt)u->out_size;
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	return rc == Z_STREAM_END && z.avail_out == 0 ? 0 : -EIO;
}

int unpack_bzip2(const struct unpack *u)
{
	unsigned int size;
	int rc;

	if (u->in_size > UINT_MAX || u->out_size > UINT_MAX)
		return -EIO;
	size = (unsigned int)u->out_size;
	rc = BZ2_bzBuffToBuffDecompress((char *)u->out, &size, (char *)(uintptr_t)u->in,
					(unsigned int)u->in_size, 0, 0);
	if (rc == BZ_MEM_ERROR)
		return -ENOMEM;
	return rc == BZ_OK && size == u->out_size ? 0 : -EIO;
}

static int run_lzma(lzma_stream *s, const struct unpack *u)
{
	lzma_ret rc;

	s->next_in = u->in;
	s->avail_in = u->in_size;
	s->next_out = u->out;
	s->avail_out = u->out_size;
	rc = lzma_code(s, LZMA_FINISH);
	/* Without a size in its header the end shows only when more is asked for. */
	if (rc == LZMA_OK && s->avail_out == 0) {
		uint8_t beyond;

		s->next_out = &beyond;
		s->avail_out = 1;
		rc = lzma_code(s, LZMA_FINISH);
		s->avail_out = s->avail_out == 1 ? 0 : 1;
	}
	lzma_end(s);
	if (rc == LZMA_MEM_ERROR)
		return -ENOMEM;
	return rc == LZMA_STREAM_END && s->avail_out == 0 ? 0 : -EIO;
}

int unpack_lzma(const struct unpack *u)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&s, LZMA_MEMORY) != LZMA_OK)
		return -ENOMEM;
	return run_lzma(&s, u);
}

int unpack_xz(const struct unpack *u)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&s, LZMA_MEMORY, 0) != LZMA_OK)
		return -ENOMEM;
	return run_lzma(&s, u);
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* One block at *at; false: it is damaged. */
static bool lz4_block(const struct unpack *u, size_t *at, size_t *done)
{
	size_t left = u->in_size - *at, room = u->out_size - *done;
	uint32_t size = left >= 4 ? le32(u->in + *at) : 0;
	int n;

	if (size == 0 || size > INT_MAX || size > left - 4)
		return false;
	n = LZ4_decompress_safe((const char *)u->in + *at + 4, (char *)u->out + *done, (int)size,
				(int)(room < LZ4_BLOCK ? room : LZ4_BLOCK));
	if (n <= 0)
		return false;
	*at += 4 + (size_t)size;
	*done += (size_t)n;
	return true;
}

/* The legacy format of the lz4 tool (lz4 -l), which liblz4 itself does not read. */
int unpack_lz4(const struct unpack *u)
{
	size_t at = 4, done = 0;

	if (u->in_size < at)
		return -EIO;
	while (done < u->out_size)
		if (!lz4_block(u, &at, &done))
			return -EIO;
	return u->in_size == at ? 0 : -EIO;
}

int unpack_zstd(const struct unpack *u)
{
	size_t n = ZSTD_decompress(u->out, u->out_size, u->in, u->in_size);

	return !ZSTD_isError(n) && n == u->out_size ? 0 : -EIO;
}
