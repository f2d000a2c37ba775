// SPDX-License-Identifier: MIT
/*
 * Memory maps: machines as they are, then random ones against a naive model.
 * The model of memmap_normalize() is an array of types, one per quarter page,
 * so that it knows nothing of ranges; the model of the rest is an array of
 * types, one per MiB, around 0 and below 4 GiB.
 */
/* shows: M10 I6 */
#include "tests/unit/check.h"

#include "mem/memmap.h"

static struct memmap machine, guest;
static struct failure f;

#define R VL_MEMORY_RAM
#define X VL_MEMORY_RESERVED

static struct vl_memory_range range(u64 start, u64 end, u32 type)
{
	return (struct vl_memory_range){.start = start, .size = end - start, .type = type};
}

static void assert_map(const struct memmap *map, const struct vl_memory_range *want, u32 count)
{
	assert_int_equal(map->count, count);
	for (u32 i = 0; i < count; i++) {
		assert_int_equal(map->range[i].start, want[i].start);
		assert_int_equal(map->range[i].size, want[i].size);
		assert_int_equal(map->range[i].type, want[i].type);
		assert_int_equal(map->range[i].reserved, 0);
	}
}

#define ASSERT_MAP(map, ...)                                                                       \
	do {                                                                                       \
		const struct vl_memory_range want_[] = {__VA_ARGS__};                              \
		assert_map(map, want_, ARRAY_SIZE(want_));                                         \
	} while (0)

static void normalize(const struct vl_memory_range *raw, u32 count)
{
	memset(&machine, 0x55, sizeof(machine));
	assert_works(memmap_normalize(raw, count, &machine, &f), &f);
}

#define NORMALIZE(...)                                                                             \
	do {                                                                                       \
		const struct vl_memory_range raw_[] = {__VA_ARGS__};                               \
		normalize(raw_, ARRAY_SIZE(raw_));                                                 \
	} while (0)

/* What QEMU's SeaBIOS reports for `mib` MiB. */
static void qemu_machine(u64 mib)
{
	u64 low_top = min_u64(mib, 3072) * MIB;
	u64 high = mib > 3072 ? (mib - 3072) * MIB : 0;

	NORMALIZE(range(0, 0x9fc00, R), range(0x9fc00, 0xa0000, X), range(0xf0000, 0x100000, X),
		  range(0x100000, low_top - 0x20000, R), range(low_top - 0x20000, low_top, X),
		  range(0xfffc0000, 0x100000000, X), range(4 * GIB, 4 * GIB + high, R));
}

static void normalize_a_bios_map(void **state)
{
	(void)state;
	qemu_machine(128);
	ASSERT_MAP(&machine, range(0, 0x9f000, R), range(0x9f000, 0xa0000, X),
		   range(0xf0000, 0x100000, X), range(0x100000, 0x7fe0000, R),
		   range(0x7fe0000, 0x8000000, X), range(0xfffc0000, 0x100000000, X));
	assert_int_equal(memmap_ram_total(&machine), 0x9f000 + 0x7ee0000);
	assert_int_equal(memmap_mapped_end(&machine), 0x7fe0000);
}

static void normalize_joins_and_cuts(void **state)
{
	(void)state;
	/* Unsorted neighbours; a page across two RAM ranges stays; empty ones vanish. */
	NORMALIZE(range(0x3000, 0x5000, R), range(0x9000, 0x9000, X), range(0x1000, 0x2800, R),
		  range(0x2800, 0x3000, R));
	ASSERT_MAP(&machine, range(0x1000, 0x5000, R));
	/* Trimmed to nothing. */
	NORMALIZE(range(0x1001, 0x2fff, R), range(0x8fff, 0x9001, 4));
	ASSERT_MAP(&machine, range(0x8000, 0xa000, 4));
	/* Overlaps: the more restrictive wins, RAM on both sides stays. */
	NORMALIZE(range(0, 0x10000, R), range(0x4800, 0x5000, 3), range(0x4000, 0x4801, 77),
		  range(0xf000, 0x11000, 5));
	ASSERT_MAP(&machine, range(0, 0x4000, R), range(0x4000, 0x5000, X),
		   range(0x5000, 0xf000, R), range(0xf000, 0x11000, 5));
	NORMALIZE(range(0, 0x4000, R), range(0, 0x3000, 3), range(0, 0x2000, 4),
		  range(0, 0x1000, 5), range(0, 0x2000, 2));
	ASSERT_MAP(&machine, range(0, 0x1000, 5), range(0x1000, 0x2000, X),
		   range(0x2000, 0x3000, 3), range(0x3000, 0x4000, R));
}

