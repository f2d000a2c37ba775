// SPDX-License-Identifier: MIT
/*
 * The registers of virtio-mmio: each by itself, the order in which a driver
 * goes through them, and what it may not do.
 */
#include "tests/unit/check.h"
#include "tests/unit/virtio_world.h"

#define FEATURES (VIRTIO_F_VERSION | 0x25)
#define STARTED  (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)
#define RUNNING  (STARTED | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)

struct fixture {
	struct virtio_mmio device;
	struct world world;
};

static struct fixture *begin(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->device = (struct virtio_mmio){.id = 2,
					 .nr_queues = 2,
					 .features = FEATURES,
					 .config_size = 6,
					 .config = {1, 2, 3, 4, 5, 6}};
	virtio_mmio_reset(&f->device);
	world_init(&f->world, &f->device);
	return f;
}

static void end(struct fixture *f)
{
	world_end(&f->world);
	free(f);
}

static void test_identity(void **state)
{
	struct fixture *f = begin();
	struct world *w = &f->world;

	(void)state;
	assert_int_equal(world_read(w, VIRTIO_REG_MAGIC), 0x74726976);
	assert_int_equal(world_read(w, VIRTIO_REG_VERSION), 2);
	assert_int_equal(world_read(w, VIRTIO_REG_DEVICE_ID), 2);
	assert_int_equal(world_read(w, VIRTIO_REG_VENDOR), VIRTIO_VENDOR);
	assert_int_equal(world_read(w, VIRTIO_REG_FEATURES), 0x25);
	world_write(w, VIRTIO_REG_FEATURES_SELECT, 1);
	assert_int_equal(world_read(w, VIRTIO_REG_FEATURES), 1);
	world_write(w, VIRTIO_REG_FEATURES_SELECT, 2);
	assert_int_equal(world_read(w, VIRTIO_REG_FEATURES), 0);
	assert_int_equal(world_read(w, VIRTIO_REG_QUEUE_MOST), VIRTQUEUE_MOST);
	world_write(w, VIRTIO_REG_QUEUE_SELECT, 2);
	assert_int_equal(world_read(w, VIRTIO_REG_QUEUE_MOST), 0);
	assert_int_equal(world_read(w, VIRTIO_REG_GENERATION), 0);
	assert_int_equal(world_read(w, 0x0ec), 0);
	assert_int_equal(virtio_mmio_read(&f->device, VIRTIO_REG_MAGIC, 1), 0);
	end(f);
}

static void test_config(void **state)
{
	struct fixture *f = begin();
	const struct virtio_mmio *d = &f->device;

	(void)state;
	assert_int_equal(virtio_mmio_read(d, VIRTIO_REG_CONFIG, 1), 1);
	assert_int_equal(virtio_mmio_read(d, VIRTIO_REG_CONFIG + 1, 2), 0x0302);
	assert_int_equal(virtio_mmio_read(d, VIRTIO_REG_CONFIG, 4), 0x04030201);
	assert_int_equal(virtio_mmio_read(d, VIRTIO_REG_CONFIG + 4, 4), 0x0605);
	assert_int_equal(virtio_mmio_read(d, VIRTIO_REG_CONFIG + 6, 1), 0);
	assert_int_equal(virtio_mmio_read(d, 0xfff, 4), 0);
	world_write(&f->world, VIRTIO_REG_CONFIG, 99);
	assert_int_equal(virtio_mmio_read(d, VIRTIO_REG_CONFIG, 1), 1);
	end(f);
}

static void choose(struct world *w, u64 features)
{
	for (u32 i = 0; i < 2; i++) {
		world_write(w, VIRTIO_REG_DRIVER_FEATURES_SELECT, i);
		world_write(w, VIRTIO_REG_DRIVER_FEATURES, (u32)(features >> 32 * i));
	}
}

