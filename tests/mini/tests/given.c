// SPDX-License-Identifier: MIT
/*
 * What the guest was given beside memory: command line, initrd, ACPI's root
 * pointer, Linux's boot_params.
 */
#include "lib/crc32.h"
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/memory.h"
#include "mini/tap.h"

#define RSDP_V1_SIZE  20
#define RSDP_REVISION 15
#define RSDP_LENGTH   20
#define RSDP_V2_SIZE  36
#define BP_E820_COUNT 0x1e8
#define BP_E820_TABLE 0x2d0
#define BP_SIZE       4096

struct e820_entry {
	u64 start, size;
	u32 type;
} __attribute__((packed));

static void check_reserved(const char *what, u64 pa, u64 size)
{
	CHECK(range_contains(memory_reserved(), (struct range){pa, pa + size}),
	      "%s at %#lx is not in the reserved range", what, pa);
}

TEST(given_cmdline, "U3")
{
	size_t length = strlen(cmdline());
	u64 expected;

	CHECK(start_info->cmdline != 0, "there is no command line");
	CHECK(length + 1 == start_info->cmdline_size, "%zu characters, but cmdline_size %u", length,
	      start_info->cmdline_size);
	check_reserved("the command line", start_info->cmdline, start_info->cmdline_size);
	for (const char *p = cmdline(); *p != 0; p++)
		CHECK(*p >= ' ' && *p <= '~', "character %#x in the command line", *p);
	if (cmdline_get_hex("length", &expected))
		CHECK(length == expected, "the command line has %zu characters", length);
}

static u32 crc32_of(u64 pa, u64 size)
{
	static struct crc32_tables tables;

	crc32_init(&tables);
	return ~crc32_update(&tables, 0xffffffff, pa_to_ptr((pa_t){pa}), size);
}

TEST(given_initrd, "I6 U3")
{
	struct range initrd = memory_initrd();
	u64 crc;

	if (!cmdline_get_hex("initrd_crc32", &crc)) {
		CHECK(start_info->initrd_size == 0, "an initrd that was not announced");
		test_skip("no initrd_crc32= in the command line");
	}
	CHECK(initrd.start != 0, "there is no initrd");
	CHECK(memory_is_ram(initrd.start, range_size(initrd)), "the initrd %#lx .. %#lx is not RAM",
	      initrd.start, initrd.end);
	CHECK(!range_overlaps(initrd, memory_image()), "the initrd overlaps the kernel");
	CHECK(!range_overlaps(initrd, memory_reserved()), "the initrd overlaps the reserved range");
	CHECK(crc32_of(initrd.start, range_size(initrd)) == crc, "the initrd's CRC-32 is %08x",
	      crc32_of(initrd.start, range_size(initrd)));
}

static u8 byte_sum(const u8 *p, size_t n)
{
	u8 sum = 0;

	while (n-- > 0)
		sum = (u8)(sum + *p++);
	return sum;
}

TEST(given_rsdp, "U3")
{
	const u8 *rsdp = pa_to_ptr((pa_t){start_info->rsdp});
	u32 length = RSDP_V1_SIZE;

	if (start_info->flags & VL_START_LATER)
		test_skip("another guest made this one, without ACPI");
	CHECK(start_info->rsdp != 0, "there is no RSDP");
	check_reserved("the RSDP", start_info->rsdp, RSDP_V1_SIZE);
	CHECK(memcmp(rsdp, "RSD PTR ", 8) == 0, "the RSDP has no signature");
	CHECK(byte_sum(rsdp, RSDP_V1_SIZE) == 0, "the RSDP's checksum is wrong");
	if (rsdp[RSDP_REVISION] < 2)
		return;
	memcpy(&length, rsdp + RSDP_LENGTH, sizeof(length));
	CHECK(length >= RSDP_V2_SIZE && length < PAGE_SIZE, "the RSDP's length is %u", length);
	check_reserved("the RSDP", start_info->rsdp, length);
	CHECK(byte_sum(rsdp, length) == 0, "the RSDP's extended checksum is wrong");
}

TEST(given_boot_params, "M10 U3")
{
	const u8 *params = pa_to_ptr((pa_t){start_info->boot_params});
	struct e820_entry entry;

	if (start_info->boot_params == 0)
		test_skip("no boot_params");
	check_reserved("boot_params", start_info->boot_params, BP_SIZE);
	CHECK(params[BP_E820_COUNT] == start_info->memory_map_count,
	      "e820 has %u entries, the memory map %u", params[BP_E820_COUNT],
	      start_info->memory_map_count);
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		const struct vl_memory_range *r = memory_range(i);

		memcpy(&entry, params + BP_E820_TABLE + i * sizeof(entry), sizeof(entry));
		CHECK(entry.start == r->start && entry.size == r->size && entry.type == r->type,
		      "e820 entry %u is %#lx + %#lx type %u", i, entry.start, entry.size,
		      entry.type);
	}
}
