// SPDX-License-Identifier: MIT
/*
 * The disk, as a driver sees it, and one that breaks the rules.
 */
#include "tests/unit/check.h"
#include "tests/unit/virtio_world.h"

#include "io/virtio_blk.h"

#define HEADER WORLD_BUFFERS
#define DATA   (WORLD_BUFFERS + PAGE_SIZE + 100) /* not aligned */
#define STATUS (WORLD_BUFFERS + 24 * PAGE_SIZE)

#define SECTORS 72u /* nine pages */

struct block {
	struct virtio_blk b;
	struct world w;
	u8 disk[9][PAGE_SIZE];
};

static void *disk_page(void *context, u64 index)
{
	struct block *t = context;

	assert_true(index < ARRAY_SIZE(t->disk));
	return t->disk[index];
}

static struct block *begin_block(bool read_only)
{
	struct block *t = calloc(1, sizeof(*t));
	struct disk disk = {
		.sectors = SECTORS, .read_only = read_only, .page = disk_page, .context = t};

	virtio_blk_init(&t->b, &disk);
	for (u32 i = 0; i < sizeof(t->disk); i++)
		t->disk[i / PAGE_SIZE][i % PAGE_SIZE] = (u8)(i / 512 + i % 251);
	world_init(&t->w, &t->b.mmio);
	world_start(&t->w, VIRTIO_F_VERSION | VIRTIO_BLK_F_FLUSH, 16);
	return t;
}

static void end_block(struct block *t)
{
	world_end(&t->w);
	free(t);
}

/* The answer: its status, or 256 if there is none. */
static u32 request(struct block *t, u32 type, u64 sector, u32 bytes, bool to_guest, u32 *written)
{
	struct virtio_blk_header h = {.type = type, .sector = sector};
	u8 status = 0x5a;

	world_put(&t->w, HEADER, &h, sizeof(h));
	world_put(&t->w, STATUS, &status, 1);
	world_describe(&t->w, 0, 0, HEADER, sizeof(h), D_NEXT, bytes > 0 ? 1 : 2);
	world_describe(&t->w, 0, 1, DATA, bytes, to_guest ? D_NEXT | D_WRITE : D_NEXT, 2);
	world_describe(&t->w, 0, 2, STATUS, 1, D_WRITE, 0);
	world_offer(&t->w, 0, 0);
	assert_false(virtio_blk_serve(&t->b, &t->w.memory, 4));
	if (world_used(&t->w, 0, written) != 0)
		return 256;
	world_get(&t->w, STATUS, &status, 1);
	return status;
}

static void test_block_config(void **state)
{
	struct block *t = begin_block(false);

	(void)state;
	assert_int_equal(world_read(&t->w, VIRTIO_REG_DEVICE_ID), 2);
	assert_int_equal(world_read(&t->w, VIRTIO_REG_CONFIG), SECTORS);
	assert_int_equal(world_read(&t->w, VIRTIO_REG_CONFIG + 4), 0);
	assert_int_equal(world_read(&t->w, VIRTIO_REG_CONFIG + 8), VIRTIO_BLK_SEGMENT_SIZE);
	assert_int_equal(world_read(&t->w, VIRTIO_REG_CONFIG + 12), VIRTIO_BLK_SEGMENTS);
	assert_int_equal(t->b.mmio.features & VIRTIO_BLK_F_RO, 0);
	end_block(t);
}

