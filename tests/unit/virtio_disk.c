// SPDX-License-Identifier: MIT
/*
 * A virtio disk of a device that takes its time: one request at a time, what a
 * flush means to it, errors, and a driver that resets the disk or takes its memory
 * away while something is under way.
 *
 * shows: I7 U3
 */
#include "tests/unit/check.h"
#include "tests/unit/virtio_world.h"

#include "io/virtio_blk.h"

#define HEADER(i) (WORLD_BUFFERS + 64 * (i))
#define DATA(i)   (WORLD_BUFFERS + (1 + 2 * (i)) * PAGE_SIZE)
#define STATUS(i) (WORLD_BUFFERS + 24 * PAGE_SIZE + (i))
#define SECTORS   64u
#define BYTES     6144u /* of a request here */
#define NONE      256u

struct slow {
	struct virtio_blk b;
	struct world w;
	u8 disk[SECTORS * SECTOR_SIZE];
	u8 buffer[VIRTIO_BLK_BYTES];
	u32 begun, looks; /* that it wants to be looked at until it is done */
	u32 type, sectors;
	u64 sector;
	bool under_way, through;
	int begins, result; /* what it answers */
};

static int begin(void *context, u32 type, u64 sector, u32 sectors, bool through)
{
	struct slow *t = context;

	assert_false(t->under_way);
	if (t->begins < 0)
		return t->begins;
	t->begun++;
	t->under_way = true;
	t->type = type;
	t->sector = sector;
	t->sectors = sectors;
	t->through = through;
	return 0;
}

static bool poll(void *context, int *result)
{
	struct slow *t = context;
	u8 *at = t->disk + t->sector * SECTOR_SIZE;

	assert_true(t->under_way);
	if (t->looks > 0) {
		t->looks--;
		return false;
	}
	t->under_way = false;
	*result = t->result;
	if (t->type == VIRTIO_BLK_IN)
		memcpy(t->buffer, at, t->sectors * SECTOR_SIZE);
	else if (t->type == VIRTIO_BLK_OUT)
		memcpy(at, t->buffer, t->sectors * SECTOR_SIZE);
	return true;
}

static struct slow *start(u64 features)
{
	struct slow *t = calloc(1, sizeof(*t));
	struct disk disk = {.sectors = SECTORS,
			    .buffer = t->buffer,
			    .begin = begin,
			    .poll = poll,
			    .context = t};

	virtio_blk_init(&t->b, &disk);
	for (u32 i = 0; i < sizeof(t->disk); i++)
		t->disk[i] = (u8)(i % 253);
	world_init(&t->w, &t->b.mmio);
	world_start(&t->w, VIRTIO_F_VERSION | features, 16);
	return t;
}

static void stop(struct slow *t)
{
	world_end(&t->w);
	free(t);
}

/* Request i of four at most. */
static void offer(struct slow *t, u32 i, u32 type, u64 sector, u32 bytes)
{
	struct virtio_blk_header h = {.type = type, .sector = sector};
	u16 flags = type == VIRTIO_BLK_IN ? D_NEXT | D_WRITE : D_NEXT, first = (u16)(3 * i);
	u8 status = 0x5a;

	world_put(&t->w, HEADER(i), &h, sizeof(h));
	world_put(&t->w, STATUS(i), &status, 1);
	world_describe(&t->w, 0, first, HEADER(i), sizeof(h), D_NEXT,
		       (u16)(first + (bytes > 0 ? 1 : 2)));
	world_describe(&t->w, 0, (u16)(first + 1), DATA(i), bytes, flags, (u16)(first + 2));
	world_describe(&t->w, 0, (u16)(first + 2), STATUS(i), 1, D_WRITE, 0);
	world_offer(&t->w, 0, first);
}

static bool serve(struct slow *t)
{
	return virtio_blk_serve(&t->b, &t->w.memory, 4);
}

/* Its status, if request i is the next that is done. */
static u32 ended(struct slow *t, u32 i)
{
	u32 written;
	u8 status;

	if (world_used(&t->w, 0, &written) != (int)(3 * i))
		return NONE;
	world_get(&t->w, STATUS(i), &status, 1);
	return status;
}

