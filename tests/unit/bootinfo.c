// SPDX-License-Identifier: MIT
/*
 * The Multiboot2 walk: one complete sample read field by field, then one
 * damage at a time. Inputs sit in heap blocks of exactly their size, so that
 * the sanitizer sees the first byte read past the end.
 */
/* shows: U1 */
#include "tests/unit/check.h"

#include "boot/bootinfo.h"
#include "tests/unit/samples.h"

static struct boot_info info;
static struct failure f;

static int parse(const void *p, size_t size)
{
	void *exact = malloc(size);
	int err;

	memcpy(exact, p, size);
	memset(&info, 0x55, sizeof(info));
	f.text[0] = 0;
	err = boot_info_parse(exact, size, &info, &f);
	free(exact);
	return err;
}

static const u64 some_memory[][3] = {{0x100000, 0x1000000, 1}};

/* Information with the memory map and whatever else was added. */
static int parse_with(struct mbi *m)
{
	mbi_memory(m, some_memory, 1);
	return parse(m->p, mbi_end(m));
}

static void complete_sample(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	u32 size = sample_mbi(buffer);

	(void)state;
	assert_works(parse(buffer, size), &f);
	assert_string_equal(info.cmdline, "vellum_mem=32M debug");
	assert_string_equal(info.loader, "GRUB 2.06-13+deb12u1");
	assert_int_equal(info.module_count, 2);
	assert_int_equal(info.module[0].mem.start, 0x200000);
	assert_int_equal(info.module[0].mem.end, 0x600123);
	assert_string_equal(info.module[0].cmdline, "console=ttyS0 root=/dev/ram0");
	assert_string_equal(info.module[1].cmdline, "");
	assert_int_equal(info.memory_count, 5);
	assert_int_equal(info.memory[3].start, 0x100000);
	assert_int_equal(info.memory[3].size, 0x7ee0000);
	assert_int_equal(info.memory[4].type, VL_MEMORY_ACPI);
	assert_int_equal(info.efi_system_table, 0x40302018);
	assert_true(info.efi_memory_map && info.efi_boot_services);
	assert_int_equal(info.rsdp_size, 36);
	assert_memory_equal(info.rsdp, "RSD PTR \x02", 9);
}

static void framebuffers(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	struct mbi m;

	(void)state;
	mbi_begin(&m, buffer);
	mbi_framebuffer(&m, 1);
	assert_works(parse_with(&m), &f);
	assert_true(info.framebuffer.present);
	assert_int_equal(info.framebuffer.type, BOOT_FRAMEBUFFER_RGB);
	assert_int_equal(info.framebuffer.addr, 0x180000000);
	assert_int_equal(info.framebuffer.pitch, 4096);
	assert_int_equal(info.framebuffer.width, 1024);
	assert_int_equal(info.framebuffer.height, 768);
	assert_int_equal(info.framebuffer.bpp, 32);
	assert_int_equal(info.framebuffer.red.position, 16);
	assert_int_equal(info.framebuffer.green.position, 8);
	assert_int_equal(info.framebuffer.blue.size, 8);
	mbi_begin(&m, buffer);
	mbi_framebuffer(&m, 2);
	assert_works(parse_with(&m), &f);
	assert_int_equal(info.framebuffer.type, BOOT_FRAMEBUFFER_TEXT);
	mbi_begin(&m, buffer);
	assert_works(parse_with(&m), &f);
	assert_false(info.framebuffer.present);
}

static void short_framebuffers(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	u8 body[30] = {0};
	struct mbi m;

	(void)state;
	for (u32 size = 0; size <= 30; size++)
		for (u8 type = 0; type <= 2; type++) {
			body[21] = type;
			mbi_begin(&m, buffer);
			mbi_tag(&m, 8, body, size);
			if (size >= (type == BOOT_FRAMEBUFFER_RGB ? 30 : 22))
				assert_works(parse_with(&m), &f);
			else
				assert_fails(parse_with(&m), VL_EINVAL, &f, "tag 8 has only");
		}
}