static void normalize_impossible_addresses(void **state)
{
	(void)state;
	NORMALIZE({.start = 0x1000, .size = ~0ull, .type = R},
		  {.start = ~0ull, .size = ~0ull, .type = X},
		  {.start = 1ull << 52, .size = 0x1000, .type = R});
	ASSERT_MAP(&machine, range(0x1000, 1ull << 52, R));
	NORMALIZE({.start = 0, .size = ~0ull, .type = 9});
	ASSERT_MAP(&machine, range(0, 1ull << 52, X));
	NORMALIZE({.start = (1ull << 52) - 1, .size = 5, .type = 0});
	ASSERT_MAP(&machine, range((1ull << 52) - 0x1000, 1ull << 52, X));
	normalize(NULL, 0);
	assert_int_equal(machine.count, 0);
	assert_int_equal(memmap_mapped_end(&machine), 0);
}

static void mapped_end_is_below_devices(void **state)
{
	(void)state;
	/* Reserved ranges of real machines: at 1 TiB, and at 63 TiB. */
	NORMALIZE(range(0x100000, 0x8000000, R), range(0x8000000, 0x8100000, 3),
		  range(0xfd00000000, 0x10000000000, X), range(0x3f0000000000, 0x3f0010000000, X));
	assert_int_equal(memmap_mapped_end(&machine), 0x8100000);
	NORMALIZE(range(0xfd00000000, 0x10000000000, X));
	assert_int_equal(memmap_mapped_end(&machine), 0);
}

static void normalize_many_ranges(void **state)
{
	static struct vl_memory_range raw[MEMMAP_MAX + 1];

	(void)state;
	for (u32 i = 0; i <= MEMMAP_MAX; i++)
		raw[i] = range(0x2000 * (u64)i, 0x2000 * (u64)i + 0x1000, R);
	normalize(raw, MEMMAP_MAX);
	assert_int_equal(machine.count, MEMMAP_MAX);
	assert_fails(memmap_normalize(raw, MEMMAP_MAX + 1, &machine, &f), VL_E2BIG, &f, "544");
}

static void partition_on_usual_machines(void **state)
{
	static const struct {
		u64 mib, size, start;
	} cases[] = {
		{64, 16, 46},     {128, 64, 62},    {256, 64, 190},   {512, 64, 446},
		{2048, 64, 1982}, {3584, 64, 3006}, {6144, 64, 3006}, {6144, 1024, 2046},
	};
	struct range p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		qemu_machine(cases[i].mib);
		assert_works(memmap_choose_partition(&machine, cases[i].size * MIB, &p, &f), &f);
		assert_int_equal(p.start, cases[i].start * MIB);
		assert_int_equal(p.end, (cases[i].start + cases[i].size) * MIB);
	}
	/* Sizes are rounded up to what large pages can map. */
	assert_works(memmap_choose_partition(&machine, 16 * MIB + 1, &p, &f), &f);
	assert_int_equal(range_size(p), 18 * MIB);
}

