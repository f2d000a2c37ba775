// SPDX-License-Identifier: MIT
/*
 * The IDE driver against a model of channel and drives: data by bus mastering
 * and by programmed I/O, 28 and 48 bits, what a flush makes safe, and each thing that can
 * go wrong: error, hang, a bus master that fails in its ways, a drive that is not there.
 *
 * shows: I7
 */
#include "tests/unit/check.h"

#include "tests/unit/ide_world.h"

#define POLLS   200000u
#define DATA    16u /* page of the operation's memory */
#define SECTORS 0x10000u

struct test {
	struct ide_world w;
	struct ide_channel c;
	struct ide_op op;
};

static struct test *begin(u64 sectors)
{
	struct test *t = calloc(1, sizeof(*t));

	ide_world_init(&t->w, sectors);
	t->c = (struct ide_channel){.machine = &t->w.machine,
				    .command = IDE_WORLD_COMMAND,
				    .control = IDE_WORLD_CONTROL,
				    .master = IDE_WORLD_MASTER,
				    .prd = (u32 *)(void *)t->w.memory,
				    .prd_ma = IDE_WORLD_BASE};
	for (u32 d = 0; d < 2; d++)
		for (u32 i = 0; i < IDE_WORLD_DISK; i++)
			memset(t->w.drive[d].cache[i], (int)(d * 100 + i), IDE_SECTOR);
	ide_begin(&t->c);
	return t;
}

/* Until it is done; no poll takes long. */
static int wait_for(struct test *t, struct ide_op *op)
{
	for (u32 i = 0; op->waits; i++) {
		u32 before = t->w.accesses;

		if (!ide_poll(&t->c))
			assert_false(op->waits);
		assert_true(t->w.accesses - before < 320);
		t->w.now += 200;
		if (i == POLLS)
			stop_test("it is never done");
	}
	return op->result;
}

static int run(struct test *t, struct ide_op op)
{
	int err;

	t->op = op;
	t->op.data = ide_world_page(&t->w, DATA);
	t->op.ma = ide_world_ma(DATA);
	err = ide_submit(&t->c, &t->op);
	return err < 0 ? err : wait_for(t, &t->op);
}

static int identify(struct test *t, u32 drive)
{
	return run(t, (struct ide_op){.kind = IDE_IDENTIFY, .drive = drive});
}

static struct test *begin_known(u64 sectors)
{
	struct test *t = begin(sectors);

	assert_int_equal(identify(t, 0), 0);
	assert_int_equal(identify(t, 1), 0);
	return t;
}

static int move(struct test *t, enum ide_kind kind, u64 lba, u32 sectors)
{
	return run(t, (struct ide_op){.kind = kind, .lba = lba, .sectors = sectors});
}

static void fill(struct test *t, u32 sectors, u32 seed)
{
	u8 *data = ide_world_page(&t->w, DATA);

	for (u32 i = 0; i < sectors * IDE_SECTOR; i++)
		data[i] = (u8)(i * 7 + i / IDE_SECTOR + seed);
}

/* --- what drives say --- */

static void test_identify(void **state)
{
	struct test *t = begin_known(SECTORS);
	const struct ide_drive *d = &t->c.drive[0];

	(void)state;
	assert_true(d->present && d->dma && d->flush && !d->flush_ext && !d->lba48 && d->cached);
	assert_int_equal(d->sectors, SECTORS);
	assert_string_equal(d->model, "MODEL OF A DISK");
	free(t);
	t = begin_known((u64)1 << 33);
	assert_true(t->c.drive[1].lba48 && t->c.drive[1].flush_ext);
	assert_int_equal(t->c.drive[1].sectors, (u64)1 << 33);
	free(t);
}

static void test_identify_nothing(void **state)
{
	struct test *t = begin(SECTORS);

	(void)state;
	t->w.drive[0].packet = true;
	t->w.drive[1].present = false;
	assert_int_equal(identify(t, 0), -VL_ENODEV);
	assert_int_equal(identify(t, 1), -VL_ENODEV);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_IDENTIFY, .drive = 2}), -VL_ENODEV);
	assert_false(t->c.drive[0].present || t->c.drive[1].present);
	assert_int_equal(move(t, IDE_READ, 0, 1), -VL_ENODEV);
	assert_int_equal(t->c.counts.errors, 0);
	free(t);
}

