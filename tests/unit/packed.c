// SPDX-License-Identifier: MIT
/*
 * Packing, see packed.h: with the library of each format and, for xz, the
 * filter for x86 code that Linux's build uses.
 */
#include "tests/unit/packed.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/samples.h"

#define LZ4_BLOCK  (8u << 20)
#define SETUP_SIZE 0x600 /* of sample_bzimage() */

static void need(int holds)
{
	if (!holds)
		abort();
}

static size_t pack_gzip(const void *data, size_t size, uint8_t *out, size_t room)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .next_out = out};

	z.avail_in = (uInt)size;
	z.avail_out = (uInt)room;
	need(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	need(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static size_t pack_bzip2(const void *data, size_t size, uint8_t *out, size_t room)
{
	unsigned int n = (unsigned int)room;

	need(BZ2_bzBuffToBuffCompress((char *)out, &n, (char *)(uintptr_t)data, (unsigned int)size,
				      9, 0, 0) == BZ_OK);
	return n;
}

static size_t pack_lzma(const void *data, size_t size, uint8_t *out, size_t room)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	need(!lzma_lzma_preset(&options, 1));
	need(lzma_alone_encoder(&s, &options) == LZMA_OK);
	s.next_in = data;
	s.avail_in = size;
	s.next_out = out;
	s.avail_out = room;
	need(lzma_code(&s, LZMA_FINISH) == LZMA_STREAM_END);
	room = s.total_out;
	lzma_end(&s);
	return room;
}

static size_t pack_xz(const void *data, size_t size, uint8_t *out, size_t room)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	size_t n = 0;

	need(!lzma_lzma_preset(&options, 1));
	need(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, data, size, out, &n,
				       room) == LZMA_OK);
	return n;
}

static size_t pack_lz4(const void *data, size_t size, uint8_t *out, size_t room)
{
	size_t n = 4;

	memcpy(out, "\x02\x21\x4c\x18", 4);
	for (size_t at = 0; at < size; at += LZ4_BLOCK) {
		size_t left = size - at;
		int32_t packed_size = LZ4_compress_default(
			(const char *)data + at, (char *)out + n + 4,
			(int)(left < LZ4_BLOCK ? left : LZ4_BLOCK), (int)(room - n - 4));

		need(packed_size > 0);
		memcpy(out + n, &packed_size, 4);
		n += 4 + (size_t)packed_size;
	}
	return n;
}

static size_t pack_zstd(const void *data, size_t size, uint8_t *out, size_t room)
{
	size_t n = ZSTD_compress(out, room, data, size, 1);

	need(!ZSTD_isError(n));
	return n;
}

size_t packed(enum payload_format format, const void *data, size_t size, uint8_t *out)
{
	static size_t (*const pack[])(const void *, size_t, uint8_t *, size_t) = {
		[PAYLOAD_GZIP] = pack_gzip, [PAYLOAD_BZIP2] = pack_bzip2,
		[PAYLOAD_LZMA] = pack_lzma, [PAYLOAD_XZ] = pack_xz,
		[PAYLOAD_LZ4] = pack_lz4,   [PAYLOAD_ZSTD] = pack_zstd,
	};
	size_t n = pack[format](data, size, out, PACKED_ROOM(size) - PACKED_PAYLOAD - 64);
	uint32_t field = (uint32_t)size;

	if (format == PAYLOAD_GZIP) /* which has it already */
		return n;
	memcpy(out + n, &field, 4);
	return n + 4;
}

static void put32(uint8_t *p, size_t at, size_t x)
{
	uint32_t field = (uint32_t)x;

	memcpy(p + at, &field, 4);
}

size_t packed_bzimage(enum payload_format format, const void *data, size_t size, uint8_t *out)
{
	uint8_t sample[SAMPLE_MAX];
	size_t n, end;

	sample_bzimage(sample);
	memset(out, 0, PACKED_PAYLOAD);
	memcpy(out, sample, SETUP_SIZE);
	n = packed(format, data, size, out + PACKED_PAYLOAD);
	/* A multiple of 16, and room for the checksum. */
	end = (PACKED_PAYLOAD + n + 4 + 15) & ~(size_t)15;
	memset(out + PACKED_PAYLOAD + n, 0, end - PACKED_PAYLOAD - n);
	put32(out, 0x1f4, (end - SETUP_SIZE) / 16);
	memcpy(out + 0x20e, "\x80\x02", 2);
	strcpy((char *)out + 0x480, "6.1.0-sample (someone) #1");
	put32(out, 0x248, PACKED_PAYLOAD - SETUP_SIZE);
	put32(out, 0x24c, n);
	if (size + n > 0x2c00000)
		put32(out, 0x260, size + n);
	sample_bzimage_seal(out, end);
	return end;
}
