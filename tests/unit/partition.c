// SPDX-License-Identifier: MIT
/*
 * Partition tables, good ones and those that lie, and who may use which part of a
 * disk: against a table of claims that is searched sector by sector.
 *
 * shows: I7
 */
#include "tests/unit/check.h"

#include "io/partition.h"
#include "tests/unit/disk_samples.h"

static u8 disk[SAMPLE_BYTES];

/* How many sectors were wanted. */
static u32 scan(struct partition_table *table, u64 sectors)
{
	struct partition_scan s;
	u32 n = 0;

	partition_begin(&s, table, sectors);
	do {
		assert_true(s.wanted < sectors);
		n++;
	} while (partition_feed(&s, disk + s.wanted * 512));
	return n;
}

static void check_partition(const struct partition_table *t, u32 number, u64 start, u64 sectors)
{
	const struct extent *e = partition_find(t, number);

	assert_non_null(e);
	assert_int_equal(e->start, start);
	assert_int_equal(e->sectors, sectors);
}

static void test_mbr(void **state)
{
	struct partition_table t;

	(void)state;
	sample_mbr(disk);
	assert_int_equal(scan(&t, SAMPLE_SECTORS), 3);
	assert_int_equal(t.kind, PARTITIONS_MBR);
	assert_int_equal(t.count, 4);
	assert_int_equal(t.left_out, 0);
	check_partition(&t, 1, 40, 60);
	check_partition(&t, 3, 100, 50);
	check_partition(&t, 5, 210, 40);
	check_partition(&t, 6, 260, 40);
	assert_null(partition_find(&t, 2));
	assert_null(partition_find(&t, 0));
}

static void test_none(void **state)
{
	struct partition_table t;

	(void)state;
	memset(disk, 0, sizeof(disk));
	assert_int_equal(scan(&t, SAMPLE_SECTORS), 1);
	assert_int_equal(t.kind, PARTITIONS_NONE);
	sample_mbr(disk);
	disk[446] = 0x12; /* code of a boot sector */
	scan(&t, SAMPLE_SECTORS);
	assert_int_equal(t.kind, PARTITIONS_NONE);
	scan(&t, 1);
	assert_int_equal(t.kind, PARTITIONS_NONE);
}

/* Beyond the disk, over the table, or nothing at all. */
static void test_mbr_lies(void **state)
{
	struct partition_table t;

	(void)state;
	sample_mbr(disk);
	sample_mbr_entry(disk, 0, 0, 0x83, 390, 11);
	sample_mbr_entry(disk, 0, 2, 0x83, 0, 10);
	sample_mbr_entry(disk, 0, 3, 0x83, 10, 0);
	sample_mbr_entry(disk, 200, 0, 0x83, 0xffffffff, 40);
	scan(&t, SAMPLE_SECTORS);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.left_out, 4);
	check_partition(&t, 6, 260, 40);
	sample_mbr_entry(disk, 0, 1, 0x05, 200, 201);
	scan(&t, SAMPLE_SECTORS);
	assert_int_equal(t.count, 0);
}

static void test_mbr_loop(void **state)
{
	static const u32 next[] = {0, 55, 54, 200, 0xffffffff};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(next); i++) {
		struct partition_table t;

		sample_mbr(disk);
		sample_mbr_entry(disk, 255, 1, 0x05, next[i], 50);
		assert_int_equal(scan(&t, SAMPLE_SECTORS), 3);
		assert_int_equal(t.count, 4);
	}
}

/* As many as there can be, of which the first are remembered. */
static void test_mbr_chain(void **state)
{
	struct partition_table t;

	(void)state;
	sample_mbr(disk);
	for (u32 i = 0; i < 100; i++) {
		sample_mbr_entry(disk, 200 + 2 * i, 0, 0x83, 1, 1);
		sample_mbr_entry(disk, 200 + 2 * i, 1, 0x05, 2 * i + 2, 2);
	}
	assert_int_equal(scan(&t, SAMPLE_SECTORS), 1 + PARTITION_LOGICALS + 1);
	assert_int_equal(t.count, PARTITIONS);
	assert_int_equal(t.left_out, 2 + PARTITION_LOGICALS - PARTITIONS);
	check_partition(&t, 5, 201, 1);
}

static void test_gpt(void **state)
{
	struct partition_table t;

	(void)state;
	sample_gpt(disk);
	assert_int_equal(scan(&t, SAMPLE_SECTORS), 34);
	assert_int_equal(t.kind, PARTITIONS_GPT);
	assert_int_equal(t.count, 3);
	check_partition(&t, 1, 50, 50);
	check_partition(&t, 2, 100, 50);
	check_partition(&t, 7, 200, 167);
}

/* Each byte that a checksum is of; and then with the checksum made right. */
static void test_gpt_damaged(void **state)
{
	struct rng rng = {4711};

	(void)state;
	for (u32 i = 0; i < random_cases(3000); i++) {
		struct partition_table t;
		u32 at = rng_below(&rng, 2) ? 512 + rng_below(&rng, 92)
					    : 1024 + rng_below(&rng, 128 * 128);

		sample_gpt(disk);
		disk[at] ^= (u8)(1 + rng_below(&rng, 255));
		scan(&t, SAMPLE_SECTORS);
		assert_int_equal(t.kind, PARTITIONS_BAD_GPT);
		assert_int_equal(t.count, 0);
		sample_gpt_sum(disk);
		scan(&t, SAMPLE_SECTORS);
		for (u32 n = 0; n < t.count; n++)
			assert_true(t.partition[n].extent.start + t.partition[n].extent.sectors <=
				    SAMPLE_SECTORS);
	}
}

