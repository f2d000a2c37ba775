// SPDX-License-Identifier: MIT
/*
 * bzImage: a sample read field by field, each refusal, and the checksum.
 * (That the checksum is the one real kernels carry is shown by booting them.)
 */
#include "tests/unit/check.h"

#include "domain/bzimage.h"
#include "domain/image.h"
#include "tests/unit/samples.h"

static struct crc32_tables tables;
static struct bzimage bz;
static struct failure f;
static u8 sample[SAMPLE_MAX];
static size_t sample_size;

static int parse_with(const void *p, size_t size, struct crc32_tables *crc)
{
	void *exact = malloc(size);
	int err;

	memcpy(exact, p, size);
	err = bzimage_parse(exact, size, crc, &bz, &f);
	free(exact);
	return err;
}

static int parse(void)
{
	return parse_with(sample, sample_size, NULL);
}

static void put32(size_t at, u32 x)
{
	memcpy(sample + at, &x, sizeof(x));
}

static void complete_sample(void **state)
{
	(void)state;
	assert_works(parse_with(sample, sample_size, &tables), &f);
	assert_int_equal(bz.payload_offset, 0x600);
	assert_int_equal(bz.payload_size, 0x500);
	assert_int_equal(bz.header_offset, 0x1f1);
	assert_int_equal(bz.header_size, 0x26c - 0x1f1);
	assert_int_equal(bz.pref_address, 0x1000000);
	assert_int_equal(bz.init_size, 0x2c00000);
	assert_int_equal(bz.alignment, 0x200000);
	assert_true(bz.relocatable);
	assert_int_equal(bz.protocol, 0x20f);
	assert_int_equal(bz.xloadflags, 0x7f);
	assert_int_equal(bz.cmdline_max, 2047);
	assert_int_equal(bz.initrd_addr_max, 0x7fffffff);
}

static void kinds(void **state)
{
	u8 elf[SAMPLE_MAX];
	size_t elf_size = sample_elf(elf);

	(void)state;
	assert_int_equal(image_kind(sample, sample_size), IMAGE_BZIMAGE);
	assert_int_equal(image_kind(sample, 0x206), IMAGE_BZIMAGE);
	assert_int_equal(image_kind(sample, 0x205), IMAGE_UNKNOWN);
	assert_int_equal(image_kind(elf, elf_size), IMAGE_ELF);
	assert_int_equal(image_kind(elf, 3), IMAGE_UNKNOWN);
	assert_int_equal(image_kind("", 0), IMAGE_UNKNOWN);
	assert_int_equal(image_kind("#!/bin/sh\n", 10), IMAGE_UNKNOWN);
}

static void truncations(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sample_size; cut++) {
		int err = parse_with(sample, cut, &tables);

		if (cut < 0x264)
			assert_fails(err, VL_ENOEXEC, &f, "not a Linux bzImage");
		else
			assert_fails(err, VL_EIO, &f, "of its 2816 bytes");
	}
	sample[0x1f1] = 0; /* means 4 */
	assert_fails(parse(), VL_EIO, &f, "has 2816 of its 3840 bytes");
	put32(0x1f4, 0xffffffff);
	put32(0x260, 0xffffffff);
	assert_fails(parse(), VL_ENOEXEC, &f, "init_size");
}

static void other_files(void **state)
{
	(void)state;
	sample[0x202] = 'h';
	assert_fails(parse(), VL_ENOEXEC, &f, "not a Linux bzImage");
}

static void old_protocol(void **state)
{
	(void)state;
	sample[0x206] = 0x0b;
	assert_fails(parse(), VL_ENOEXEC, &f, "protocol 2.11");
	sample[0x206] = 0x0c;
	assert_works(parse(), &f);
}

static void without_64_bit_entry(void **state)
{
	(void)state;
	sample[0x236] = 0x7e;
	assert_fails(parse(), VL_ENOEXEC, &f, "no 64-bit entry");
	sample[0x236] = 0x01;
	sample[0x211] = 0;
	assert_fails(parse(), VL_ENOEXEC, &f, "no 64-bit entry");
}

static void inconsistent_headers(void **state)
{
	(void)state;
	sample[0x201] = 0x61;
	assert_fails(parse(), VL_ENOEXEC, &f, "its end is 0x263");
	sample[0x201] = 0x8f;
	assert_fails(parse(), VL_ENOEXEC, &f, "its end is 0x291");
	sample[0x201] = 0x62;
	assert_works(parse(), &f);
	sample[0x201] = 0x8e;
	assert_works(parse(), &f);
	assert_int_equal(bz.header_offset + bz.header_size, 0x290);
	sample[0x201] = 0x6a;
	put32(0x1f4, 0x20);
	assert_fails(parse(), VL_ENOEXEC, &f, "the kernel's size is 0x200");
	put32(0x1f4, 0x50);
	put32(0x260, 0x4ff);
	assert_fails(parse(), VL_ENOEXEC, &f, "init_size is 0x4ff");
	put32(0x260, 0x500);
	put32(0x258, 0x1000001);
	assert_fails(parse(), VL_ENOEXEC, &f, "pref_address");
	put32(0x258, 0x1000000);
	put32(0x25c, 0x100000);
	assert_fails(parse(), VL_ENOEXEC, &f, "pref_address");
	put32(0x25c, 0);
	put32(0x230, 0x300000);
	assert_fails(parse(), VL_ENOEXEC, &f, "kernel_alignment is 0x300000");
	put32(0x230, 0);
	assert_fails(parse(), VL_ENOEXEC, &f, "kernel_alignment is 0");
	put32(0x230, 0x800);
	assert_fails(parse(), VL_ENOEXEC, &f, "kernel_alignment is 0x800");
	put32(0x230, 0x1000);
	assert_works(parse(), &f);
	put32(0x230, 0);
	sample[0x234] = 0; /* not relocatable: the alignment does not matter */
	assert_works(parse(), &f);
}