static void test_block_read_write(void **state)
{
	struct block *t = begin_block(false);
	u8 data[3 * 4096], here[sizeof(data)];
	u32 written;

	(void)state;
	assert_int_equal(request(t, VIRTIO_BLK_IN, 5, sizeof(data), true, &written), 0);
	assert_int_equal(written, sizeof(data) + 1);
	world_get(&t->w, DATA, here, sizeof(here));
	assert_memory_equal(here, (u8 *)t->disk + 5 * 512, sizeof(here));
	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 13 + 1);
	world_put(&t->w, DATA, data, sizeof(data));
	assert_int_equal(request(t, VIRTIO_BLK_OUT, 3, sizeof(data), false, &written), 0);
	assert_int_equal(written, 1);
	assert_memory_equal((u8 *)t->disk + 3 * 512, data, sizeof(data));
	assert_int_equal(t->disk[0][3 * 512 - 1], (u8)(2 + (3 * 512 - 1) % 251));
	assert_int_equal(request(t, VIRTIO_BLK_FLUSH, 0, 0, false, &written), 0);
	assert_int_equal(request(t, VIRTIO_BLK_GET_ID, 0, 20, true, &written), 0);
	world_get(&t->w, DATA, here, 20);
	assert_string_equal((char *)here, "vellum-ram-disk");
	assert_int_equal(t->b.reads, 1);
	assert_int_equal(t->b.write_bytes, sizeof(data));
	end_block(t);
}

static void test_block_refusals(void **state)
{
	struct block *t = begin_block(false);
	u8 before[sizeof(t->disk)];
	u32 written;

	(void)state;
	memcpy(before, t->disk, sizeof(before));
	assert_int_equal(request(t, VIRTIO_BLK_IN, SECTORS, 512, true, &written), 1);
	assert_int_equal(written, 1);
	assert_int_equal(request(t, VIRTIO_BLK_IN, SECTORS - 1, 1024, true, &written), 1);
	assert_int_equal(request(t, VIRTIO_BLK_IN, SECTORS - 1, 512, true, &written), 0);
	assert_int_equal(request(t, VIRTIO_BLK_IN, ~(u64)0, 512, true, &written), 1);
	assert_int_equal(request(t, VIRTIO_BLK_IN, (u64)1 << 55, 512, true, &written), 1);
	assert_int_equal(request(t, VIRTIO_BLK_OUT, SECTORS, 512, false, &written), 1);
	assert_int_equal(request(t, VIRTIO_BLK_OUT, 0, 511, false, &written), 1);
	assert_int_equal(request(t, VIRTIO_BLK_OUT, 0, VIRTIO_BLK_BYTES + 512, false, &written), 1);
	assert_int_equal(request(t, 77, 0, 512, false, &written), 2);
	assert_memory_equal(t->disk, before, sizeof(before));
	assert_int_equal(t->b.mmio.faults, 0);
	end_block(t);

	t = begin_block(true);
	assert_int_equal(t->b.mmio.features & VIRTIO_BLK_F_RO, VIRTIO_BLK_F_RO);
	assert_int_equal(request(t, VIRTIO_BLK_OUT, 0, 512, false, &written), 1);
	assert_memory_equal(t->disk, before, sizeof(before));
	assert_int_equal(request(t, VIRTIO_BLK_IN, 0, 512, true, &written), 0);
	end_block(t);
}

/* Without a header, or with no room for the status. */
static void test_block_broken(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct block *t = begin_block(false);

		world_describe(&t->w, 0, 0, HEADER, i == 0 ? 15 : 16, i == 0 ? D_NEXT : 0, 1);
		world_describe(&t->w, 0, 1, STATUS, 1, D_WRITE, 0);
		world_offer(&t->w, 0, 0);
		assert_false(virtio_blk_serve(&t->b, &t->w.memory, 4));
		assert_int_equal(t->b.mmio.faults, 1);
		end_block(t);
	}
}

static void test_block_fill(void **state)
{
	struct block *t = begin_block(true);
	u8 text[6000];

	(void)state;
	memset(text, 0x77, sizeof(text));
	assert_true(virtio_blk_fill(&t->b, 4000, text, sizeof(text)));
	assert_memory_equal((u8 *)t->disk + 4000, text, sizeof(text));
	assert_int_not_equal(((u8 *)t->disk)[3999], 0x77);
	assert_true(virtio_blk_fill(&t->b, SECTORS * 512, text, 0));
	assert_false(virtio_blk_fill(&t->b, SECTORS * 512, text, 1));
	assert_false(virtio_blk_fill(&t->b, ~(u64)0, text, 2));
	end_block(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_config),   cmocka_unit_test(test_block_read_write),
		cmocka_unit_test(test_block_refusals), cmocka_unit_test(test_block_broken),
		cmocka_unit_test(test_block_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
