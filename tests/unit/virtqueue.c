// SPDX-License-Identifier: MIT
/*
 * The device's side of a split virtqueue: what a driver may do, each way in
 * which it may break the rules, and the words that the two sides share.
 */
#include "tests/unit/check.h"
#include "tests/unit/virtio_world.h"

#define ENTRIES 16u

struct fixture {
	struct virtio_mmio device;
	struct world world;
	struct virtqueue *q;
	struct virtqueue_chain chain;
};

static struct fixture *begin(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->device = (struct virtio_mmio){.id = 1, .nr_queues = 1, .features = VIRTIO_F_VERSION};
	world_init(&f->world, &f->device);
	world_start(&f->world, VIRTIO_F_VERSION, ENTRIES);
	f->q = &f->device.queue[0];
	assert_true(f->q->ready);
	return f;
}

static void end(struct fixture *f)
{
	world_end(&f->world);
	free(f);
}

static enum virtqueue_answer take(struct fixture *f)
{
	return virtqueue_take(f->q, &f->world.memory, VIRTQUEUE_ALL, &f->chain);
}

static enum virtqueue_answer give(struct fixture *f, u16 head, u32 written)
{
	return virtqueue_give(f->q, &f->world.memory, head, written);
}

static void test_chain(void **state)
{
	struct fixture *f = begin();
	static const char text[] = "from one page to the next, and on in another part";
	char copy[sizeof(text)] = {0};
	u64 first = WORLD_BUFFERS + PAGE_SIZE - 10, second = WORLD_BUFFERS + 5 * PAGE_SIZE;
	u32 written;

	(void)state;
	assert_int_equal(take(f), VIRTQUEUE_EMPTY);
	world_put(&f->world, first, text, 20);
	world_put(&f->world, second, text + 20, sizeof(text) - 20);
	world_describe(&f->world, 0, 3, first, 20, D_NEXT, 9);
	world_describe(&f->world, 0, 9, second, sizeof(text) - 20, D_NEXT, 0);
	world_describe(&f->world, 0, 0, second + 100, PAGE_SIZE, D_WRITE, 77);
	assert_int_equal(world_offer(&f->world, 0, 3), 0);
	assert_true(virtqueue_has_more(f->q, &f->world.memory));
	assert_int_equal(take(f), VIRTQUEUE_CHAIN);
	assert_int_equal(f->chain.head, 3);
	assert_int_equal(f->chain.nr_parts, 3);
	assert_int_equal(f->chain.nr_readable, 2);
	assert_int_equal(f->chain.readable, sizeof(text));
	assert_int_equal(f->chain.writable, PAGE_SIZE);
	assert_true(virtqueue_read(&f->chain, &f->world.memory, 0, copy, sizeof(text)));
	assert_string_equal(copy, text);
	assert_true(virtqueue_read(&f->chain, &f->world.memory, 15, copy, 9));
	assert_memory_equal(copy, text + 15, 9);
	assert_false(virtqueue_read(&f->chain, &f->world.memory, 1, copy, sizeof(text)));
	assert_true(virtqueue_write(&f->chain, &f->world.memory, PAGE_SIZE - 8, text, 8));
	world_get(&f->world, second + 100 + PAGE_SIZE - 8, copy, 8);
	assert_memory_equal(copy, text, 8);
	assert_false(virtqueue_write(&f->chain, &f->world.memory, PAGE_SIZE - 8, text, 9));
	assert_int_equal(world_used(&f->world, 0, &written), -1);
	assert_int_equal(give(f, 3, 1234), VIRTQUEUE_CHAIN);
	assert_int_equal(world_used(&f->world, 0, &written), 3);
	assert_int_equal(written, 1234);
	assert_int_equal(take(f), VIRTQUEUE_EMPTY);
	end(f);
}

/* Both indexes go round many times, and past 65535. */
static void test_round_and_round(void **state)
{
	struct fixture *f = begin();
	u32 written;

	(void)state;
	for (u16 i = 0; i < ENTRIES; i++)
		world_describe(&f->world, 0, i, WORLD_BUFFERS + i, 1u + i, 0, 0);
	for (u32 i = 0; i < 70000; i++) {
		u16 head = (u16)(i * 7 % ENTRIES);

		world_offer(&f->world, 0, head);
		assert_int_equal(take(f), VIRTQUEUE_CHAIN);
		assert_int_equal(f->chain.readable, 1 + head);
		give(f, f->chain.head, i);
		assert_int_equal(world_used(&f->world, 0, &written), head);
		assert_int_equal(written, i);
	}
	end(f);
}