static void too_little_ram(void **state)
{
	static const u64 sizes[] = {0, 64 * MIB, 4 * GIB, 4 * GIB + 1, ~0ull};
	struct range p = {1, 2};

	(void)state;
	qemu_machine(64);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_fails(memmap_choose_partition(&machine, sizes[i], &p, &f), VL_ENOMEM, &f,
			     "has 62 MiB; give the machine more RAM");
		assert_int_equal(p.end, 0);
	}
	qemu_machine(32);
	assert_fails(memmap_choose_partition(&machine, 16 * MIB, &p, &f), VL_ENOMEM, &f, "30 MiB");
	normalize(NULL, 0);
	assert_fails(memmap_choose_partition(&machine, 16 * MIB, &p, &f), VL_ENOMEM, &f, "0 MiB");
	/* RAM only above 4 GiB or only below 1 MiB does not count. */
	NORMALIZE(range(0, 0xa0000, R), range(4 * GIB, 8 * GIB, R));
	assert_fails(memmap_choose_partition(&machine, 16 * MIB, &p, &f), VL_ENOMEM, &f, "0 MiB");
}

static void partition_skips_ranges_that_do_not_do(void **state)
{
	struct range p;

	(void)state;
	/* The top one is too small, the next would leave no guest, the third does. */
	NORMALIZE(range(1 * MIB, 9 * MIB, R), range(16 * MIB, 48 * MIB, R),
		  range(64 * MIB, 72 * MIB, R));
	assert_works(memmap_choose_partition(&machine, 16 * MIB, &p, &f), &f);
	assert_int_equal(p.start, 32 * MIB);
	NORMALIZE(range(1 * MIB, 16 * MIB, R), range(32 * MIB, 80 * MIB, R),
		  range(128 * MIB, 140 * MIB, R));
	assert_works(memmap_choose_partition(&machine, 32 * MIB, &p, &f), &f);
	assert_int_equal(p.start, 48 * MIB);
	/* A range across 4 GiB counts up to there. */
	NORMALIZE(range(1 * GIB, 6 * GIB, R));
	assert_works(memmap_choose_partition(&machine, 64 * MIB, &p, &f), &f);
	assert_int_equal(p.end, 4 * GIB);
}

static void guest_on_usual_machines(void **state)
{
	static const u64 mib[] = {64, 256, 512, 2048, 3584, 6144};
	struct range p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mib); i++) {
		qemu_machine(mib[i]);
		assert_works(memmap_choose_partition(&machine, 16 * MIB, &p, &f), &f);
		for (int mode = MEM_CONTIGUOUS; mode <= MEM_ALL; mode++) {
			assert_works(
				memmap_for_guest(&machine, p, (enum memory_mode)mode, &guest, &f),
				&f);
			assert_works(
				memmap_check_guest(&guest, &machine, p, (enum memory_mode)mode, &f),
				&f);
			assert_int_equal(memmap_main_range(&guest).start, MIB);
			assert_int_equal(memmap_main_range(&guest).end, p.start);
			assert_false(memmap_is_ram(&guest, (struct range){p.start, p.start + 1}));
			assert_true(memmap_is_ram(&guest, memmap_main_range(&guest)));
		}
		assert_int_equal(memmap_ram_total(&guest),
				 memmap_ram_total(&machine) - range_size(p));
	}
}

