// SPDX-License-Identifier: MIT
/*
 * ELF64 kernels: a sample read field by field, then each refusal with its own
 * sentence.
 */
/* shows: U3 */
#include "tests/unit/check.h"

#include "domain/elf64.h"
#include "tests/unit/samples.h"

static struct elf64 elf;
static struct failure f;
static u8 sample[SAMPLE_MAX];
static size_t sample_size;

static int parse_size(size_t size)
{
	void *exact = malloc(size);
	int err;

	memcpy(exact, sample, size);
	err = elf64_parse(exact, size, &elf, &f);
	free(exact);
	return err;
}

static int parse(void)
{
	return parse_size(sample_size);
}

static void put(size_t at, u64 x, size_t size)
{
	memcpy(sample + at, &x, size);
}

/* Field `k` (offset, vaddr, paddr, filesz, memsz, align) of program header i. */
static void put_phdr(u32 i, u32 k, u64 x)
{
	put(SAMPLE_ELF_PHDR(i) + 8 + 8 * k, x, 8);
}

enum { OFFSET, VADDR, PADDR, FILESZ, MEMSZ, ALIGN };

static void complete_sample(void **state)
{
	(void)state;
	assert_works(parse(), &f);
	assert_int_equal(elf.count, 2);
	assert_int_equal(elf.segment[0].pa, 0x100000);
	assert_int_equal(elf.segment[0].file_offset, 0x200);
	assert_int_equal(elf.segment[0].file_size, 0x800);
	assert_int_equal(elf.segment[0].memory_size, 0x1000);
	assert_int_equal(elf.segment[1].pa, 0x200000);
	assert_int_equal(elf.span.start, 0x100000);
	assert_int_equal(elf.span.end, 0x200200);
	assert_int_equal(elf.entry, 0x100040);
	assert_int_equal(elf.note.abi_major, VL_ABI_MAJOR);
}

static void truncations(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sample_size; cut++)
		assert_fails(parse_size(cut), cut < 16 ? VL_ENOEXEC : VL_EIO, &f,
			     cut < 16 ? "not an ELF" : "truncated");
}

static void other_files(void **state)
{
	(void)state;
	put(4, 1, 1);
	assert_fails(parse(), VL_ENOEXEC, &f, "32-bit");
	put(4, 2, 1);
	put(5, 2, 1);
	assert_fails(parse(), VL_ENOEXEC, &f, "big-endian");
	put(5, 1, 1);
	put(18, 183, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "another machine (number 183)");
	put(18, 62, 2);
	put(16, 3, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "position-independent");
	put(16, 1, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "of type 1");
	put(16, 2, 2);
	put(54, 55, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "program headers");
	put(54, 56, 2);
	put(56, 0, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "program headers");
}

static void program_header_table(void **state)
{
	static const u64 bad[] = {0xc00, ~0ull, ~0ull - 55, 0xc00 - 3 * 56 + 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(32, bad[i], 8);
		assert_fails(parse(), VL_EIO, &f, "program header table");
	}
}

static void segments_outside_the_file(void **state)
{
	(void)state;
	put_phdr(0, OFFSET, ~0ull);
	assert_fails(parse(), VL_EIO, &f, "a segment");
	put_phdr(0, OFFSET, 0x401);
	assert_fails(parse(), VL_EIO, &f, "a segment");
	put_phdr(0, OFFSET, 0x200);
	put_phdr(0, FILESZ, ~0ull);
	put_phdr(0, MEMSZ, ~0ull);
	assert_fails(parse(), VL_EIO, &f, "a segment");
	put_phdr(0, FILESZ, 0x800);
	assert_fails(parse(), VL_ENOEXEC, &f, "wraps");
	put_phdr(0, MEMSZ, 0x7ff);
	assert_fails(parse(), VL_ENOEXEC, &f, "0x800 bytes in the file");
	put_phdr(0, MEMSZ, 0x800);
	put_phdr(0, PADDR, ~0ull - 0x7fe);
	assert_fails(parse(), VL_ENOEXEC, &f, "wraps");
	put_phdr(0, PADDR, (1ull << 52) - 0x7ff);
	assert_fails(parse(), VL_ENOEXEC, &f, "wraps");
}

