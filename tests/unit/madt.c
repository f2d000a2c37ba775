// SPDX-License-Identifier: MIT
/*
 * Counting CPUs in firmware's tables: built here in a small memory, broken in each place, and cut
 * so that each byte behind the end is a heap overflow.
 */
#include "boot/madt.h"

#include "check.h"

#define BASE 0xfee000ull /* of the tables' memory: nothing below or above is there */
#define ROOM 0x1000u

#define AT_RSDT 0x000u
#define AT_XSDT 0x100u
#define AT_FADT 0x200u
#define AT_MADT 0x300u

static u8 memory[ROOM];
static u8 rsdp[36];

static const u8 *map(u64 ma, u32 size)
{
	return ma >= BASE && ma <= BASE + ROOM && size <= BASE + ROOM - ma ? memory + (ma - BASE)
									   : NULL;
}

static void put32(u8 *at, u32 value)
{
	memcpy(at, &value, sizeof(value));
}

static void seal(u32 at)
{
	u8 sum = 0;
	u32 size;

	memory[at + 9] = 0;
	memcpy(&size, memory + at + 4, sizeof(size));
	for (u32 i = 0; i < size && at + i < ROOM; i++)
		sum = (u8)(sum + memory[at + i]);
	memory[at + 9] = (u8)-sum;
}

static void head(u32 at, const char *name, u32 size)
{
	memset(memory + at, 0, size);
	memcpy(memory + at, name, 4);
	put32(memory + at + 4, size);
}

/* Local APICs with these flags, an I/O APIC between each two. */
static void add_madt(const u32 *flags, u32 count)
{
	u8 *p = memory + AT_MADT + 44;

	head(AT_MADT, "APIC", 44 + count * 20);
	for (u32 i = 0; i < count; i++, p += 20) {
		p[1] = 8;
		p[2] = p[3] = (u8)i;
		put32(p + 4, flags[i]);
		p[8] = 1;
		p[9] = 12;
	}
	seal(AT_MADT);
}

static int setup(void **state)
{
	static const u32 two[] = {1, 1};
	u64 address;

	(void)state;
	memset(memory, 0, sizeof(memory));
	head(AT_FADT, "FACP", 60);
	seal(AT_FADT);
	add_madt(two, 2);
	head(AT_RSDT, "RSDT", 44);
	put32(memory + AT_RSDT + 36, (u32)BASE + AT_FADT);
	put32(memory + AT_RSDT + 40, (u32)BASE + AT_MADT);
	seal(AT_RSDT);
	head(AT_XSDT, "XSDT", 52);
	put32(memory + AT_XSDT + 36, (u32)BASE + AT_FADT);
	put32(memory + AT_XSDT + 44, (u32)BASE + AT_MADT);
	seal(AT_XSDT);
	memset(rsdp, 0, sizeof(rsdp));
	put32(rsdp + 16, (u32)BASE + AT_RSDT);
	address = BASE + AT_XSDT;
	memcpy(rsdp + 24, &address, sizeof(address));
	return 0;
}

static u32 count(u32 size)
{
	return madt_count_cpus(rsdp, size, map);
}

static void finds_it_by_either_root(void **state)
{
	(void)state;
	assert_int_equal(count(36), 2);
	assert_int_equal(count(20), 2);
	assert_int_equal(count(19), 0);
	assert_int_equal(count(0), 0);
	/* A new root pointer without the new root table. */
	memset(rsdp + 24, 0, 8);
	assert_int_equal(count(36), 2);
	memset(rsdp + 16, 0, 4);
	assert_int_equal(count(36), 0);
}

static void counts_what_is_usable(void **state)
{
	/* Enabled, absent, can be brought online, both, another bit. */
	static const u32 flags[] = {1, 0, 2, 3, 4};

	(void)state;
	add_madt(flags, 5);
	assert_int_equal(count(36), 3);
	add_madt(flags, 1);
	assert_int_equal(count(36), 1);
	add_madt(flags, 0);
	assert_int_equal(count(36), 0);
}

static void counts_x2apics(void **state)
{
	u8 *p = memory + AT_MADT + 44;

	(void)state;
	head(AT_MADT, "APIC", 44 + 3 * 16);
	for (u32 i = 0; i < 3; i++, p += 16) {
		p[0] = 9;
		p[1] = 16;
		put32(p + 8, i != 1);
	}
	seal(AT_MADT);
	assert_int_equal(count(36), 2);
}

static void damaged_entries_end_the_list(void **state)
{
	u8 *entry = memory + AT_MADT + 44;

	(void)state;
	for (u32 length = 0; length < 256; length++) {
		if (length == 8)
			continue;
		entry[1] = (u8)length;
		seal(AT_MADT);
		assert_in_range(count(36), 0, 2);
	}
	entry[1] = 0;
	seal(AT_MADT);
	assert_int_equal(count(36), 0);
	/* Too short to have flags. */
	entry[1] = 7;
	seal(AT_MADT);
	assert_int_equal(count(36), 0);
}

/* Any byte of the three tables that no checksum makes good again: not counted. */
static void damaged_tables_do_not_count(void **state)
{
	static const u32 tables[] = {AT_XSDT, AT_MADT};

	(void)state;
	memset(rsdp + 16, 0, 4);
	for (u32 t = 0; t < 2; t++) {
		for (u32 i = 0; i < 44; i++) {
			memory[tables[t] + i] ^= 0x10;
			assert_int_equal(count(36), 0);
			memory[tables[t] + i] ^= 0x10;
		}
	}
	assert_int_equal(count(36), 2);
}

static void lengths_are_not_believed(void **state)
{
	static const u32 sizes[] = {0, 35, ROOM, ROOM + 1, 0x100001, 0x7fffffff, 0xffffffff};

	(void)state;
	memset(rsdp + 16, 0, 4);
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		put32(memory + AT_MADT + 4, sizes[i]);
		if (sizes[i] < ROOM)
			seal(AT_MADT);
		assert_int_equal(count(36), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_it_by_either_root, setup),
		cmocka_unit_test_setup(counts_what_is_usable, setup),
		cmocka_unit_test_setup(counts_x2apics, setup),
		cmocka_unit_test_setup(damaged_entries_end_the_list, setup),
		cmocka_unit_test_setup(damaged_tables_do_not_count, setup),
		cmocka_unit_test_setup(lengths_are_not_believed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