/* A mode that nobody has set up is none. */
static void test_identify_no_dma(void **state)
{
	struct test *t = begin(SECTORS);

	(void)state;
	t->w.drive[0].identity[88] = 0x3f;
	assert_int_equal(identify(t, 0), 0);
	assert_false(t->c.drive[0].dma);
	t->w.drive[0].identity[63] = 0x407;
	assert_int_equal(identify(t, 0), 0);
	assert_true(t->c.drive[0].dma);
	t->w.drive[0].identity[83] = 0;
	assert_int_equal(identify(t, 0), 0);
	assert_true(t->c.drive[0].cached && !t->c.drive[0].flush);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_FLUSH}), -VL_EOPNOTSUPP);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_WRITE, .sectors = 1, .through = true}),
			 -VL_EOPNOTSUPP);
	t->w.drive[0].identity[83] = 1 << 14;
	t->w.drive[0].identity[82] = t->w.drive[0].identity[85] = 0;
	assert_int_equal(identify(t, 0), 0);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_FLUSH}), 0);
	assert_int_equal(t->w.commands[0xe7], 0);
	free(t);
}

/* --- data --- */

static void check_data(struct test *t, u64 lba, u32 sectors)
{
	const u8 *data = ide_world_page(&t->w, DATA);
	struct ide_world_drive *d = &t->w.drive[0];

	fill(t, sectors, 3);
	assert_int_equal(move(t, IDE_WRITE, lba, sectors), 0);
	assert_memory_equal(d->cache[lba - d->first], data, sectors * IDE_SECTOR);
	memset(ide_world_page(&t->w, DATA), 0, sectors * IDE_SECTOR);
	assert_int_equal(move(t, IDE_READ, lba, sectors), 0);
	assert_memory_equal(d->cache[lba - d->first], data, sectors * IDE_SECTOR);
	assert_int_equal(data[sectors * IDE_SECTOR - 1],
			 (u8)((sectors * IDE_SECTOR - 1) * 7 + sectors - 1 + 3));
}

static void check_both_ways(u64 disk, u64 first, u8 dma_read, u8 pio_write)
{
	static const u32 sizes[] = {1, 7, 8, 9, 17, IDE_MOST};
	struct test *t = begin_known(disk);

	t->w.drive[0].first = first;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		check_data(t, first + 5, sizes[i]);
	assert_int_equal(t->w.commands[dma_read], ARRAY_SIZE(sizes));
	assert_int_equal(t->w.commands[pio_write], 0);
	t->c.drive[0].dma = false;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		check_data(t, first + 5, sizes[i]);
	assert_int_equal(t->w.commands[dma_read], ARRAY_SIZE(sizes));
	assert_int_equal(t->w.commands[pio_write], ARRAY_SIZE(sizes));
	assert_int_equal(t->c.counts.reads, 2 * ARRAY_SIZE(sizes));
	assert_int_equal(t->c.counts.writes, 2 * ARRAY_SIZE(sizes));
	free(t);
}

static void test_data(void **state)
{
	(void)state;
	check_both_ways(SECTORS, 0, 0xc8, 0x30);
	check_both_ways((u64)1 << 47, 0x123456789abc, 0x25, 0x34);
	check_both_ways((u64)1 << 28, ((u64)1 << 28) - IDE_WORLD_DISK, 0xc8, 0x30);
}

/* The last sector that 28 bits have, and those behind. */
static void test_data_28_48(void **state)
{
	struct test *t = begin_known((u64)1 << 29);

	(void)state;
	t->w.drive[0].first = ((u64)1 << 28) - 20;
	check_data(t, ((u64)1 << 28) - 8, 8);
	assert_int_equal(t->w.commands[0x25], 0);
	check_data(t, ((u64)1 << 28) - 8, 9);
	assert_int_equal(t->w.commands[0x25], 1);
	assert_int_equal(t->w.commands[0xc8], 1);
	free(t);
}

static void test_refusals(void **state)
{
	struct test *t = begin_known(SECTORS);

	(void)state;
	assert_int_equal(move(t, IDE_READ, 0, 0), -VL_EINVAL);
	assert_int_equal(move(t, IDE_READ, 0, IDE_MOST + 1), -VL_EINVAL);
	assert_int_equal(move(t, IDE_READ, SECTORS, 1), -VL_EINVAL);
	assert_int_equal(move(t, IDE_WRITE, SECTORS - 1, 2), -VL_EINVAL);
	assert_int_equal(move(t, IDE_WRITE, ~(u64)0, 1), -VL_EINVAL);
	assert_false(ide_poll(&t->c));
	free(t);
}

