// SPDX-License-Identifier: MIT
/*
 * boot_params, read back by the offsets of Documentation/x86/zero-page.rst
 * rather than through the structure under test.
 */
/* shows: M10 */
#include "tests/unit/check.h"

#include "domain/bootparams.h"
#include "tests/unit/samples.h"

static struct linux_boot_params page;
static struct memmap guest;
static struct bzimage bz;
static struct failure f;
static u8 image[SAMPLE_MAX];

static u64 get(size_t at, size_t size)
{
	u64 x = 0;

	memcpy(&x, (u8 *)&page + at, size);
	return x;
}

static struct bootparams_request request(void)
{
	return (struct bootparams_request){
		.guest = &guest,
		.bzimage = &bz,
		.image = image,
		.kernel = 0x1000000,
		.cmdline = 0x112345678,
		.cmdline_length = 2047,
		.initrd = {0x1fedcb000, 0x2fedcb123},
		.rsdp = 0x1aabbccdd,
		.setup_data = 0x155667788,
	};
}

static void fill(const struct bootparams_request *req)
{
	memset(&page, 0x55, sizeof(page));
	assert_works(bootparams_fill(&page, req, &f), &f);
}

static void bzimage_header(void **state)
{
	struct bootparams_request req = request();

	(void)state;
	fill(&req);
	assert_int_equal(get(0x202, 4), 0x53726448);
	assert_int_equal(get(0x206, 2), 0x20f);
	assert_int_equal(get(0x1fe, 2), 0xaa55);
	assert_int_equal(get(0x210, 1), 0xff);
	assert_int_equal(get(0x211, 1) & 1, 1);
	assert_int_equal(get(0x214, 4), 0x1000000);
	assert_int_equal(get(0x258, 8), 0x1000000);
	assert_int_equal(get(0x260, 4), 0x2c00000);
	assert_int_equal(get(0x228, 4), 0x12345678);
	assert_int_equal(get(0x0c8, 4), 1);
	assert_int_equal(get(0x218, 4), 0xfedcb000);
	assert_int_equal(get(0x0c0, 4), 1);
	assert_int_equal(get(0x21c, 4), 0x123);
	assert_int_equal(get(0x0c4, 4), 1);
	assert_int_equal(get(0x070, 8), 0x1aabbccdd);
	assert_int_equal(get(0x250, 8), 0x155667788);
	assert_int_equal(get(0x1ef, 1), 0);
	/* Nothing past the header's end is copied, and what is unknown is 0. */
	assert_int_equal(get(0x268, 4), 0);
	for (size_t at = 0x26c; at < 0x2d0; at++)
		assert_int_equal(get(at, 1), 0);
	for (size_t at = 0x78; at < 0xc0; at++)
		assert_int_equal(get(at, 1), 0);
}

static void elf_header(void **state)
{
	struct bootparams_request req = request();

	(void)state;
	req.bzimage = NULL;
	req.image = NULL;
	req.initrd = (struct range){0x5000, 0x5000};
	fill(&req);
	assert_int_equal(get(0x202, 4), 0x53726448);
	assert_int_equal(get(0x206, 2), 0x20f);
	assert_int_equal(get(0x210, 1), 0xff);
	assert_int_equal(get(0x228, 4), 0x12345678);
	assert_int_equal(get(0x218, 4), 0);
	assert_int_equal(get(0x21c, 4), 0);
	assert_int_equal(get(0x250, 8), 0x155667788);
}

static void memory_map(void **state)
{
	struct bootparams_request req = request();

	(void)state;
	fill(&req);
	assert_int_equal(get(0x1e8, 1), 2);
	assert_int_equal(get(0x2d0, 8), 0);
	assert_int_equal(get(0x2d8, 8), 0x9f000);
	assert_int_equal(get(0x2e0, 4), 2);
	assert_int_equal(get(0x2e4, 8), 0x100000);
	assert_int_equal(get(0x2ec, 8), 0x700000);
	assert_int_equal(get(0x2f4, 4), 1);
	for (size_t at = 0x2f8; at < 0x1000; at++)
		assert_int_equal(get(at, 1), 0);
}

static void too_many_ranges(void **state)
{
	struct bootparams_request req = request();

	(void)state;
	for (u32 i = 0; i < 129; i++)
		guest.range[i] = (struct vl_memory_range){0x2000 * (u64)i, 0x1000, 1, 0};
	guest.count = 128;
	fill(&req);
	assert_int_equal(get(0x1e8, 1), 128);
	assert_int_equal(get(0xcd0 - 20, 8), 0x2000 * 127);
	assert_int_equal(get(0xcd0, 8), 0);
	guest.count = 129;
	assert_fails(bootparams_fill(&page, &req, &f), VL_E2BIG, &f, "129 ranges");
}

static void long_command_line(void **state)
{
	struct bootparams_request req = request();

	(void)state;
	req.cmdline_length = 2048;
	assert_fails(bootparams_fill(&page, &req, &f), VL_E2BIG, &f, "2048 characters");
	req.bzimage = NULL;
	assert_fails(bootparams_fill(&page, &req, &f), VL_E2BIG, &f, "this kernel takes 2047");
}

