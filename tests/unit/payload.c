// SPDX-License-Identifier: MIT
/*
 * The kernel inside a bzImage: comes out byte by byte from each format, and
 * never from a damaged file unless the checksum of that format cannot tell.
 */
/* shows: U2 */
#include "tests/unit/check.h"

#include <errno.h>

#include "dom-tools/image/kernel.h"
#include "tests/unit/packed.h"
#include "tests/unit/samples.h"

#define LARGE (9u << 20) /* more than one block of lz4 */

static struct vl_error e;
static struct kernel kernel;

/* A copy of exactly that size, so that a byte too far is seen. */
static u8 *exact(const u8 *data, size_t size)
{
	u8 *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	return copy;
}

static int examine(const u8 *image, size_t size)
{
	u8 *copy = exact(image, size);
	int rc = kernel_examine(copy, size, &kernel, &e);

	/* What is used below is in memory of its own, or numbers. */
	free(copy);
	return rc;
}

static void assert_refused(int rc, int err, const char *part)
{
	assert_int_equal(rc, -err);
	if (strstr(e.text, part) == NULL)
		stop_test("\"%s\" lacks \"%s\"", e.text, part);
}

/* Some that packs, some that does not. */
static void fill(u8 *data, size_t size)
{
	struct rng r = {4711};

	for (size_t i = 0; i < size; i++)
		data[i] = (u8)(i % 4096 < 1024 ? rng_next(&r) >> 56 : i / 64);
}

static void every_format(void **state)
{
	u8 elf[SAMPLE_MAX], image[PACKED_ROOM(SAMPLE_MAX)];
	size_t elf_size = sample_elf(elf);

	(void)state;
	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++) {
		size_t size = packed_bzimage((enum payload_format)i, elf, elf_size, image);

		if (examine(image, size) != 0)
			stop_test("%s: %s", payload_format_name((enum payload_format)i), e.text);
		assert_true(kernel.packed);
		assert_int_equal(kernel.payload.format, i);
		assert_string_equal(kernel.release, "6.1.0-sample");
		assert_int_equal(kernel.elf_size, elf_size);
		assert_memory_equal(kernel.elf_file, elf, elf_size);
		assert_int_equal(kernel.elf.entry, 0x100040);
		assert_true(kernel.elf.has_note);
		assert_int_equal(kernel_span(&kernel), 0x100200);
		kernel_free(&kernel);
	}
}

static void large(void **state)
{
	u8 *data = malloc(LARGE), *out = malloc(LARGE), *image = malloc(PACKED_ROOM(LARGE));
	struct payload p;

	(void)state;
	fill(data, LARGE);
	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++) {
		p = (struct payload){.format = (enum payload_format)i, .data = image};
		p.size = packed(p.format, data, LARGE, image);
		p.size -= p.format == PAYLOAD_GZIP ? 0 : 4;
		p.unpacked_size = LARGE;
		memset(out, 0, LARGE);
		assert_int_equal(payload_unpack(&p, out, &e), 0);
		assert_memory_equal(out, data, LARGE);
		/* A byte less or more than there is. */
		p.unpacked_size = LARGE - 1;
		assert_refused(payload_unpack(&p, out, &e), EIO, "does not unpack");
	}
	free(image);
	free(out);
	free(data);
}

static void longer_than_it_is(void **state)
{
	u8 data[3000], *out = malloc(4000), image[PACKED_ROOM(3000)];

	(void)state;
	fill(data, sizeof(data));
	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++) {
		struct payload p = {.format = (enum payload_format)i, .data = image};

		p.size = packed(p.format, data, sizeof(data), image);
		p.size -= p.format == PAYLOAD_GZIP ? 0 : 4;
		p.unpacked_size = 3001;
		assert_refused(payload_unpack(&p, out, &e), EIO, "does not unpack");
	}
	free(out);
}

/* Cut anywhere: never more than was there, and a sentence. */
static void truncated(void **state)
{
	u8 data[3000], *out = malloc(sizeof(data)), image[PACKED_ROOM(3000)];

	(void)state;
	fill(data, sizeof(data));
	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++) {
		struct payload p = {.format = (enum payload_format)i};
		size_t whole = packed(p.format, data, sizeof(data), image);

		whole -= p.format == PAYLOAD_GZIP ? 0 : 4;
		for (size_t size = 0; size < whole; size += 1 + size / 16) {
			u8 *copy = exact(image, size);

			p.data = copy;
			p.size = size;
			p.unpacked_size = sizeof(data);
			assert_refused(payload_unpack(&p, out, &e), EIO, "does not unpack");
			free(copy);
		}
	}
	free(out);
}