static void guest_map_in_full(void **state)
{
	struct range p = {48 * MIB, 64 * MIB};

	(void)state;
	NORMALIZE(range(0, 0xa0000, R), range(0xf0000, 0x100000, X), range(0x100000, 65 * MIB, R),
		  range(65 * MIB, 66 * MIB, 3), range(4 * GIB, 5 * GIB, R));
	assert_works(memmap_for_guest(&machine, p, MEM_CONTIGUOUS, &guest, &f), &f);
	ASSERT_MAP(&guest, range(0, 0xa0000, X), range(0xf0000, 0x100000, X),
		   range(0x100000, 48 * MIB, R), range(48 * MIB, 65 * MIB, X),
		   range(65 * MIB, 66 * MIB, 3), range(4 * GIB, 5 * GIB, X));
	assert_works(memmap_for_guest(&machine, p, MEM_WITH_LOW, &guest, &f), &f);
	ASSERT_MAP(&guest, range(0, 0xa0000, R), range(0xf0000, 0x100000, X),
		   range(0x100000, 48 * MIB, R), range(48 * MIB, 65 * MIB, X),
		   range(65 * MIB, 66 * MIB, 3), range(4 * GIB, 5 * GIB, X));
	assert_works(memmap_for_guest(&machine, p, MEM_ALL, &guest, &f), &f);
	ASSERT_MAP(&guest, range(0, 0xa0000, R), range(0xf0000, 0x100000, X),
		   range(0x100000, 48 * MIB, R), range(48 * MIB, 64 * MIB, X),
		   range(64 * MIB, 65 * MIB, R), range(65 * MIB, 66 * MIB, 3),
		   range(4 * GIB, 5 * GIB, R));
	/* RAM that runs through 1 MiB is shown from there on. */
	NORMALIZE(range(0, 64 * MIB, R));
	assert_works(memmap_for_guest(&machine, p, MEM_CONTIGUOUS, &guest, &f), &f);
	ASSERT_MAP(&guest, range(0, MIB, X), range(MIB, 48 * MIB, R), range(48 * MIB, 64 * MIB, X));
	assert_works(memmap_for_guest(&machine, p, MEM_WITH_LOW, &guest, &f), &f);
	ASSERT_MAP(&guest, range(0, 48 * MIB, R), range(48 * MIB, 64 * MIB, X));
	assert_works(memmap_check_guest(&guest, &machine, p, MEM_WITH_LOW, &f), &f);
	assert_fails(
		memmap_for_guest(&machine, (struct range){2 * MIB, 64 * MIB}, MEM_ALL, &guest, &f),
		VL_ENOMEM, &f, "would get 1 MiB");
}

static void is_ram(void **state)
{
	(void)state;
	NORMALIZE(range(0x1000, 0x3000, R), range(0x3000, 0x4000, X), range(0x4000, 0x5000, R));
	assert_true(memmap_is_ram(&machine, (struct range){0x1000, 0x3000}));
	assert_true(memmap_is_ram(&machine, (struct range){0x2fff, 0x3000}));
	assert_false(memmap_is_ram(&machine, (struct range){0x2fff, 0x3001}));
	assert_false(memmap_is_ram(&machine, (struct range){0xfff, 0x1001}));
	assert_false(memmap_is_ram(&machine, (struct range){0x1000, 0x1000}));
	assert_false(memmap_is_ram(&machine, (struct range){0x2000, 0x1000}));
	assert_false(memmap_is_ram(&machine, (struct range){0x1000, 0x5000}));
	assert_false(memmap_is_ram(&machine, (struct range){0x9000, 0xa000}));
	/* What lies behind the last range is not part of the map. */
	machine.range[3] = range(0x9000, 0xa000, R);
	assert_false(memmap_is_ram(&machine, (struct range){0x9000, 0xa000}));
	assert_int_equal(memmap_ram_total(&machine), 0x3000);
}

static int recheck(struct range p, enum memory_mode mode)
{
	return memmap_check_guest(&guest, &machine, p, mode, &f);
}