static void test_no_interrupt(void **state)
{
	struct fixture *f = begin();
	u16 flags = 1;

	(void)state;
	world_describe(&f->world, 0, 0, WORLD_BUFFERS, 8, 0, 0);
	world_offer(&f->world, 0, 0);
	assert_int_equal(take(f), VIRTQUEUE_CHAIN);
	world_put(&f->world, WORLD_DRIVER(0), &flags, sizeof(flags));
	assert_int_equal(give(f, 0, 0), VIRTQUEUE_EMPTY);
	flags = 0;
	world_put(&f->world, WORLD_DRIVER(0), &flags, sizeof(flags));
	assert_int_equal(give(f, 0, 0), VIRTQUEUE_CHAIN);
	end(f);
}

/* One descriptor as it is wanted; the chain of it alone, or with a good one before. */
struct bad {
	const char *what;
	u64 pa;
	u32 size;
	u16 flags, next;
};

#define LAST_PAGE (WORLD_BASE + (WORLD_PAGES - 1) * PAGE_SIZE)
#define HOLE      (WORLD_BASE + 40 * PAGE_SIZE)

static const struct bad bad[] = {
	{"a loop of one", WORLD_BUFFERS, 8, D_NEXT, 1},
	{"a loop of two", WORLD_BUFFERS, 8, D_NEXT, 0},
	{"a next that is no entry", WORLD_BUFFERS, 8, D_NEXT, ENTRIES},
	{"a next far away", WORLD_BUFFERS, 8, D_NEXT, 0xffff},
	{"no bytes", WORLD_BUFFERS, 0, 0, 0},
	{"below the memory", WORLD_BASE - 1, 1, 0, 0},
	{"behind the memory", LAST_PAGE, 4097, 0, 0},
	{"into a hole", HOLE - 16, 32, 0, 0},
	{"over a hole", HOLE - 16, 2 * 4096, 0, 0},
	{"round the end of all addresses", ~(u64)0 - 10, 100, 0, 0},
	{"round to the memory", ~(u64)0 - 4095, 0xffffffff, 0, 0},
	{"4 GiB less one", WORLD_BUFFERS, 0xffffffff, 0, 0},
	{"more than a chain may have", WORLD_BUFFERS, VIRTQUEUE_CHAIN_BYTES - 8 + 1, 0, 0},
	{"indirect", WORLD_BUFFERS, 32, 4, 0},
	{"an unknown flag", WORLD_BUFFERS, 32, 0x8000, 0},
};

/* Nothing is taken: the same chain, repaired, is taken then. */
static void test_bad_descriptors(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fixture *f = begin();
		struct virtqueue before;

		free(f->world.page[40]);
		f->world.page[40] = NULL;
		world_describe(&f->world, 0, 0, WORLD_BUFFERS, 8, D_NEXT, 1);
		world_describe(&f->world, 0, 1, bad[i].pa, bad[i].size, bad[i].flags, bad[i].next);
		world_offer(&f->world, 0, 0);
		before = *f->q;
		if (take(f) != VIRTQUEUE_BROKEN)
			stop_test("%s is taken", bad[i].what);
		assert_memory_equal(f->q, &before, sizeof(before));
		world_describe(&f->world, 0, 1, WORLD_BUFFERS, 8, 0, 0);
		assert_int_equal(take(f), VIRTQUEUE_CHAIN);
		end(f);
	}
}

static void test_order_and_length(void **state)
{
	struct fixture *f = begin();

	(void)state;
	world_describe(&f->world, 0, 0, WORLD_BUFFERS, 8, D_NEXT | D_WRITE, 1);
	world_describe(&f->world, 0, 1, WORLD_BUFFERS, 8, 0, 0);
	world_offer(&f->world, 0, 0);
	assert_int_equal(take(f), VIRTQUEUE_BROKEN);
	end(f);

	f = begin();
	world_describe(&f->world, 0, 0, WORLD_BUFFERS, VIRTQUEUE_CHAIN_BYTES / 2, D_NEXT, 1);
	world_describe(&f->world, 0, 1, WORLD_BUFFERS, 8, 0, 0);
	world_offer(&f->world, 0, 0);
	assert_int_equal(take(f), VIRTQUEUE_CHAIN);
	end(f);
}