static void test_order(void **state)
{
	struct slow *t = start(VIRTIO_BLK_F_FLUSH);
	u8 data[BYTES], here[BYTES] = {0};

	(void)state;
	for (u32 i = 0; i < BYTES; i++)
		data[i] = (u8)(i * 11 + 5);
	world_put(&t->w, DATA(0), data, BYTES);
	offer(t, 0, VIRTIO_BLK_OUT, 4, BYTES);
	offer(t, 1, VIRTIO_BLK_FLUSH, 0, 0);
	offer(t, 2, VIRTIO_BLK_IN, 4, BYTES);
	t->looks = 1;
	assert_true(serve(t));
	assert_true(t->b.busy && t->begun == 1 && !t->through);
	assert_int_equal(ended(t, 0), NONE);
	/* What the driver changes now was not meant. */
	world_put(&t->w, DATA(0), here, 1);
	assert_false(serve(t));
	assert_int_equal(ended(t, 0), VIRTIO_BLK_OK);
	assert_int_equal(ended(t, 1), VIRTIO_BLK_OK);
	assert_int_equal(ended(t, 2), VIRTIO_BLK_OK);
	assert_memory_equal(t->disk + 4 * SECTOR_SIZE, data, BYTES);
	world_get(&t->w, DATA(2), here, BYTES);
	assert_memory_equal(here, data, BYTES);
	assert_int_equal(t->begun, 3);
	assert_int_equal(t->b.reads, 1);
	assert_int_equal(t->b.read_bytes, BYTES);
	assert_int_equal(t->b.write_bytes, BYTES);
	assert_int_equal(t->b.refused, 0);
	stop(t);
}

/* Without FLUSH a write that is done is safe. */
static void test_through(void **state)
{
	struct slow *t = start(0);

	(void)state;
	offer(t, 0, VIRTIO_BLK_OUT, 0, 512);
	serve(t);
	assert_true(t->through);
	stop(t);
}

static void test_errors(void **state)
{
	struct slow *t = start(VIRTIO_BLK_F_FLUSH);

	(void)state;
	t->result = -VL_EIO;
	offer(t, 0, VIRTIO_BLK_IN, 0, 512);
	offer(t, 1, VIRTIO_BLK_FLUSH, 0, 0);
	while (serve(t))
		;
	assert_int_equal(ended(t, 0), VIRTIO_BLK_IOERR);
	assert_int_equal(ended(t, 1), VIRTIO_BLK_IOERR);
	t->begins = -VL_ENODEV;
	offer(t, 2, VIRTIO_BLK_OUT, 0, 512);
	assert_false(serve(t));
	assert_int_equal(ended(t, 2), VIRTIO_BLK_IOERR);
	assert_int_equal(t->b.reads + t->b.writes, 0);
	assert_int_equal(t->b.refused, 3);
	stop(t);
}

/* None of these reaches the device. */
static void test_refused(void **state)
{
	struct slow *t = start(VIRTIO_BLK_F_FLUSH);

	(void)state;
	offer(t, 0, VIRTIO_BLK_IN, SECTORS - 1, 1024);
	offer(t, 1, VIRTIO_BLK_OUT, ~(u64)0, 512);
	offer(t, 2, VIRTIO_BLK_IN, 0, 100);
	offer(t, 3, 77, 0, 512);
	assert_false(serve(t));
	assert_int_equal(ended(t, 0), VIRTIO_BLK_IOERR);
	assert_int_equal(ended(t, 1), VIRTIO_BLK_IOERR);
	assert_int_equal(ended(t, 2), VIRTIO_BLK_IOERR);
	assert_int_equal(ended(t, 3), VIRTIO_BLK_UNSUPP);
	t->b.disk.read_only = true;
	offer(t, 0, VIRTIO_BLK_OUT, 0, 512);
	assert_false(serve(t));
	assert_int_equal(ended(t, 0), VIRTIO_BLK_IOERR);
	assert_int_equal(t->begun, 0);
	assert_false(virtio_blk_fill(&t->b, 0, t->buffer, 1));
	stop(t);
}

/* What was under way is not told of to the driver that came after the reset, whose own waits. */
static void test_reset(void **state)
{
	struct slow *t = start(VIRTIO_BLK_F_FLUSH);
	u8 here[512];

	(void)state;
	t->looks = 3;
	offer(t, 0, VIRTIO_BLK_IN, 0, 512);
	serve(t);
	assert_true(t->b.busy);
	world_start(&t->w, VIRTIO_F_VERSION | VIRTIO_BLK_F_FLUSH, 16);
	memset(here, 0x77, sizeof(here));
	world_put(&t->w, DATA(0), here, sizeof(here));
	offer(t, 1, VIRTIO_BLK_IN, 9, 512);
	while (serve(t))
		;
	assert_int_equal(ended(t, 1), VIRTIO_BLK_OK);
	assert_int_equal(ended(t, 0), NONE);
	world_get(&t->w, DATA(0), here, sizeof(here));
	assert_int_equal(here[0], 0x77);
	assert_int_equal(t->begun, 2);
	stop(t);
}

static void test_memory_gone(void **state)
{
	struct slow *t = start(VIRTIO_BLK_F_FLUSH);

	(void)state;
	t->looks = 1;
	offer(t, 0, VIRTIO_BLK_IN, 0, BYTES);
	serve(t);
	free(t->w.page[(DATA(0) - WORLD_BASE) / PAGE_SIZE + 1]);
	t->w.page[(DATA(0) - WORLD_BASE) / PAGE_SIZE + 1] = NULL;
	while (serve(t))
		;
	assert_int_equal(ended(t, 0), VIRTIO_BLK_IOERR);
	stop(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),  cmocka_unit_test(test_through),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_reset),  cmocka_unit_test(test_memory_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