static bool features_ok(struct world *w, u64 features)
{
	world_write(w, VIRTIO_REG_STATUS, 0);
	world_write(w, VIRTIO_REG_STATUS, STARTED);
	choose(w, features);
	world_write(w, VIRTIO_REG_STATUS, STARTED | VIRTIO_FEATURES_OK);
	return (world_read(w, VIRTIO_REG_STATUS) & VIRTIO_FEATURES_OK) != 0;
}

static void test_features(void **state)
{
	struct fixture *f = begin();
	struct world *w = &f->world;

	(void)state;
	assert_true(features_ok(w, VIRTIO_F_VERSION));
	assert_true(features_ok(w, FEATURES));
	assert_false(features_ok(w, 0x25));                    /* a legacy driver */
	assert_false(features_ok(w, FEATURES | 2));            /* not offered */
	assert_false(features_ok(w, FEATURES | (u64)1 << 28)); /* indirect descriptors */
	assert_true(features_ok(w, VIRTIO_F_VERSION | 1));
	choose(w, FEATURES); /* too late */
	assert_true(f->device.driver_features == (VIRTIO_F_VERSION | 1));
	world_write(w, VIRTIO_REG_DRIVER_FEATURES_SELECT, 7);
	world_write(w, VIRTIO_REG_DRIVER_FEATURES, ~0u);
	assert_true(f->device.driver_features == (VIRTIO_F_VERSION | 1));
	end(f);
}

static void test_runs(void **state)
{
	struct fixture *f = begin();
	struct world *w = &f->world;

	(void)state;
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 0), VIRTIO_NOTHING);
	world_start(w, FEATURES, 32);
	assert_int_equal(world_read(w, VIRTIO_REG_STATUS), RUNNING);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 0), 0);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 1), 1);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 2), VIRTIO_NOTHING);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, ~0u), VIRTIO_NOTHING);
	assert_int_equal(virtio_mmio_write(&f->device, &w->memory, VIRTIO_REG_NOTIFY, 2, 0),
			 VIRTIO_NOTHING);
	world_write(w, VIRTIO_REG_STATUS, RUNNING | VIRTIO_FAILED);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 0), VIRTIO_NOTHING);
	world_write(w, VIRTIO_REG_STATUS, RUNNING & ~VIRTIO_DRIVER_OK);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 0), VIRTIO_NOTHING);
	world_write(w, VIRTIO_REG_STATUS, RUNNING);
	world_write(w, VIRTIO_REG_QUEUE_SELECT, 0);
	world_write(w, VIRTIO_REG_QUEUE_READY, 0);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 0), VIRTIO_NOTHING);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 1), 1);
	end(f);
}

/* A queue that is ready keeps its place; one that is none is nobody's. */
static void test_queue_registers(void **state)
{
	struct fixture *f = begin();
	struct world *w = &f->world;
	struct virtqueue before;

	(void)state;
	world_start(w, FEATURES, 32);
	before = f->device.queue[1];
	assert_int_equal(before.descriptors, WORLD_DESCRIPTORS(1));
	assert_int_equal(world_read(w, VIRTIO_REG_QUEUE_READY), 1);
	world_write(w, VIRTIO_REG_QUEUE_SIZE, 64);
	world_write(w, VIRTIO_REG_DESCRIPTORS, 0);
	world_write(w, VIRTIO_REG_DRIVER + 4, 1);
	world_write(w, VIRTIO_REG_DEVICE, 1);
	world_write(w, VIRTIO_REG_QUEUE_READY, 1);
	assert_memory_equal(&f->device.queue[1], &before, sizeof(before));
	world_write(w, VIRTIO_REG_QUEUE_SELECT, ~0u);
	world_write(w, VIRTIO_REG_QUEUE_SIZE, 64);
	world_write(w, VIRTIO_REG_QUEUE_READY, 1);
	assert_int_equal(world_read(w, VIRTIO_REG_QUEUE_READY), 0);
	assert_memory_equal(&f->device.queue[1], &before, sizeof(before));
	world_write(w, VIRTIO_REG_QUEUE_SELECT, 1);
	world_write(w, VIRTIO_REG_QUEUE_READY, 0);
	world_write(w, VIRTIO_REG_DRIVER + 4, 0x12);
	assert_true(f->device.queue[1].driver == ((u64)0x12 << 32 | WORLD_DRIVER(1)));
	end(f);
}