static void new_rsdp_wins_in_any_order(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	u8 body[65] = "RSD PTR ";
	struct mbi m;

	(void)state;
	body[15] = 2;
	mbi_begin(&m, buffer);
	mbi_tag(&m, 15, body, 36);
	body[15] = 0;
	mbi_tag(&m, 14, body, 20);
	assert_works(parse_with(&m), &f);
	assert_int_equal(info.rsdp_size, 36);
	assert_int_equal(info.rsdp[15], 2);
	/* One alone is taken, whichever it is; the last of two equal ones counts. */
	mbi_begin(&m, buffer);
	mbi_tag(&m, 14, body, 20);
	body[9] = 'x';
	mbi_tag(&m, 14, body, 20);
	assert_works(parse_with(&m), &f);
	assert_int_equal(info.rsdp_size, 20);
	assert_int_equal(info.rsdp[9], 'x');
	mbi_begin(&m, buffer);
	mbi_tag(&m, 15, body, 64);
	assert_works(parse_with(&m), &f);
	assert_int_equal(info.rsdp_size, 64);
	mbi_begin(&m, buffer);
	mbi_tag(&m, 14, body, 19);
	assert_fails(parse_with(&m), VL_EINVAL, &f, "tag 14");
	mbi_begin(&m, buffer);
	mbi_tag(&m, 15, body, 35);
	assert_fails(parse_with(&m), VL_EINVAL, &f, "tag 15");
	mbi_begin(&m, buffer);
	mbi_tag(&m, 15, body, 65);
	assert_fails(parse_with(&m), VL_E2BIG, &f, "65 bytes");
}

static void every_truncation_is_refused(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	u32 size = sample_mbi(buffer);

	(void)state;
	for (u32 cut = 0; cut < size; cut++) {
		/* The file ends early ... */
		assert_int_equal(parse(buffer, cut), -VL_EINVAL);
		/* ... or says so itself; then some tag or the end tag is missing. */
		if (cut >= 8) {
			memcpy(buffer, &cut, sizeof(cut));
			assert_int_equal(parse(buffer, cut), -VL_EINVAL);
			memcpy(buffer, &size, sizeof(size));
		}
	}
	assert_works(parse(buffer, size), &f);
}

static void bad_tag_sizes(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	static const u32 sizes[] = {0, 7, 0x7fffffff, 0xfffffff8, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 size = sample_mbi(buffer);

		memcpy((u8 *)buffer + 12, &sizes[i], 4);
		assert_fails(parse(buffer, size), VL_EINVAL, &f, "tag 1 at offset 8");
	}
}

static void unterminated_strings(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	struct mbi m;

	(void)state;
	for (u32 type = 1; type <= 2; type++) {
		mbi_begin(&m, buffer);
		mbi_tag(&m, type, "abcdefgh", 8);
		assert_fails(parse_with(&m), VL_EINVAL, &f, "has no end");
		mbi_begin(&m, buffer);
		mbi_tag(&m, type, NULL, 0);
		assert_fails(parse_with(&m), VL_EINVAL, &f, "has no end");
	}
	/* The zero that follows belongs to the next tag. */
	mbi_begin(&m, buffer);
	mbi_tag(&m, 1, "abcdefgh", 8);
	mbi_tag(&m, 0x100, NULL, 0);
	assert_fails(parse_with(&m), VL_EINVAL, &f, "has no end");
	mbi_begin(&m, buffer);
	mbi_string(&m, 1, "");
	mbi_string(&m, 2, "");
	assert_works(parse_with(&m), &f);
	assert_string_equal(info.loader, "");
	mbi_begin(&m, buffer);
	mbi_tag(&m, 3, "\0\0\1\0\0\0\2\0abcdefg", 15);
	assert_fails(parse_with(&m), VL_EINVAL, &f, "has no end");
}

static void long_strings(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	char text[BOOT_MODULE_CMDLINE_SIZE + 1];
	struct mbi m;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[BOOT_CMDLINE_SIZE - 1] = 0;
	mbi_begin(&m, buffer);
	mbi_string(&m, 1, text);
	mbi_string(&m, 2, text);
	assert_works(parse_with(&m), &f);
	assert_string_equal(info.cmdline, text);
	assert_int_equal(strlen(info.loader), BOOT_LOADER_SIZE - 1);
	text[BOOT_CMDLINE_SIZE - 1] = 'x';
	text[BOOT_CMDLINE_SIZE] = 0;
	mbi_begin(&m, buffer);
	mbi_string(&m, 1, text);
	assert_fails(parse_with(&m), VL_E2BIG, &f, "1024 characters");
	text[BOOT_CMDLINE_SIZE] = 'x';
	text[BOOT_MODULE_CMDLINE_SIZE - 1] = 0;
	mbi_begin(&m, buffer);
	mbi_module(&m, 1, 2, text);
	assert_works(parse_with(&m), &f);
	assert_string_equal(info.module[0].cmdline, text);
	text[BOOT_MODULE_CMDLINE_SIZE - 1] = 'x';
	text[BOOT_MODULE_CMDLINE_SIZE] = 0;
	mbi_begin(&m, buffer);
	mbi_module(&m, 1, 2, text);
	assert_fails(parse_with(&m), VL_E2BIG, &f, "2048 characters");
}

