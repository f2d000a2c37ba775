// SPDX-License-Identifier: MIT
/*
 * Placement of the first guest: boots as GRUB does them, each failure, and
 * random machines that are mostly too tight, checked by the two verifiers of
 * moves.c.
 */
/* shows: I6 */
#include "tests/unit/check.h"

#include "domain/placement.h"
#include "tests/unit/moves.h"

static struct memmap machine, guest;
static struct placement plan;
static struct failure f;

static void add(struct memmap *map, u64 start, u64 end, u32 type)
{
	if (start < end)
		map->range[map->count++] =
			(struct vl_memory_range){.start = start, .size = end - start, .type = type};
}

static const struct range grub_image[] = {{MIB, MIB + 256 * KIB}, {0x8000, 0x9000}};

/* A BIOS machine of `mib` MiB with a 64 MiB partition on top, and Debian's kernel in it. */
static struct placement_request usual(u64 mib)
{
	struct range partition = {(mib - 66) * MIB, (mib - 2) * MIB};

	machine.count = guest.count = 0;
	add(&machine, 0, 0x9f000, VL_MEMORY_RAM);
	add(&machine, MIB, (mib - 1) * MIB, VL_MEMORY_RAM);
	add(&guest, 0, 0x9f000, VL_MEMORY_RESERVED);
	add(&guest, MIB, partition.start, VL_MEMORY_RAM);
	add(&guest, partition.start, (mib - 1) * MIB, VL_MEMORY_RESERVED);
	return (struct placement_request){
		.machine = &machine,
		.guest = &guest,
		.partition = partition,
		.kernel_start = 16 * MIB,
		.kernel_size = 44 * MIB,
		.kernel_align = 2 * MIB,
		.kernel_relocatable = true,
		.kernel_file = {2 * MIB, 10 * MIB},
		.initrd_file = {10 * MIB, 14 * MIB + 5},
		.initrd_addr_max = 0x7fffffff,
		.start_size = 256 * KIB,
		.busy = grub_image,
		.busy_count = 2,
	};
}

static void assert_good(const struct placement_request *req)
{
	const char *wrong;

	assert_works(placement_plan(req, &plan, &f), &f);
	wrong = moves_check(req, &plan);
	if (wrong)
		stop_test("%s", wrong);
}

static void nothing_moves_if_all_is_well(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	assert_good(&req);
	assert_int_equal(plan.move_count, 0);
	assert_int_equal(plan.kernel.start, 16 * MIB);
	assert_int_equal(plan.kernel.end, 60 * MIB);
	assert_int_equal(plan.staged.start, 2 * MIB);
	assert_int_equal(plan.initrd.start, 10 * MIB);
	assert_int_equal(plan.start.end, 446 * MIB);
	req.initrd_file = (struct range){0, 0};
	assert_good(&req);
	assert_int_equal(plan.move_count, 0);
	assert_int_equal(range_size(plan.initrd), 0);
}

static void initrd_under_the_kernel_moves_up(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.initrd_file = (struct range){10 * MIB, 40 * MIB};
	assert_good(&req);
	assert_int_equal(plan.move_count, 1);
	assert_int_equal(plan.initrd.end, plan.start.start);
	/* The same when it does not start at a page. */
	req.initrd_file = (struct range){10 * MIB + 8, 12 * MIB};
	assert_good(&req);
	assert_int_equal(plan.move_count, 1);
}

static void modules_in_the_partition(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.kernel_file = (struct range){450 * MIB, 458 * MIB};
	req.initrd_file = (struct range){440 * MIB, 450 * MIB};
	assert_good(&req);
	assert_int_equal(plan.move_count, 2);
	req.initrd_file = (struct range){100 * MIB, 200 * MIB};
	assert_good(&req);
	assert_int_equal(plan.move_count, 1);
}

static void initrd_below_its_limit(void **state)
{
	struct placement_request req = usual(3000);

	(void)state;
	req.initrd_file = (struct range){2040 * MIB, 2060 * MIB};
	assert_good(&req);
	assert_int_equal(plan.initrd.start, 2028 * MIB);
	req.initrd_addr_max = 100 * MIB - 1;
	assert_good(&req);
	assert_int_equal(plan.initrd.end, 100 * MIB);
	req.initrd_addr_max = ~(u64)0;
	assert_good(&req);
	assert_int_equal(plan.initrd.start, 2040 * MIB);
}