static void test_gpt_lies(void **state)
{
	static const struct {
		u32 at;
		u8 value;
		u32 count, left_out;
	} lies[] = {{1024 + 32, 100, 2, 1}, /* ends before it begins */
		    {1024 + 40 + 2, 1, 2, 1}, {1024 + 39, 0x80, 2, 1},
		    {512 + 72, 1, 0, 0}, /* entries in the header */
		    {512 + 74, 1, 0, 0},      {512 + 80, 0, 0, 0},
		    {512 + 81, 0x40, 0, 0},   {512 + 84, 0x81, 0, 0},
		    {512 + 24, 2, 0, 0},      {512 + 12, 91, 0, 0}};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		struct partition_table t;

		sample_gpt(disk);
		disk[lies[i].at] = lies[i].value;
		sample_gpt_sum(disk);
		scan(&t, SAMPLE_SECTORS);
		assert_int_equal(t.kind, lies[i].count ? PARTITIONS_GPT : PARTITIONS_BAD_GPT);
		assert_int_equal(t.count, lies[i].count);
		assert_int_equal(t.left_out, lies[i].left_out);
	}
}

/* A sector that cannot be read ends it; half a GPT is none. */
static void test_unread(void **state)
{
	struct partition_table t;
	struct partition_scan s;

	(void)state;
	sample_gpt(disk);
	partition_begin(&s, &t, SAMPLE_SECTORS);
	for (u32 i = 0; i < 5; i++)
		assert_true(partition_feed(&s, disk + s.wanted * 512));
	partition_stop(&s);
	assert_int_equal(t.kind, PARTITIONS_BAD_GPT);
	assert_int_equal(t.count, 0);
	assert_false(partition_feed(&s, disk));
	sample_mbr(disk);
	partition_begin(&s, &t, SAMPLE_SECTORS);
	assert_true(partition_feed(&s, disk));
	partition_stop(&s);
	assert_int_equal(t.count, 2);
}

/* --- claims --- */

#define DISKS  2u
#define LENGTH 40u
#define OWNERS 5u

struct users {
	u32 readers[DISKS][LENGTH], writers[DISKS][LENGTH];
};

static int expected(const struct users *u, const struct extent_claim *c)
{
	for (u64 i = c->extent.start; i < c->extent.start + c->extent.sectors; i++)
		if (u->writers[c->disk][i] || (c->writes && u->readers[c->disk][i]))
			return -VL_EBUSY;
	return 0;
}

static void note(struct users *u, const struct extent_claim *c, u32 by)
{
	for (u64 i = c->extent.start; i < c->extent.start + c->extent.sectors; i++)
		*(c->writes ? &u->writers[c->disk][i] : &u->readers[c->disk][i]) += by;
}

static void test_claims(void **state)
{
	static struct extent_claims all;
	static char owners[OWNERS];
	struct extent_claim had[OWNERS][EXTENT_CLAIMS];
	u32 nr[OWNERS] = {0}, total = 0, busy = 0;
	struct users users = {0};
	struct rng rng = {99};

	(void)state;
	for (u32 i = 0; i < random_cases(20000); i++) {
		u32 who = rng_below(&rng, OWNERS);
		struct extent_claim c = {.owner = &owners[who],
					 .disk = rng_below(&rng, DISKS),
					 .writes = rng_below(&rng, 3) == 0};
		int err;

		c.extent.start = rng_below(&rng, LENGTH);
		c.extent.sectors = 1 + rng_below(&rng, (u32)(LENGTH - c.extent.start));
		err = expected(&users, &c);
		if (err == 0 && total == EXTENT_CLAIMS)
			err = -VL_ENOSPC;
		assert_int_equal(extent_claim(&all, &c), err);
		busy += err == -VL_EBUSY;
		if (err == 0) {
			note(&users, &c, 1);
			had[who][nr[who]++] = c;
			total++;
		}
		if (rng_below(&rng, 20) != 0)
			continue;
		assert_int_equal(extent_release(&all, &owners[who]), nr[who] > 0);
		for (total -= nr[who]; nr[who] > 0; nr[who]--)
			note(&users, &had[who][nr[who] - 1], -1u);
	}
	assert_true(busy > 1000);
	for (u32 i = 0; i < OWNERS; i++)
		extent_release(&all, &owners[i]);
	assert_false(extent_is_used(&all, 0) || extent_is_used(&all, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mbr),         cmocka_unit_test(test_none),
		cmocka_unit_test(test_mbr_lies),    cmocka_unit_test(test_mbr_loop),
		cmocka_unit_test(test_mbr_chain),   cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_gpt_damaged), cmocka_unit_test(test_gpt_lies),
		cmocka_unit_test(test_unread),      cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
