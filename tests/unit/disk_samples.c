// SPDX-License-Identifier: MIT
#include "tests/unit/disk_samples.h"

#include <string.h>

#define SECTOR 512u

static void put32(u8 *at, u32 value)
{
	for (u32 i = 0; i < 4; i++)
		at[i] = (u8)(value >> 8 * i);
}

static void put64(u8 *at, u64 value)
{
	put32(at, (u32)value);
	put32(at + 4, (u32)(value >> 32));
}

/* A bit at a time, as the standard has it. */
static u32 crc_of(const u8 *data, size_t size)
{
	u32 crc = ~0u;

	for (size_t i = 0; i < 8 * size; i++)
		crc = crc >> 1 ^ ((crc ^ (u32)(data[i / 8] >> i % 8)) & 1 ? 0xedb88320u : 0);
	return ~crc;
}

void sample_mbr_entry(u8 *disk, u64 sector, u32 i, u8 type, u32 start, u32 sectors)
{
	u8 *at = disk + sector * SECTOR;

	at[510] = 0x55;
	at[511] = 0xaa;
	at += 446 + 16 * i;
	at[4] = type;
	put32(at + 8, start);
	put32(at + 12, sectors);
}

void sample_mbr(u8 *disk)
{
	memset(disk, 0, SAMPLE_BYTES);
	sample_mbr_entry(disk, 0, 0, 0x83, 40, 60);
	sample_mbr_entry(disk, 0, 1, 0x05, 200, 200);
	sample_mbr_entry(disk, 0, 2, 0x83, 100, 50);
	disk[446] = 0x80;
	sample_mbr_entry(disk, 200, 0, 0x83, 10, 40);
	sample_mbr_entry(disk, 200, 1, 0x05, 55, 50);
	sample_mbr_entry(disk, 255, 0, 0x83, 5, 40);
}

static void gpt_entry(u8 *disk, u32 number, u64 first, u64 last)
{
	u8 *at = disk + 2 * SECTOR + (number - 1) * 128;

	memset(at, 0xa0 + (int)number, 32);
	put64(at + 32, first);
	put64(at + 40, last);
}

void sample_gpt_sum(u8 *disk)
{
	u8 *header = disk + SECTOR;

	put32(header + 88, crc_of(disk + 2 * SECTOR, 128 * 128));
	put32(header + 16, 0);
	put32(header + 16, crc_of(header, 92));
}

void sample_gpt(u8 *disk)
{
	u8 *header = disk + SECTOR;

	memset(disk, 0, SAMPLE_BYTES);
	sample_mbr_entry(disk, 0, 0, 0xee, 1, SAMPLE_SECTORS - 1);
	memcpy(header, "EFI PART", 8);
	put32(header + 8, 0x10000);
	put32(header + 12, 92);
	put64(header + 24, 1);
	put64(header + 32, SAMPLE_SECTORS - 1);
	put64(header + 40, 34);
	put64(header + 48, SAMPLE_SECTORS - 34);
	put64(header + 72, 2);
	put32(header + 80, 128);
	put32(header + 84, 128);
	gpt_entry(disk, 1, 50, 99);
	gpt_entry(disk, 2, 100, 149);
	gpt_entry(disk, 7, 200, 366);
	sample_gpt_sum(disk);
}