static void modules(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	struct mbi m;

	(void)state;
	mbi_begin(&m, buffer);
	mbi_module(&m, 0x2000, 0x1fff, "");
	assert_fails(parse_with(&m), VL_EINVAL, &f, "before its start");
	/* An empty one is well formed; that it is no kernel is for others to say. */
	mbi_begin(&m, buffer);
	mbi_module(&m, 0x2000, 0x2000, "");
	assert_works(parse_with(&m), &f);
	mbi_begin(&m, buffer);
	for (u32 i = 0; i < BOOT_MAX_MODULES; i++)
		mbi_module(&m, i * 0x1000, 0xffffffff, "");
	assert_works(parse_with(&m), &f);
	assert_int_equal(info.module_count, BOOT_MAX_MODULES);
	assert_int_equal(info.module[7].mem.end, 0xffffffff);
	mbi_begin(&m, buffer);
	for (u32 i = 0; i <= BOOT_MAX_MODULES; i++)
		mbi_module(&m, 1, 2, "");
	assert_fails(parse_with(&m), VL_E2BIG, &f, "more than 8 modules");
	mbi_begin(&m, buffer);
	mbi_tag(&m, 3, "\0\0\1\0", 4);
	assert_fails(parse_with(&m), VL_EINVAL, &f, "tag 3 has only 12");
}

static void memory_maps(void **state)
{
	static u64 buffer[SAMPLE_MAX / 8];
	static const u64 ranges[257][3];
	u32 entry_sizes[] = {0, 8, 16, 23, 28, 0xfffffff8, 0x80000000};
	struct mbi m;

	(void)state;
	mbi_begin(&m, buffer);
	assert_fails(parse(buffer, mbi_end(&m)), VL_EINVAL, &f, "no memory map");
	mbi_begin(&m, buffer);
	mbi_memory(&m, ranges, 0);
	assert_fails(parse(buffer, mbi_end(&m)), VL_EINVAL, &f, "no memory map");
	mbi_begin(&m, buffer);
	mbi_memory(&m, ranges, 256);
	assert_works(parse(buffer, mbi_end(&m)), &f);
	assert_int_equal(info.memory_count, 256);
	mbi_begin(&m, buffer);
	mbi_memory(&m, ranges, 257);
	assert_fails(parse(buffer, mbi_end(&m)), VL_E2BIG, &f, "more than 256");
	for (size_t i = 0; i < ARRAY_SIZE(entry_sizes); i++) {
		mbi_begin(&m, buffer);
		mbi_memory(&m, ranges, 3);
		memcpy((u8 *)buffer + 16, &entry_sizes[i], 4);
		assert_fails(parse(buffer, mbi_end(&m)), VL_EINVAL, &f, "memory map is damaged");
	}
}

/* Larger entries of a later version: what we know stands at their front. */
static void larger_memory_entries(void **state)
{
	u64 buffer[SAMPLE_MAX / 8] = {0};
	u64 body[1 + 2 * 4] = {32, 0x1000, 0x2000, 1, ~0ull, 0x9000, 0x1000, 2, ~0ull};
	struct mbi m;

	(void)state;
	mbi_begin(&m, buffer);
	mbi_tag(&m, 6, body, sizeof(body));
	assert_works(parse(buffer, mbi_end(&m)), &f);
	assert_int_equal(info.memory_count, 2);
	assert_int_equal(info.memory[1].start, 0x9000);
	assert_int_equal(info.memory[1].type, 2);
}

/* A console choice must survive a failure further on. */
static void cmdline_survives_a_later_failure(void **state)
{
	u64 buffer[SAMPLE_MAX / 8];
	struct mbi m;

	(void)state;
	mbi_begin(&m, buffer);
	mbi_string(&m, 1, "console=vga");
	mbi_module(&m, 2, 1, "");
	assert_fails(parse_with(&m), VL_EINVAL, &f, "module 0");
	assert_string_equal(info.cmdline, "console=vga");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_sample),
		cmocka_unit_test(framebuffers),
		cmocka_unit_test(short_framebuffers),
		cmocka_unit_test(new_rsdp_wins_in_any_order),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bad_tag_sizes),
		cmocka_unit_test(unterminated_strings),
		cmocka_unit_test(long_strings),
		cmocka_unit_test(modules),
		cmocka_unit_test(memory_maps),
		cmocka_unit_test(larger_memory_entries),
		cmocka_unit_test(cmdline_survives_a_later_failure),
	};

	return cmocka_run_group_tests_name("bootinfo", tests, NULL, NULL);
}