static void every_flipped_bit_is_found(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < sample_size * 8; bit++) {
		int err;

		sample[bit / 8] ^= (u8)(1 << bit % 8);
		err = parse_with(sample, sample_size, &tables);
		/* The signer's fields are not covered; whatever else is found first is fine. */
		if ((bit / 8 >= SAMPLE_PE + 88 && bit / 8 < SAMPLE_PE + 92) ||
		    (bit / 8 >= SAMPLE_PE + 168 && bit / 8 < SAMPLE_PE + 176))
			assert_int_equal(err, 0);
		else
			assert_true(err < 0);
		sample[bit / 8] ^= (u8)(1 << bit % 8);
	}
	assert_works(parse_with(sample, sample_size, &tables), &f);
}

static void damage_is_named(void **state)
{
	(void)state;
	sample[0x700] ^= 1;
	assert_fails(parse_with(sample, sample_size, &tables), VL_EBADMSG, &f, "kernel_crc=off");
	assert_works(parse(), &f);
}

/* A signature is appended to the file, and two fields name it. */
static void signed_kernels(void **state)
{
	(void)state;
	put32(SAMPLE_PE + 88, 0x12345678);
	put32(SAMPLE_PE + 168, (u32)sample_size);
	put32(SAMPLE_PE + 172, 0x100);
	assert_works(parse_with(sample, sample_size + 0x100, &tables), &f);
	assert_int_equal(bz.payload_size, 0x500);
}

/* Wherever in the setup part the PE header stands, its last byte included. */
static void places_of_the_pe_header(void **state)
{
	static const u32 places[] = {0x40, 0x600 - 176};
	static const u8 zeros[176];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		u32 pe = places[i];

		sample_bzimage(sample);
		memcpy(sample + pe, zeros, sizeof(zeros));
		put32(0x3c, pe);
		put32(pe, 0x4550);
		put32(pe + 24, 0x20b);
		sample_bzimage_seal(sample, sample_size);
		put32(pe + 88, 0x12345678);
		put32(pe + 168, 0xaaaaaaaa);
		put32(pe + 172, 0xbbbbbbbb);
		assert_works(parse_with(sample, sample_size, &tables), &f);
		sample[0] = 'N'; /* no "MZ", no PE */
		put32(pe + 88, 0);
		put32(pe + 168, 0);
		put32(pe + 172, 0);
		sample_bzimage_seal(sample, sample_size);
		sample[pe + 88] = 1;
		assert_fails(parse_with(sample, sample_size, &tables), VL_EBADMSG, &f, "damaged");
	}
}

/* Without a PE header nothing is exempt, wherever the pointer at 0x3c leads. */
static void odd_pe_headers(void **state)
{
	static const u32 places[] = {0, 0x3c, 0x40, 0x600, 0x7fffffff, 0xffffffff, 0x5f0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		put32(0x3c, places[i]);
		sample_bzimage_seal(sample, sample_size);
		assert_works(parse_with(sample, sample_size, &tables), &f);
		sample[SAMPLE_PE + 88] ^= 1;
		assert_fails(parse_with(sample, sample_size, &tables), VL_EBADMSG, &f, "damaged");
		sample[SAMPLE_PE + 88] ^= 1;
	}
}

static int fresh(void **state)
{
	(void)state;
	memset(sample, 0, sizeof(sample));
	sample_size = sample_bzimage(sample);
	f.text[0] = 0;
	return 0;
}

static int init(void **state)
{
	(void)state;
	crc32_init(&tables);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(complete_sample, fresh),
		cmocka_unit_test_setup(kinds, fresh),
		cmocka_unit_test_setup(truncations, fresh),
		cmocka_unit_test_setup(other_files, fresh),
		cmocka_unit_test_setup(old_protocol, fresh),
		cmocka_unit_test_setup(without_64_bit_entry, fresh),
		cmocka_unit_test_setup(inconsistent_headers, fresh),
		cmocka_unit_test_setup(every_flipped_bit_is_found, fresh),
		cmocka_unit_test_setup(damage_is_named, fresh),
		cmocka_unit_test_setup(signed_kernels, fresh),
		cmocka_unit_test_setup(places_of_the_pe_header, fresh),
		cmocka_unit_test_setup(odd_pe_headers, fresh),
	};

	return cmocka_run_group_tests_name("bzimage", tests, init, NULL);
}