/* The verifier must find every single lie. */
static void check_finds_lies(void **state)
{
	struct range p = {48 * MIB, 64 * MIB};
	struct memmap good;

	(void)state;
	NORMALIZE(range(0, 0xa0000, R), range(0x100000, 65 * MIB, R), range(65 * MIB, 66 * MIB, 3));
	assert_works(memmap_for_guest(&machine, p, MEM_CONTIGUOUS, &guest, &f), &f);
	good = guest;
	assert_works(recheck(p, MEM_CONTIGUOUS), &f);
	assert_int_equal(guest.count, 4);
	for (u32 i = 0; i < 4; i++) {
		for (u32 type = 0; type < 8; type++) {
			guest = good;
			guest.range[i].type = type;
			/* Hidden low RAM may be shown or not; but not as a second piece. */
			assert_int_equal(recheck(p, MEM_CONTIGUOUS) == 0,
					 type == good.range[i].type);
		}
		for (int k = 0; k < 4; k++) {
			guest = good;
			guest.range[i].start += k == 0 ? 0x1000 : k == 1 ? (u64)-0x1000 : 0;
			guest.range[i].size += k == 2 ? 0x1000 : k == 3 ? (u64)-0x1000 : 0;
			assert_true(recheck(p, MEM_CONTIGUOUS) < 0);
		}
		guest = good;
		guest.range[i].size += 1;
		assert_fails(recheck(p, MEM_CONTIGUOUS), VL_EINVAL, &f, "malformed");
		guest = good;
		guest.range[i].size = 0;
		assert_fails(recheck(p, MEM_CONTIGUOUS), VL_EINVAL, &f, "malformed");
		guest = good;
		guest.count = i;
		assert_true(recheck(p, MEM_CONTIGUOUS) < 0);
	}
	guest = good;
	assert_fails(recheck(p, MEM_ALL), VL_EINVAL, &f, "says type 2 at 0x0");
	assert_fails(recheck(p, MEM_WITH_LOW), VL_EINVAL, &f, "says type 2 at 0x0");
	guest.range[0].type = R;
	assert_works(recheck(p, MEM_WITH_LOW), &f);
	assert_fails(recheck(p, MEM_CONTIGUOUS), VL_EINVAL, &f, "not one range");
	guest.count = MEMMAP_MAX + 1;
	assert_fails(recheck(p, MEM_CONTIGUOUS), VL_EINVAL, &f, "claims 545");
	guest = good;
	assert_true(recheck((struct range){47 * MIB, 64 * MIB}, MEM_CONTIGUOUS) < 0);
	assert_true(recheck((struct range){64 * MIB, 66 * MIB}, MEM_CONTIGUOUS) < 0);
}

/* Addresses that no machine has, and RAM in one piece but in the wrong place. */
static void check_knows_the_bounds(void **state)
{
	static const struct vl_memory_range odd[] = {
		{1ull << 52, 0x1000, X, 0},
		{(1ull << 52) - 0x1000, 0x2000, X, 0},
		{0x1000, 1ull << 52, X, 0},
		{0x1000, (u64)-0x1000, X, 0},
	};
	static const struct range bad[] = {{0, 64 * MIB}, {GIB, 5 * GIB}, {4 * GIB, 5 * GIB}};
	struct range none = {0, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		machine.count = guest.count = 1;
		machine.range[0] = guest.range[0] = odd[i];
		assert_fails(recheck(none, MEM_ALL), VL_EINVAL, &f, "malformed");
	}
	machine.range[0] = guest.range[0] = range((1ull << 52) - 0x1000, 1ull << 52, X);
	assert_works(recheck(none, MEM_ALL), &f);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		machine.range[0] = guest.range[0] = range(bad[i].start, bad[i].end, R);
		assert_works(recheck(none, MEM_ALL), &f);
		assert_fails(recheck(none, MEM_CONTIGUOUS), VL_EINVAL, &f, "not one range");
		assert_int_equal(recheck(none, MEM_WITH_LOW) == 0, i == 0);
	}
	machine.range[0] = guest.range[0] = range(MIB, 4 * GIB, R);
	assert_works(recheck(none, MEM_CONTIGUOUS), &f);
	machine.count = guest.count = 0;
	assert_fails(recheck(none, MEM_CONTIGUOUS), VL_EINVAL, &f, "but 0");
}

/* --- random maps against a model that knows no ranges --- */

#define QUARTERS 128
#define QUARTER  1024