static void put32(u8 *p, size_t at, u32 x)
{
	memcpy(p + at, &x, 4);
}

static size_t make(u8 *image)
{
	u8 elf[SAMPLE_MAX];

	return packed_bzimage(PAYLOAD_GZIP, elf, sample_elf(elf), image);
}

static void wrong_headers(void **state)
{
	static const struct {
		size_t at;
		u32 value;
		int err;
		const char *part;
	} cases[] = {
		{0x24c, 0, ENOEXEC, "no packed kernel"},
		{0x24c, 4, ENOEXEC, "no packed kernel"},
		{0x248, 0x7fffffff, EIO, "truncated"},
		{0x24c, 0xffffffff, EIO, "truncated"},
		{PACKED_PAYLOAD, 0x12345678, ENOEXEC, "not known"},
		{PACKED_PAYLOAD, 0x4f5a4c89, ENOEXEC, "packed with lzo"},
		{0x260, 0xa00, EIO, "unpacks to 3072 bytes"},
		{PACKED_PAYLOAD + 10, 0xffffffff, EIO, "does not unpack"},
	};
	u8 image[PACKED_ROOM(SAMPLE_MAX)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = make(image);

		put32(image, cases[i].at, cases[i].value);
		sample_bzimage_seal(image, size);
		assert_refused(examine(image, size), cases[i].err, cases[i].part);
	}
}

static void wrong_files(void **state)
{
	u8 image[PACKED_ROOM(SAMPLE_MAX)], elf[SAMPLE_MAX];
	size_t size = make(image), elf_size = sample_elf(elf);

	(void)state;
	assert_refused(examine(image, 0), ENOEXEC, "not a Linux bzImage");
	assert_refused(examine(image, size / 2), EIO, "truncated");
	image[size - 20] ^= 1;
	assert_refused(examine(image, size), EBADMSG, "checksum is wrong; copy it again");
	/* The sentence of the hypervisor, as one of the tool's. */
	assert_true(e.text[0] == 't' && e.text[strlen(e.text) - 1] != '.');
	assert_refused(examine((const u8 *)"#!/bin/sh\n", 10), ENOEXEC, "the kernel is not");

	assert_int_equal(examine(elf, elf_size), 0);
	assert_false(kernel.packed);
	assert_int_equal(kernel_span(&kernel), 0x100200);
	kernel_free(&kernel);
	elf[4] = 1;
	assert_refused(examine(elf, elf_size), ENOEXEC, "32-bit");
}

/* A bzImage says by its own protocol how it starts; a plain ELF file needs the note. */
static void without_note(void **state)
{
	u8 image[PACKED_ROOM(SAMPLE_MAX)], elf[SAMPLE_MAX];
	size_t elf_size = sample_elf(elf);

	(void)state;
	put32(elf, SAMPLE_ELF_PHDR(2), 0);
	assert_refused(examine(elf, elf_size), ENOEXEC, "lacks Vellum's note");
	assert_int_equal(examine(image, packed_bzimage(PAYLOAD_XZ, elf, elf_size, image)), 0);
	assert_false(kernel.elf.has_note);
	kernel_free(&kernel);
}

/* Bytes changed at random, checksum mended: an error, or what bzimage and ELF reader accept. */
static void damaged(void **state)
{
	static u8 good[NR_PAYLOAD_FORMATS][PACKED_ROOM(SAMPLE_MAX)];
	static size_t sizes[NR_PAYLOAD_FORMATS];
	u8 elf[SAMPLE_MAX], image[PACKED_ROOM(SAMPLE_MAX)];
	size_t elf_size = sample_elf(elf);
	struct rng r = {99};

	(void)state;
	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++)
		sizes[i] = packed_bzimage((enum payload_format)i, elf, elf_size, good[i]);
	for (u32 i = 0; i < random_cases(3000); i++) {
		u32 format = i % NR_PAYLOAD_FORMATS;
		size_t size = sizes[format], left = size - PACKED_PAYLOAD;

		memcpy(image, good[format], size);
		image[PACKED_PAYLOAD + rng_below(&r, (u32)left)] ^= (u8)(1 << rng_below(&r, 8));
		sample_bzimage_seal(image, size);
		e.text[0] = 0;
		if (examine(image, size) == 0)
			kernel_free(&kernel);
		else
			assert_true(e.text[0] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format),  cmocka_unit_test(large),
		cmocka_unit_test(truncated),     cmocka_unit_test(longer_than_it_is),
		cmocka_unit_test(wrong_headers), cmocka_unit_test(wrong_files),
		cmocka_unit_test(without_note),  cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