static void overlaps(void **state)
{
	(void)state;
	put_phdr(1, PADDR, 0x100fff);
	assert_fails(parse(), VL_ENOEXEC, &f, "overlap");
	put_phdr(1, PADDR, 0x101000);
	assert_works(parse(), &f);
	/* In any order, and one inside the other. */
	put_phdr(1, PADDR, 0xffe01);
	assert_fails(parse(), VL_ENOEXEC, &f, "overlap");
	put_phdr(1, PADDR, 0x100400);
	assert_fails(parse(), VL_ENOEXEC, &f, "overlap");
	put_phdr(1, PADDR, 0x80000);
	assert_works(parse(), &f);
	assert_int_equal(elf.segment[0].pa, 0x80000);
	assert_int_equal(elf.span.end, 0x101000);
}

static void number_of_segments(void **state)
{
	(void)state;
	put(32, 0xc00, 8);
	for (u32 i = 0; i <= ELF64_MAX_SEGMENTS + 1; i++) {
		memcpy(sample + 0xc00 + 56 * i, sample + SAMPLE_ELF_PHDR(i == 0 ? 2 : 0), 56);
		if (i > 0)
			put(0xc00 + 56 * i + 24, 0x100000 * (u64)i, 8);
	}
	sample_size = 0xc00 + 56 * (ELF64_MAX_SEGMENTS + 2);
	put(56, ELF64_MAX_SEGMENTS + 1, 2);
	assert_works(parse(), &f);
	assert_int_equal(elf.count, ELF64_MAX_SEGMENTS);
	put(56, ELF64_MAX_SEGMENTS + 2, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "more than 16 segments");
	put(56, 1, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "nothing to load");
}

static void empty_segments_are_skipped(void **state)
{
	(void)state;
	put_phdr(1, FILESZ, 0);
	put_phdr(1, MEMSZ, 0);
	put_phdr(1, PADDR, 0x100800);
	assert_works(parse(), &f);
	assert_int_equal(elf.count, 1);
}

static void entries(void **state)
{
	(void)state;
	put(24, 0xffffffff80100040, 8);
	assert_works(parse(), &f);
	assert_int_equal(elf.entry, 0x100040);
	put(24, 0xffffffff802001ff, 8);
	assert_works(parse(), &f);
	assert_int_equal(elf.entry, 0x2001ff);
	put(24, 0xffffffff80200200, 8);
	assert_fails(parse(), VL_ENOEXEC, &f, "0xffffffff80200200 lies in no segment");
	put(24, 0, 8);
	assert_fails(parse(), VL_ENOEXEC, &f, "lies in no segment");
	put(24, 0x100000, 8);
	assert_works(parse(), &f);
	assert_int_equal(elf.entry, 0x100000);
	put(24, 0xffffffff80100fff, 8);
	assert_works(parse(), &f);
	assert_int_equal(elf.entry, 0x100fff);
	put(24, 0xffffffff80101000, 8);
	assert_fails(parse(), VL_ENOEXEC, &f, "lies in no segment");
	/* Both a physical and a virtual address: physical is preferred. */
	put_phdr(1, VADDR, 0x100000);
	put(24, 0x100010, 8);
	assert_works(parse(), &f);
	assert_int_equal(elf.entry, 0x100010);
}

#define OUR_NOTE (SAMPLE_ELF_NOTE + 24)