static u32 rank(u32 type)
{
	static const u32 ranks[] = {4, 1, 4, 2, 3, 5, 4, 4};

	return ranks[type & 7];
}

/* types[] holds the most restrictive type of each quarter page; returns that of a whole page. */
static u32 model_page(const u32 *types)
{
	u32 worst = 0;
	bool all = true;

	for (u32 q = 0; q < 4; q++) {
		all = all && types[q] != 0;
		if (types[q] != 0 && types[q] != R && (worst == 0 || rank(types[q]) > rank(worst)))
			worst = types[q];
	}
	if (worst != 0)
		return rank(worst) == 4 ? X : worst;
	return all ? R : 0;
}

static void assert_well_formed(const struct memmap *map)
{
	for (u32 i = 0; i < map->count; i++) {
		const struct vl_memory_range *r = &map->range[i];

		assert_true(r->size > 0 && r->start % PAGE_SIZE == 0 && r->size % PAGE_SIZE == 0);
		if (i > 0) {
			u64 end = r[-1].start + r[-1].size;

			assert_true(end < r->start || (end == r->start && r[-1].type != r->type));
		}
	}
}

static u32 map_type(const struct memmap *map, u64 pos)
{
	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].start <= pos && pos < map->range[i].start + map->range[i].size)
			return map->range[i].type;
	return 0;
}

static void random_normalize(void **state)
{
	struct rng rng = {42};
	u32 cases = random_cases(200000);

	(void)state;
	for (u32 n = 0; n < cases; n++) {
		u32 types[QUARTERS] = {0};
		struct vl_memory_range raw[12];
		u64 base = rng_below(&rng, 2) ? 0 : MEMMAP_ADDRESS_END - QUARTERS * QUARTER;
		u32 count = rng_below(&rng, 13);

		for (u32 i = 0; i < count; i++) {
			u32 from = rng_below(&rng, QUARTERS);
			u32 to = from + rng_below(&rng, QUARTERS - from + 1);
			u32 type = rng_below(&rng, 2) ? R : rng_below(&rng, 8);

			raw[i] = range(base + from * QUARTER, base + to * QUARTER, type);
			for (u32 q = from; q < to; q++)
				if (types[q] == 0 || rank(type) > rank(types[q]))
					types[q] = type ? type : X;
		}
		normalize(raw, count);
		assert_well_formed(&machine);
		for (u32 page = 0; page < QUARTERS / 4; page++)
			assert_int_equal(map_type(&machine, base + page * PAGE_SIZE),
					 model_page(&types[4 * page]));
	}
}

/* A machine of UNITS pieces of 1 MiB: the lower half from 0 on, the upper half below 4 GiB + 8 MiB.
 */
#define UNITS 160

static u64 unit_address(u32 unit)
{
	return unit < UNITS / 2 ? unit * MIB : 4 * GIB + (8 + unit - (u64)UNITS) * MIB;
}

static void random_machine(struct rng *rng, u32 *types)
{
	struct vl_memory_range raw[10];
	u32 count = 1 + rng_below(rng, 10);

	memset(types, 0, UNITS * sizeof(*types));
	for (u32 i = 0; i < count; i++) {
		u32 from = rng_below(rng, UNITS);
		u32 end = from < UNITS / 2 ? UNITS / 2 : UNITS;
		u32 to = from + 1 + rng_below(rng, min_u64(i < 3 ? 80 : 6, end - from) & 0xff);
		u32 type = i < 3 ? R : 1 + rng_below(rng, 5);

		raw[i] = range(unit_address(from), unit_address(to - 1) + MIB, type);
		for (u32 u = from; u < to; u++)
			if (types[u] == 0 || rank(type) > rank(types[u]))
				types[u] = type;
	}
	normalize(raw, count);
}