static void fixed_kernels(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.kernel_relocatable = false;
	req.kernel_start = 5 * MIB + 0x123;
	req.kernel_size = 0x4567;
	assert_good(&req);
	assert_int_equal(plan.kernel.start, 5 * MIB + 0x123);
	/* Over Vellum's old image is fine: that is no longer needed by then. */
	req.kernel_start = MIB;
	assert_good(&req);
	req.kernel_start = 446 * MIB - 0x4567;
	assert_good(&req);
	req.kernel_start++;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "kernel does not fit");
	req.kernel_start = 0x1000;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "from 0x1000 exactly");
	req.kernel_start = ~0ull - 0x100;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "kernel does not fit");
}

static void kernels_that_do_not_fit(void **state)
{
	struct placement_request req = usual(128);

	(void)state;
	req.kernel_size = 47 * MIB;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f,
		     "needs 48128 KiB of RAM from 0x1000000 on and the guest's main RAM is "
		     "0x100000 to 0x3e00000");
	req.kernel_size = ~0ull;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "kernel does not fit");
	req.kernel_size = MIB;
	req.kernel_start = ~0ull - 5;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "kernel does not fit");
}

static void initrds_that_do_not_fit(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.initrd_file = (struct range){11 * MIB, 400 * MIB};
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f,
		     "The initrd does not fit: it needs 398336 KiB in one piece below 0x1be00000");
	assert_non_null(strstr(f.text, "and 395264 are free"));
	req.initrd_file = (struct range){20 * MIB, 36 * MIB};
	req.initrd_addr_max = 0xfff;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "0 are free");
}

static void start_areas_that_do_not_fit(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.start_size = 400 * MIB;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "start area does not fit");
	req.start_size = ~0ull;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "start area does not fit");
}

/* What can stay stays: the places that are free to choose are chosen around the modules. */
static void places_avoid_the_modules(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.kernel_file = (struct range){438 * MIB, 446 * MIB};
	req.initrd_file = (struct range){428 * MIB, 438 * MIB};
	assert_good(&req);
	assert_int_equal(plan.move_count, 0);
	assert_int_equal(plan.start.end, 428 * MIB);
	req.initrd_file = (struct range){20 * MIB, 30 * MIB};
	assert_good(&req);
	assert_int_equal(plan.move_count, 1);
	assert_int_equal(plan.start.end, 438 * MIB);
	assert_int_equal(plan.initrd.end, plan.start.start);
}

/* Gaps that are just large enough, with a kernel in the middle of 446 - 1 MiB. */
static void exact_fits(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.kernel_size = 430 * MIB; /* up to the partition: left is 1 MiB to 16 MiB */
	req.busy_count = 0;
	req.kernel_file = (struct range){0x1000, 0x9000};
	req.initrd_file = (struct range){20 * MIB, 34 * MIB};
	req.start_size = MIB;
	assert_good(&req);
	assert_int_equal(plan.start.start, 15 * MIB);
	assert_int_equal(plan.initrd.start, MIB);
	req.start_size = MIB + 1;
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f,
		     "needs 14336 KiB in one piece below 0x1be00000 and 14332 are free");
	/* The kernel's file has to share that space too, and cannot. */
	req.start_size = MIB;
	req.kernel_file = (struct range){40 * MIB, 40 * MIB + 1};
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f, "its file");
	req.initrd_file = (struct range){20 * MIB, 34 * MIB - 4096};
	assert_good(&req);
	assert_int_equal(plan.staged.start, MIB);
}

static void as_many_busy_ranges_as_allowed(void **state)
{
	struct placement_request req = usual(512);
	struct range busy[PLACEMENT_MAX_BUSY] = {{0, 0}};

	(void)state;
	for (u32 i = 0; i < PLACEMENT_MAX_BUSY; i++)
		busy[i] = (struct range){(446 - 2 * i) * MIB - 4096, (446 - 2 * i) * MIB};
	req.busy = busy;
	req.busy_count = PLACEMENT_MAX_BUSY;
	req.kernel_file = (struct range){450 * MIB, 450 * MIB + 3 * MIB};
	req.initrd_file = (struct range){460 * MIB, 463 * MIB};
	assert_good(&req);
	assert_int_equal(plan.initrd.end, busy[PLACEMENT_MAX_BUSY - 1].start);
}

