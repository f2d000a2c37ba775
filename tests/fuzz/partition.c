// SPDX-License-Identifier: MIT
/*
 * Partition tables of the fuzzer's: the input is a disk, or damages a good MBR or GPT, whose
 * checksums are made right again. Each sector lies on the heap alone, so that a read beyond it is
 * seen.
 */
#include "io/partition.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"
#include "tests/unit/disk_samples.h"

#define GPT_BYTES  (34 * PARTITION_SECTOR) /* as much as has a table's sectors */
#define MBR_BYTES  (256 * PARTITION_SECTOR)
#define MOST_READS 1100u /* more entries than a GPT may have, in sectors of one each */

static void check(const struct partition_table *t, u64 sectors)
{
	must(t->count <= PARTITIONS);
	must(t->count == 0 || t->kind == PARTITIONS_MBR || t->kind == PARTITIONS_GPT);
	for (u32 i = 0; i < t->count; i++) {
		const struct extent *e = &t->partition[i].extent;

		must(t->partition[i].number != 0);
		must(e->sectors != 0 && e->start != 0);
		must(e->start < sectors && e->sectors <= sectors - e->start);
	}
}

static void scan(const u8 *disk, u64 bytes, u64 sectors)
{
	struct partition_table table;
	struct partition_scan s;
	bool more = true;

	partition_begin(&s, &table, sectors);
	for (u32 reads = 0; more; reads++) {
		u8 *sector;

		must(s.wanted < sectors && reads < MOST_READS);
		if (s.wanted >= bytes / PARTITION_SECTOR) {
			partition_stop(&s);
			break;
		}
		sector = malloc(PARTITION_SECTOR);
		memcpy(sector, disk + s.wanted * PARTITION_SECTOR, PARTITION_SECTOR);
		more = partition_feed(&s, sector);
		free(sector);
	}
	check(&table, sectors);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 mbr[SAMPLE_BYTES], gpt[SAMPLE_BYTES];
	u8 kind;
	size_t bytes;
	u8 *disk;

	if (size < 2)
		return 0;
	kind = data[0];
	if (mbr[510] == 0) {
		sample_mbr(mbr);
		sample_gpt(gpt);
	}
	disk = damage(data + 1, size - 1, kind & 1 ? gpt : mbr, kind & 1 ? GPT_BYTES : MBR_BYTES,
		      &bytes);
	if ((kind & 3) == 3 && bytes == GPT_BYTES)
		sample_gpt_sum(disk);
	scan(disk, bytes, kind & 4 ? (u64)kind << 40 : SAMPLE_SECTORS);
	free(disk);
	return 0;
}