/* As long as a chain may be, and one more. */
static void test_parts(void **state)
{
	for (u16 more = 0; more < 2; more++) {
		struct fixture *f = begin();
		u16 last = (u16)(VIRTQUEUE_PARTS - 1 + more);

		(void)state;
		world_start(&f->world, VIRTIO_F_VERSION, 64);
		for (u16 i = 0; i <= last; i++)
			world_describe(&f->world, 0, i, WORLD_BUFFERS, 8, i < last ? D_NEXT : 0,
				       (u16)(i + 1));
		world_offer(&f->world, 0, 0);
		assert_int_equal(take(f), more ? VIRTQUEUE_BROKEN : VIRTQUEUE_CHAIN);
		end(f);
	}
}

static void test_available(void **state)
{
	struct fixture *f = begin();
	u16 idx = ENTRIES + 1, head = ENTRIES;

	(void)state;
	world_put(&f->world, WORLD_DRIVER(0) + 2, &idx, sizeof(idx));
	assert_int_equal(take(f), VIRTQUEUE_BROKEN);
	assert_true(virtqueue_has_more(f->q, &f->world.memory)); /* so that it is looked at */
	idx = 1;
	world_put(&f->world, WORLD_DRIVER(0) + 2, &idx, sizeof(idx));
	world_put(&f->world, WORLD_DRIVER(0) + 4, &head, sizeof(head));
	assert_int_equal(take(f), VIRTQUEUE_BROKEN);
	end(f);
}

static bool starts(struct fixture *f, u32 size, u64 descriptors, u64 driver, u64 device)
{
	*f->q = (struct virtqueue){
		.size = size, .descriptors = descriptors, .driver = driver, .device = device};
	return virtqueue_start(f->q, &f->world.memory) && f->q->ready;
}

static void test_start(void **state)
{
	struct fixture *f = begin();
	const u64 d = WORLD_DESCRIPTORS(0), r = WORLD_DRIVER(0), u = WORLD_DEVICE(0);

	(void)state;
	assert_true(starts(f, VIRTQUEUE_MOST, d, r, u));
	assert_true(starts(f, 1, d, r, u));
	assert_false(starts(f, 0, d, r, u));
	assert_false(starts(f, 24, d, r, u));
	assert_false(starts(f, 2 * VIRTQUEUE_MOST, d, r, u));
	assert_false(starts(f, ENTRIES, d + 8, r, u));
	assert_false(starts(f, ENTRIES, d, r + 1, u));
	assert_false(starts(f, ENTRIES, d, r, u + 2));
	assert_false(starts(f, ENTRIES, 0, r, u));
	assert_false(starts(f, ENTRIES, d, LAST_PAGE + 4096 - 4, u));
	assert_false(starts(f, ENTRIES, d, r, LAST_PAGE + 4096 - 4 - 8 * ENTRIES + 4));
	assert_true(starts(f, ENTRIES, d, r, LAST_PAGE + 4096 - 4 - 8 * ENTRIES));
	assert_false(starts(f, ENTRIES, ~(u64)15, r, u));
	assert_false(f->q->ready);
	assert_int_equal(take(f), VIRTQUEUE_BROKEN); /* it is not ready */
	assert_int_equal(give(f, 0, 0), VIRTQUEUE_BROKEN);
	end(f);
}

/* The driver may give pages of its rings away while the queue is in use. */
static void test_ring_goes(void **state)
{
	static const u32 pages[] = {0, 1, 2};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		struct fixture *f = begin();

		world_describe(&f->world, 0, 0, WORLD_BUFFERS, 8, 0, 0);
		world_offer(&f->world, 0, 0);
		free(f->world.page[pages[i]]);
		f->world.page[pages[i]] = NULL;
		if (pages[i] < 2)
			assert_int_equal(take(f), VIRTQUEUE_BROKEN);
		if (pages[i] > 0)
			assert_int_equal(give(f, 0, 0), VIRTQUEUE_BROKEN);
		end(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_round_and_round),
		cmocka_unit_test(test_no_interrupt),
		cmocka_unit_test(test_bad_descriptors),
		cmocka_unit_test(test_order_and_length),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_available),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_ring_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