static void no_room_for_the_file(void **state)
{
	struct placement_request req = usual(128);

	(void)state;
	/* 62 MiB in all: the kernel takes 46 of the 61, its file of 20 must leave the place. */
	req.kernel_size = 46 * MIB;
	req.start_size = 4096;
	req.kernel_start = MIB;
	req.kernel_align = MIB;
	req.kernel_file = (struct range){20 * MIB, 40 * MIB};
	req.initrd_file = (struct range){0, 0};
	assert_fails(placement_plan(&req, &plan, &f), VL_ENOMEM, &f,
		     "its file of 20480 KiB does not fit");
}

static void impossible_modules(void **state)
{
	struct placement_request req = usual(512);

	(void)state;
	req.kernel_file = (struct range){2 * MIB, 2 * MIB};
	assert_fails(placement_plan(&req, &plan, &f), VL_EINVAL, &f, "There is no kernel");
	req.kernel_file = (struct range){MIB - 5, 2 * MIB};
	assert_fails(placement_plan(&req, &plan, &f), VL_EINVAL, &f, "where the memory map has no");
	req.kernel_file = (struct range){9 * MIB, 10 * MIB + 1};
	assert_fails(placement_plan(&req, &plan, &f), VL_EINVAL, &f, "over each other");
	req.kernel_file = (struct range){MIB + 1, 2 * MIB};
	assert_fails(placement_plan(&req, &plan, &f), VL_EINVAL, &f, "over Vellum itself");
	req = usual(512);
	req.initrd_file = (struct range){0x7000, 0x8001};
	assert_fails(placement_plan(&req, &plan, &f), VL_EINVAL, &f, "initrd (0x7000 to 0x8001)");
	req = usual(512);
	req.busy_count = PLACEMENT_MAX_BUSY + 1;
	assert_fails(placement_plan(&req, &plan, &f), VL_EINVAL, &f, "9 busy ranges");
}

/* --- random small machines, see moves.h for the model --- */

static struct range random_range(struct rng *rng, u64 start, u64 end, u64 align, u64 most)
{
	u32 slots = (u32)((end - start) / align);
	u32 from = rng_below(rng, slots);
	u32 most_slots = (u32)min_u64(most / align, slots - from);
	u64 at = start + from * align;

	return (struct range){at, at + (1 + rng_below(rng, most_slots)) * align};
}

struct world {
	struct placement_request req;
	struct range busy[PLACEMENT_MAX_BUSY];
	u64 unused;
};

/* A low piece of RAM, the guest's range, the partition, perhaps RAM above it. */
static void random_world(struct rng *rng, struct world *w)
{
	struct placement_request *q = &w->req;
	u64 pages = 8 + rng_below(rng, 64);
	u64 top = MIB + pages * PAGE_SIZE;
	u64 end = top + (1 + rng_below(rng, 24)) * PAGE_SIZE;
	u64 most = (1 + rng_below(rng, (u32)pages / 2)) * PAGE_SIZE;

	machine.count = guest.count = 0;
	add(&machine, MODEL_START, MODEL_START + rng_below(rng, 9) * PAGE_SIZE, VL_MEMORY_RAM);
	add(&machine, MIB, end, VL_MEMORY_RAM);
	add(&guest, MIB, top, VL_MEMORY_RAM);
	add(&guest, top, end, VL_MEMORY_RESERVED);
	*q = (struct placement_request){.machine = &machine, .guest = &guest, .busy = w->busy};
	q->partition = (struct range){
		top, top + (1 + rng_below(rng, (u32)((end - top) / PAGE_SIZE))) * PAGE_SIZE};
	q->kernel_relocatable = rng_below(rng, 2);
	q->kernel_align = PAGE_SIZE << rng_below(rng, 3);
	q->kernel_start = q->kernel_relocatable ? rng_below(rng, (u32)top) & ~511u
						: random_range(rng, MIB, top, 512, most).start;
	q->kernel_size = range_size(random_range(rng, MIB, top, 512, most));
	q->start_size = 512 * (1 + rng_below(rng, 24));
	q->initrd_addr_max = rng_below(rng, 3) ? ~(u64)0 : MIB + rng_below(rng, (u32)(end - MIB));
	q->kernel_file = random_range(rng, MODEL_START, end, 512, most);
	if (rng_below(rng, 6))
		q->initrd_file =
			random_range(rng, MODEL_START, end, rng_below(rng, 2) ? 512 : 4096, most);
	q->busy_count = rng_below(rng, 4);
	for (u32 i = 0; i < q->busy_count; i++)
		w->busy[i] = random_range(rng, MODEL_START, end, 512, 16384);
}