static void test_flush(void **state)
{
	struct test *t = begin_known(SECTORS);
	struct ide_world_drive *d = &t->w.drive[0];

	(void)state;
	fill(t, 4, 9);
	assert_int_equal(move(t, IDE_WRITE, 10, 4), 0);
	assert_int_not_equal(memcmp(d->medium[10], d->cache[10], IDE_SECTOR), 0);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_FLUSH}), 0);
	assert_memory_equal(d->medium[10], d->cache[10], 4 * IDE_SECTOR);
	fill(t, 2, 77);
	assert_int_equal(
		run(t,
		    (struct ide_op){.kind = IDE_WRITE, .lba = 30, .sectors = 2, .through = true}),
		0);
	assert_memory_equal(d->medium[30], ide_world_page(&t->w, DATA), 2 * IDE_SECTOR);
	assert_int_equal(t->c.counts.flushes, 1);
	assert_int_equal(t->c.counts.writes, 2);
	free(t);
}

/* Each in its turn, of both drives. */
static void test_queue(void **state)
{
	struct test *t = begin_known(SECTORS);
	struct ide_op op[6];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(op); i++) {
		op[i] = (struct ide_op){.kind = IDE_READ,
					.drive = i % 2,
					.lba = 3 * i,
					.sectors = 2,
					.data = ide_world_page(&t->w, DATA + i),
					.ma = ide_world_ma(DATA + i)};
		assert_int_equal(ide_submit(&t->c, &op[i]), 0);
	}
	ide_cancel(&t->c, &op[2]);
	ide_cancel(&t->c, &op[5]);
	assert_int_equal(wait_for(t, &op[1]), 0);
	assert_false(op[0].waits);
	assert_int_equal(wait_for(t, &op[4]), 0);
	while (ide_poll(&t->c))
		;
	for (u32 i = 0; i < ARRAY_SIZE(op); i++)
		assert_int_equal(*ide_world_page(&t->w, DATA + i),
				 i == 2 || i == 5 ? 0 : i % 2 * 100 + 3 * i);
	assert_int_equal(t->w.resets, 0);
	free(t);
}

/* --- what goes wrong --- */

static struct test *begin_trouble(enum ide_trouble trouble, u32 troubles)
{
	struct test *t = begin_known(SECTORS);

	t->w.trouble = trouble;
	t->w.troubles = troubles;
	return t;
}

static void test_bad_sector(void **state)
{
	(void)state;
	for (u32 pio = 0; pio < 2; pio++)
		for (u32 kind = IDE_READ; kind <= IDE_WRITE; kind++) {
			struct test *t = begin_trouble(IDE_BAD_SECTOR, 1);

			t->w.bad_sector = 20;
			t->c.drive[0].dma = pio == 0;
			assert_int_equal(move(t, kind, 12, 8), 0);
			assert_int_equal(move(t, kind, 12, 20), -VL_EIO);
			assert_int_equal(t->c.counts.errors, 1);
			assert_int_equal(move(t, kind, 12, 20), 0);
			assert_int_equal(t->c.counts.dma_failures + t->c.counts.resets, 0);
			free(t);
		}
}

static void test_flush_fails(void **state)
{
	struct test *t = begin_trouble(IDE_FLUSH_FAILS, 2);

	(void)state;
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_FLUSH}), -VL_EIO);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_WRITE, .sectors = 1, .through = true}),
			 -VL_EIO);
	assert_int_equal(run(t, (struct ide_op){.kind = IDE_FLUSH}), 0);
	assert_int_equal(t->c.counts.errors, 2);
	free(t);
}