static void vga_text_screen(void **state)
{
	struct bootparams_request req = request();
	struct boot_framebuffer text = {.present = true,
					.type = BOOT_FRAMEBUFFER_TEXT,
					.addr = 0xb8000,
					.pitch = 160,
					.width = 80,
					.height = 25,
					.bpp = 16};

	(void)state;
	fill(&req);
	assert_int_equal(get(0x06, 1), 3);
	assert_int_equal(get(0x07, 1), 80);
	assert_int_equal(get(0x0e, 1), 25);
	assert_int_equal(get(0x0f, 1), 0x22);
	assert_int_equal(get(0x10, 2), 16);
	req.framebuffer = &text;
	fill(&req);
	assert_int_equal(get(0x0f, 1), 0x22);
	req.efi = true;
	fill(&req);
	assert_int_equal(get(0x0f, 1), 0);
}

static void linear_framebuffer(void **state)
{
	struct bootparams_request req = request();
	struct boot_framebuffer fb = {
		.present = true,
		.type = BOOT_FRAMEBUFFER_RGB,
		.addr = 0x380000000,
		.pitch = 4100,
		.width = 1024,
		.height = 768,
		.bpp = 32,
		.red = {16, 8},
		.green = {8, 8},
		.blue = {0, 8},
	};

	(void)state;
	req.framebuffer = &fb;
	req.efi = true;
	fill(&req);
	assert_int_equal(get(0x0f, 1), 0x70);
	assert_int_equal(get(0x12, 2), 1024);
	assert_int_equal(get(0x14, 2), 768);
	assert_int_equal(get(0x16, 2), 32);
	assert_int_equal(get(0x18, 4), 0x80000000);
	assert_int_equal(get(0x1c, 4), 4100 * 768);
	assert_int_equal(get(0x24, 2), 4100);
	assert_int_equal(get(0x26, 8), 0x1808000808081008);
	assert_int_equal(get(0x36, 4), 2);
	assert_int_equal(get(0x3a, 4), 3);
	req.efi = false;
	fb.addr = 0xe0000000;
	fill(&req);
	assert_int_equal(get(0x0f, 1), 0x23);
	assert_int_equal(get(0x1c, 4), 49); /* 3148800 bytes in 64 KiB, rounded up */
	assert_int_equal(get(0x36, 4), 0);
}

/* One that screen_info cannot describe is not shown. */
static void odd_framebuffers(void **state)
{
	static const struct {
		u32 width, height, pitch;
		u8 bpp, video;
	} cases[] = {
		{0xffff, 0xffff, 0xffff, 15, 0x23},
		{1, 1, 1, 32, 0x23},
		{0x10000, 1, 1, 32, 0x22},
		{1, 0x10000, 1, 32, 0x22},
		{1, 1, 0x10000, 32, 0x22},
		{0, 1, 1, 32, 0x22},
		{1, 0, 1, 32, 0x22},
		{1, 1, 0, 32, 0x22},
		{1, 1, 1, 14, 0x22},
		{1, 1, 1, 33, 0x22},
	};
	struct bootparams_request req = request();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct boot_framebuffer fb = {
			.present = true,
			.type = BOOT_FRAMEBUFFER_RGB,
			.addr = 0xe0000000,
			.pitch = cases[i].pitch,
			.width = cases[i].width,
			.height = cases[i].height,
			.bpp = cases[i].bpp,
			.red = {10, 5},
			.green = {5, 5},
			.blue = {0, 5},
		};

		req.framebuffer = &fb;
		fill(&req);
		assert_int_equal(get(0x0f, 1), cases[i].video);
		if (fb.bpp == 15)
			assert_int_equal(get(0x2c, 2), 0); /* no bits are unused */
		fb.present = false;
		fill(&req);
		assert_int_equal(get(0x0f, 1), 0x22);
	}
}

static int fresh(void **state)
{
	struct crc32_tables *none = NULL;

	(void)state;
	f.text[0] = 0;
	guest.count = 2;
	guest.range[0] = (struct vl_memory_range){0, 0x9f000, VL_MEMORY_RESERVED, 0};
	guest.range[1] = (struct vl_memory_range){0x100000, 0x700000, VL_MEMORY_RAM, 0};
	return bzimage_parse(image, sample_bzimage(image), none, &bz, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bzimage_header, fresh),
		cmocka_unit_test_setup(elf_header, fresh),
		cmocka_unit_test_setup(memory_map, fresh),
		cmocka_unit_test_setup(too_many_ranges, fresh),
		cmocka_unit_test_setup(long_command_line, fresh),
		cmocka_unit_test_setup(vga_text_screen, fresh),
		cmocka_unit_test_setup(linear_framebuffer, fresh),
		cmocka_unit_test_setup(odd_framebuffers, fresh),
	};

	return cmocka_run_group_tests_name("bootparams", tests, NULL, NULL);
}