static bool is_used(const struct world *w, u64 at)
{
	const struct placement_request *q = &w->req;
	struct range r = {at, at + PAGE_SIZE};

	for (u32 i = 0; i < q->busy_count; i++)
		if (range_overlaps(r, w->busy[i]))
			return true;
	return range_overlaps(r, q->kernel_file) || range_overlaps(r, plan.kernel) ||
	       (range_size(q->initrd_file) > 0 && range_overlaps(r, q->initrd_file));
}

/* Whether one gap, free of everything, could take all that may have to move: then no plan may fail.
 */
static bool has_ample_gap(const struct world *w)
{
	const struct placement_request *q = &w->req;
	u64 wanted = round_up(q->start_size, PAGE_SIZE) + range_size(q->kernel_file) +
		     range_size(q->initrd_file) + 3 * PAGE_SIZE;
	struct range main = memmap_main_range(&guest);
	u64 end = q->initrd_addr_max < main.end ? q->initrd_addr_max + 1 : main.end;
	u64 run = 0;

	for (u64 at = main.start; at + PAGE_SIZE <= end; at += PAGE_SIZE) {
		run = is_used(w, at) ? 0 : run + PAGE_SIZE;
		if (run >= wanted)
			return true;
	}
	return false;
}

static void random_placements(void **state)
{
	struct rng rng = {99};
	u32 cases = random_cases(1000000);
	u32 moves[PLACEMENT_MAX_MOVES + 1] = {0};
	struct world w;

	(void)state;
	for (u32 n = 0; n < cases; n++) {
		const char *wrong;
		int err;

		random_world(&rng, &w);
		err = placement_plan(&w.req, &plan, &f);
		if (err == -VL_ENOMEM && range_size(plan.kernel) > 0 && has_ample_gap(&w))
			stop_test("case %u has ample room: %s", n, f.text);
		if (err)
			continue;
		wrong = moves_check(&w.req, &plan);
		if (!wrong)
			wrong = moves_simulate(&w.req, &plan);
		if (wrong)
			stop_test("case %u: %s", n, wrong);
		moves[plan.move_count]++;
	}
	/* The cases reach every way to order the moves. */
	for (u32 k = 0; k <= PLACEMENT_MAX_MOVES; k++)
		if (moves[k] < cases / 20000)
			stop_test("only %u of %u cases had %u moves", moves[k], cases, k);
	print_message("moves 0: %u, 1: %u, 2: %u, 3: %u of %u\n", moves[0], moves[1], moves[2],
		      moves[3], cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_moves_if_all_is_well),
		cmocka_unit_test(initrd_under_the_kernel_moves_up),
		cmocka_unit_test(modules_in_the_partition),
		cmocka_unit_test(initrd_below_its_limit),
		cmocka_unit_test(fixed_kernels),
		cmocka_unit_test(kernels_that_do_not_fit),
		cmocka_unit_test(initrds_that_do_not_fit),
		cmocka_unit_test(start_areas_that_do_not_fit),
		cmocka_unit_test(places_avoid_the_modules),
		cmocka_unit_test(exact_fits),
		cmocka_unit_test(as_many_busy_ranges_as_allowed),
		cmocka_unit_test(no_room_for_the_file),
		cmocka_unit_test(impossible_modules),
		cmocka_unit_test(random_placements),
	};

	return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