/* Each is done without bus mastering, and no other is after three. */
static void test_master_fails(void **state)
{
	static const enum ide_trouble kinds[] = {IDE_MASTER_ERROR, IDE_MASTER_SHORT,
						 IDE_MASTER_NEVER, IDE_BAD_CABLE};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct test *t = begin_trouble(kinds[i], 3);

		for (u32 n = 0; n < 3; n++) {
			assert_true(t->c.drive[0].dma);
			t->w.troubles = 1;
			check_data(t, 40 + 30 * n, 20);
			assert_int_equal(t->c.counts.dma_failures, n + 1);
			assert_int_equal(t->w.resets, n + 1);
			assert_int_equal(t->w.commands[0x30], n + 1);
		}
		assert_false(t->c.drive[0].dma);
		check_data(t, 300, 20);
		assert_int_equal(t->w.commands[0x20], 2);
		assert_int_equal(t->c.counts.timeouts + t->c.counts.errors, 0);
		free(t);
	}
}

static void test_hang(void **state)
{
	struct test *t = begin_trouble(IDE_HANGS, 1);
	struct ide_op second;
	u64 before = t->w.now;

	(void)state;
	t->c.drive[0].dma = false;
	assert_int_equal(move(t, IDE_READ, 1, 1), -VL_ETIMEDOUT);
	assert_true(t->w.now - before < 11000000);
	assert_int_equal(t->c.counts.timeouts, 1);
	second = (struct ide_op){.kind = IDE_READ,
				 .lba = 5,
				 .sectors = 1,
				 .data = ide_world_page(&t->w, DATA),
				 .ma = ide_world_ma(DATA)};
	assert_int_equal(ide_submit(&t->c, &second), 0);
	assert_int_equal(wait_for(t, &second), 0);
	assert_int_equal(t->w.resets, 1);
	assert_int_equal(*ide_world_page(&t->w, DATA), 5);
	free(t);
}

/* What never answers again is an error for each, and nobody waits for ever. */
static void test_stuck(void **state)
{
	struct test *t = begin_trouble(IDE_STUCK, 1);

	(void)state;
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(move(t, i == 1 ? IDE_WRITE : IDE_READ, 1, 1), -VL_ETIMEDOUT);
	assert_int_equal(t->c.counts.timeouts, 3);
	free(t);
}

/* Whose memory goes is not written to any more, and the others have their turn. */
static void test_cancel(void **state)
{
	(void)state;
	for (u32 polls = 0; polls < 60; polls++) {
		struct test *t = begin_known(SECTORS);
		struct ide_op gone = {.kind = IDE_READ,
				      .lba = 9,
				      .sectors = 20,
				      .data = ide_world_page(&t->w, DATA),
				      .ma = ide_world_ma(DATA)};
		struct ide_op stays = {.kind = IDE_READ,
				       .lba = 50,
				       .sectors = 1,
				       .data = ide_world_page(&t->w, DATA + 10),
				       .ma = ide_world_ma(DATA + 10)};

		t->c.drive[0].dma = polls % 2;
		memset(ide_world_page(&t->w, DATA), 0, IDE_SECTOR * 20);
		ide_submit(&t->c, &gone);
		ide_submit(&t->c, &stays);
		for (u32 i = 0; i < polls / 2; i++)
			ide_poll(&t->c);
		ide_cancel(&t->c, &gone);
		assert_false(gone.waits);
		memset(ide_world_page(&t->w, DATA), 0xa5, IDE_SECTOR * 20);
		assert_int_equal(wait_for(t, &stays), 0);
		assert_int_equal(*ide_world_page(&t->w, DATA + 10), 50);
		for (u32 i = 0; i < IDE_SECTOR * 20; i++)
			assert_int_equal(ide_world_page(&t->w, DATA)[i], 0xa5);
		free(t);
	}
}

static void test_begin_end(void **state)
{
	struct test *t = begin(SECTORS);

	(void)state;
	assert_int_equal(t->w.control & 2, 2);
	assert_int_equal(identify(t, 0), 0);
	assert_int_equal(t->w.control & 2, 2);
	assert_false(ide_poll(&t->c));
	ide_end(&t->c);
	assert_int_equal(t->w.control & 6, 0);
	assert_int_equal(t->w.master_command, 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),        cmocka_unit_test(test_identify_nothing),
		cmocka_unit_test(test_identify_no_dma), cmocka_unit_test(test_data),
		cmocka_unit_test(test_data_28_48),      cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_flush),           cmocka_unit_test(test_queue),
		cmocka_unit_test(test_bad_sector),      cmocka_unit_test(test_flush_fails),
		cmocka_unit_test(test_master_fails),    cmocka_unit_test(test_hang),
		cmocka_unit_test(test_stuck),           cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_begin_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