static void notes(void **state)
{
	(void)state;
	put(OUR_NOTE + 12, 'v', 1);
	assert_fails(parse(), VL_ENOEXEC, &f, "add the ELF note");
	put(OUR_NOTE + 12, 'V', 1);
	put(OUR_NOTE + 8, 2, 4);
	assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
	put(OUR_NOTE + 8, VL_NOTE_ABI, 4);
	put(OUR_NOTE + 20, VL_ABI_MAJOR + 7, 4);
	assert_fails(parse(), VL_ENOEXEC, &f, "version 7 of Vellum's ABI");
	put(OUR_NOTE + 20, VL_ABI_MAJOR, 4);
	put(OUR_NOTE + 4, 4, 4); /* descriptor too small */
	assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
	put(OUR_NOTE + 4, 8, 4);
	put(SAMPLE_ELF_PHDR(2), 6, 4);
	assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
	put(SAMPLE_ELF_PHDR(2), 4, 4);
	put_phdr(2, OFFSET, 0xbf0);
	assert_fails(parse(), VL_EIO, &f, "a note");
}

/* Sizes inside a note that lead past its end, or nowhere. */
static void broken_notes(void **state)
{
	static const u32 bad[] = {0xffffffff, 0xfffffff4, 0x80000000, 0x1000, 41};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(SAMPLE_ELF_NOTE, bad[i], 4);
		assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
		put(SAMPLE_ELF_NOTE, 4, 4);
		put(SAMPLE_ELF_NOTE + 4, bad[i], 4);
		assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
		put(SAMPLE_ELF_NOTE + 4, 8, 4);
	}
	assert_works(parse(), &f);
}

/* A note must lie in its segment, and the segment in the table. */
static void cut_notes(void **state)
{
	u64 size = OUR_NOTE + 28 - SAMPLE_ELF_NOTE;

	(void)state;
	for (u64 cut = 0; cut < size; cut++) {
		put_phdr(2, FILESZ, cut);
		assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
	}
	put_phdr(2, FILESZ, size);
	assert_works(parse(), &f);
	put(56, 2, 2);
	assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
	/* At the very end of the file. */
	put(56, 3, 2);
	memcpy(sample + sample_size, sample + OUR_NOTE, 28);
	put_phdr(2, OFFSET, sample_size);
	put_phdr(2, FILESZ, 28);
	sample_size += 28;
	assert_works(parse(), &f);
	sample_size--;
	put_phdr(2, FILESZ, 27);
	assert_fails(parse(), VL_ENOEXEC, &f, "lacks Vellum's note");
}

/* Note segments aligned to 8 have their descriptors there. */
static void notes_aligned_to_8(void **state)
{
	(void)state;
	memcpy(sample + 0x180, sample + OUR_NOTE, 20);
	put(0x180 + 24, VL_ABI_MAJOR, 4);
	put(0x180 + 28, 5, 4);
	put_phdr(2, OFFSET, 0x180);
	put_phdr(2, FILESZ, 32);
	put_phdr(2, ALIGN, 8);
	assert_works(parse(), &f);
	assert_int_equal(elf.note.abi_minor, 5);
}

static int fresh(void **state)
{
	(void)state;
	memset(sample, 0, sizeof(sample));
	sample_size = sample_elf(sample);
	f.text[0] = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(complete_sample, fresh),
		cmocka_unit_test_setup(truncations, fresh),
		cmocka_unit_test_setup(other_files, fresh),
		cmocka_unit_test_setup(program_header_table, fresh),
		cmocka_unit_test_setup(segments_outside_the_file, fresh),
		cmocka_unit_test_setup(overlaps, fresh),
		cmocka_unit_test_setup(number_of_segments, fresh),
		cmocka_unit_test_setup(empty_segments_are_skipped, fresh),
		cmocka_unit_test_setup(entries, fresh),
		cmocka_unit_test_setup(notes, fresh),
		cmocka_unit_test_setup(broken_notes, fresh),
		cmocka_unit_test_setup(cut_notes, fresh),
		cmocka_unit_test_setup(notes_aligned_to_8, fresh),
	};

	return cmocka_run_group_tests_name("elf64", tests, NULL, NULL);
}