static void test_interrupt(void **state)
{
	struct fixture *f = begin();
	struct world *w = &f->world;
	struct virtqueue_chain chain;

	(void)state;
	world_start(w, FEATURES, 32);
	world_describe(w, 0, 0, WORLD_BUFFERS, 8, 0, 0);
	world_offer(w, 0, 0);
	assert_true(virtio_mmio_take(&f->device, &w->memory, 0, VIRTQUEUE_ALL, &chain));
	assert_false(virtio_mmio_line(&f->device));
	assert_true(virtio_mmio_give(&f->device, &w->memory, 0, chain.head, 0));
	assert_false(virtio_mmio_line(&f->device));
	virtio_mmio_interrupt(&f->device);
	assert_true(virtio_mmio_line(&f->device));
	assert_int_equal(world_read(w, VIRTIO_REG_INTERRUPT), VIRTIO_INTERRUPT_USED);
	world_write(w, VIRTIO_REG_INTERRUPT_ACK, VIRTIO_INTERRUPT_CONFIG);
	assert_true(virtio_mmio_line(&f->device));
	world_write(w, VIRTIO_REG_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED);
	assert_false(virtio_mmio_line(&f->device));
	assert_false(virtio_mmio_take(&f->device, &w->memory, 0, VIRTQUEUE_ALL, &chain));
	end(f);
}

/* NEEDS_RESET stays until there is one, and nothing runs meanwhile. */
static void test_broken(void **state)
{
	struct fixture *f = begin();
	struct world *w = &f->world;
	struct virtqueue_chain chain;

	(void)state;
	world_start(w, FEATURES, 32);
	world_describe(w, 0, 0, 0, 8, 0, 0);
	world_offer(w, 0, 0);
	assert_false(virtio_mmio_take(&f->device, &w->memory, 0, VIRTQUEUE_ALL, &chain));
	assert_int_equal(world_read(w, VIRTIO_REG_STATUS), RUNNING | VIRTIO_NEEDS_RESET);
	assert_int_equal(world_read(w, VIRTIO_REG_INTERRUPT), VIRTIO_INTERRUPT_CONFIG);
	assert_int_equal(f->device.faults, 1);
	world_write(w, VIRTIO_REG_STATUS, RUNNING);
	assert_int_equal(world_read(w, VIRTIO_REG_STATUS), RUNNING | VIRTIO_NEEDS_RESET);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 1), VIRTIO_NOTHING);
	virtio_mmio_break(&f->device);
	assert_int_equal(f->device.faults, 1);
	world_write(w, VIRTIO_REG_STATUS, 0);
	assert_int_equal(world_read(w, VIRTIO_REG_STATUS), 0);
	assert_false(virtio_mmio_line(&f->device));
	assert_false(f->device.queue[0].ready);
	world_start(w, FEATURES, 32);
	assert_int_equal(world_write(w, VIRTIO_REG_NOTIFY, 1), 1);
	end(f);
}

/* A queue that cannot be: told by the status, before anything runs. */
static void test_bad_queue(void **state)
{
	struct fixture *f = begin();

	(void)state;
	world_start(&f->world, FEATURES, 48);
	assert_int_equal(world_read(&f->world, VIRTIO_REG_STATUS), RUNNING | VIRTIO_NEEDS_RESET);
	assert_false(f->device.queue[0].ready);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),        cmocka_unit_test(test_config),
		cmocka_unit_test(test_features),        cmocka_unit_test(test_runs),
		cmocka_unit_test(test_queue_registers), cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_broken),          cmocka_unit_test(test_bad_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