/* Longest run of usable RAM outside units [from, to). */
static u32 model_longest(const u32 *types, u32 from, u32 to, u32 *start)
{
	u32 run = 0, best = 0;

	*start = 0;
	for (u32 u = 0; u < UNITS; u++) {
		u64 at = unit_address(u);
		bool usable = types[u] == R && !(u >= from && u < to) && at >= MIB && at < 4 * GIB;

		run = usable && u != UNITS / 2 ? run + 1 : usable;
		if (run > best) {
			best = run;
			*start = u + 1 - run;
		}
	}
	return best;
}

/* First unit of the partition, or UNITS: every aligned place is tried, from the top down, but only
 * the highest one in each run of RAM counts. */
static u32 model_partition(const u32 *types, u32 size)
{
	u32 unit = UNITS;

	while (unit > 0) {
		u32 end = unit, top, start;

		unit--;
		if (types[unit] != R || unit_address(unit) >= 4 * GIB)
			continue;
		while (unit > 0 && types[unit - 1] == R && unit != UNITS / 2)
			unit--;
		top = end - (u32)((unit_address(end - 1) / MIB + 1) % 2);
		start = top - size;
		if (top < size + unit || unit_address(start) < MIB)
			continue;
		if (model_longest(types, start, top, &end) >= 16)
			return start;
	}
	return UNITS;
}

static void assert_guest(const u32 *types, u32 from, u32 to, enum memory_mode mode)
{
	u32 start;
	u32 longest = model_longest(types, from, to, &start);

	for (u32 u = 0; u < UNITS; u++) {
		bool shown = mode == MEM_ALL || (u >= start && u < start + longest) ||
			     (mode == MEM_WITH_LOW && unit_address(u) < MIB);
		u32 want = types[u] != R ? types[u] : shown && !(u >= from && u < to) ? R : X;

		assert_int_equal(map_type(&guest, unit_address(u)), want);
	}
	assert_int_equal(memmap_main_range(&guest).start, unit_address(start));
	assert_int_equal(range_size(memmap_main_range(&guest)), longest * MIB);
}

static void random_partition_and_guest(void **state)
{
	struct rng rng = {4711};
	u32 cases = random_cases(100000);
	u32 types[UNITS];
	u32 found = 0;

	(void)state;
	for (u32 n = 0; n < cases; n++) {
		u32 size = 2 + 2 * rng_below(&rng, 20);
		enum memory_mode mode = (enum memory_mode)rng_below(&rng, MEM_ALL + 1);
		struct range p;
		u32 want;
		int err;

		random_machine(&rng, types);
		want = model_partition(types, size);
		err = memmap_choose_partition(&machine, size * MIB, &p, &f);
		assert_int_equal(err, want == UNITS ? -VL_ENOMEM : 0);
		if (err)
			continue;
		found++;
		assert_int_equal(p.start, unit_address(want));
		assert_int_equal(range_size(p), size * MIB);
		assert_works(memmap_for_guest(&machine, p, mode, &guest, &f), &f);
		assert_well_formed(&guest);
		assert_works(memmap_check_guest(&guest, &machine, p, mode, &f), &f);
		assert_guest(types, want, want + size, mode);
	}
	assert_in_range(found, cases / 4, cases - cases / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalize_a_bios_map),
		cmocka_unit_test(normalize_joins_and_cuts),
		cmocka_unit_test(normalize_impossible_addresses),
		cmocka_unit_test(mapped_end_is_below_devices),
		cmocka_unit_test(normalize_many_ranges),
		cmocka_unit_test(partition_on_usual_machines),
		cmocka_unit_test(too_little_ram),
		cmocka_unit_test(partition_skips_ranges_that_do_not_do),
		cmocka_unit_test(guest_on_usual_machines),
		cmocka_unit_test(guest_map_in_full),
		cmocka_unit_test(is_ram),
		cmocka_unit_test(check_finds_lies),
		cmocka_unit_test(check_knows_the_bounds),
		cmocka_unit_test(random_normalize),
		cmocka_unit_test(random_partition_and_guest),
	};

	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
