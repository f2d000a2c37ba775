// SPDX-License-Identifier: MIT
/*
 * A later guest's memory as the tool makes it: where its parts go, against
 * every place that there is, and the bytes, read back by the numbers of
 * public/start.h and Linux's zero-page.rst, and by a page walk.
 */
/* shows: M10 U2 */
#include "tests/unit/check.h"

#include <errno.h>

#include "dom-tools/guest/image.h"
#include "domain/start_area.h"
#include "mem/pagetable.h"

#define RAM_START MIB
#define RAM_SIZE  (8 * MIB)
#define KERNEL    (4 * MIB)
#define ENTRY     (KERNEL + 0x123)

static u8 memory[RAM_SIZE];
static u8 written[RAM_SIZE / PAGE_SIZE];
static u8 kernel_file[0x2000];
static u8 ramdisk[0x1801];
static struct vl_ioctl_page hypercall_page;

/* ---------------------------------------------------------------- where the parts go */

static bool disjoint(struct range a, struct range b)
{
	return range_size(a) == 0 || range_size(b) == 0 || !range_overlaps(a, b);
}

static void check_plan(const struct guest_parts *parts, const struct guest_plan *plan)
{
	assert_true(range_contains(plan->ram, parts->kernel));
	assert_true(range_contains(plan->ram, plan->start));
	assert_int_equal(range_size(plan->start), parts->start_size);
	assert_int_equal(plan->start.start % PAGE_SIZE, 0);
	assert_int_equal(range_size(plan->initrd), parts->initrd_size);
	assert_true(disjoint(plan->start, parts->kernel));
	assert_true(disjoint(plan->initrd, parts->kernel));
	assert_true(disjoint(plan->initrd, plan->start));
	if (parts->initrd_size == 0)
		return;
	assert_true(range_contains(plan->ram, plan->initrd));
	assert_int_equal(plan->initrd.start % PAGE_SIZE, 0);
	assert_true(plan->initrd.end - 1 <= parts->initrd_max);
}

/* The kernel's pages are its own. */
static bool free_for(struct range r, const struct guest_parts *parts, struct range other)
{
	struct range kernel = {round_down(parts->kernel.start, PAGE_SIZE),
			       round_up(parts->kernel.end, PAGE_SIZE)};

	return !range_overlaps(r, kernel) && disjoint(r, other);
}

/* Whether there is any way at all, page by page. */
static bool possible(const struct guest_parts *parts, struct range ram)
{
	if (!range_contains(ram, parts->kernel))
		return false;
	for (u64 s = ram.start; s + parts->start_size <= ram.end; s += PAGE_SIZE) {
		struct range start = {s, s + parts->start_size};

		if (!free_for(start, parts, (struct range){0, 0}))
			continue;
		if (parts->initrd_size == 0)
			return true;
		for (u64 i = ram.start; i + parts->initrd_size <= ram.end; i += PAGE_SIZE)
			if (i + parts->initrd_size - 1 <= parts->initrd_max &&
			    free_for((struct range){i, i + parts->initrd_size}, parts, start))
				return true;
	}
	return false;
}

static struct guest_parts random_parts(struct rng *r)
{
	u64 kernel = MIB + rng_below(r, 24) * PAGE_SIZE + (rng_below(r, 2) ? 0 : 0x200);

	return (struct guest_parts){
		.kernel = {kernel, kernel + 1 + rng_below(r, 6 * (u32)PAGE_SIZE)},
		.start_size = (1 + rng_below(r, 5)) * PAGE_SIZE,
		.initrd_size = rng_below(r, 3) ? 1 + rng_below(r, 6 * (u32)PAGE_SIZE) : 0,
		.initrd_max = rng_below(r, 3) ? ~(u64)0 : MIB + rng_below(r, 32) * PAGE_SIZE - 1,
	};
}

static void plans(void **state)
{
	struct rng r = {1};
	u32 fit = 0;

	(void)state;
	for (u32 n = random_cases(20000); n > 0; n--) {
		struct guest_parts parts = random_parts(&r);
		u64 start = MIB + rng_below(&r, 6) * PAGE_SIZE;
		u64 size = (1 + rng_below(&r, 40)) * PAGE_SIZE;
		struct range ram = {start, start + size};
		struct guest_plan plan;
		bool fits = guest_plan(&parts, start, size, &plan);

		assert_int_equal(fits, possible(&parts, ram));
		if (!fits)
			continue;
		fit++;
		check_plan(&parts, &plan);
	}
	assert_true(fit > 0);
}

static void least_sizes(void **state)
{
	struct rng r = {2};

	(void)state;
	for (u32 n = random_cases(20000); n > 0; n--) {
		struct guest_parts parts = random_parts(&r);
		struct guest_plan plan;
		u64 least;

		parts.initrd_max = ~(u64)0;
		least = guest_least(&parts, MIB);
		assert_true(least > 0);
		assert_true(guest_plan(&parts, MIB, least, &plan));
		assert_false(guest_plan(&parts, MIB, least - PAGE_SIZE, &plan));
	}
}

static void kernel_below(void **state)
{
	struct guest_parts parts = {.kernel = {0x8000, 0x9000}, .start_size = PAGE_SIZE};

	(void)state;
	assert_int_equal(guest_least(&parts, MIB), 0);
}

/* The first range that holds it all; none above 4 GiB. */
static void choices(void **state)
{
	struct guest_parts parts = {.kernel = {16 * MIB, 20 * MIB}, .start_size = PAGE_SIZE};
	struct vl_ioctl_memory m = {
		.count = 3,
		.range = {{0, 640 * KIB, VL_MEMORY_RAM, 0},
			  {MIB, 31 * MIB, VL_MEMORY_RAM, 0},
			  {4 * GIB, 4 * GIB, VL_MEMORY_RAM, 0}},
	};
	struct guest_plan plan;

	(void)state;
	assert_true(guest_choose(&parts, &m, 31 * MIB, &plan));
	assert_int_equal(plan.ram.start, MIB);
	assert_int_equal(plan.ram.end, 32 * MIB);
	assert_false(guest_choose(&parts, &m, 32 * MIB, &plan));
	assert_false(guest_choose(&parts, &m, 18 * MIB, &plan));
	parts.kernel = (struct range){4 * GIB + MIB, 4 * GIB + 2 * MIB};
	assert_false(guest_choose(&parts, &m, 16 * MIB, &plan));
}

/* ---------------------------------------------------------------- the bytes */

static int sink(void *context, uint64_t offset, const void *data, size_t size, struct vl_error *e)
{
	(void)context;
	(void)e;
	assert_true(offset <= RAM_SIZE && size <= RAM_SIZE - offset);
	for (u64 page = offset / PAGE_SIZE; page <= (offset + size - 1) / PAGE_SIZE; page++)
		assert_int_equal(written[page]++, 0);
	memcpy(memory + offset, data, size);
	return 0;
}

static int broken_sink(void *context, uint64_t offset, const void *data, size_t size,
		       struct vl_error *e)
{
	u32 *left = context;

	(void)offset;
	(void)data;
	(void)size;
	return (*left)-- == 0 ? vl_fail(e, EIO, "broken") : 0;
}

static struct kernel kernel(void)
{
	return (struct kernel){
		.elf_file = kernel_file,
		.elf_size = sizeof(kernel_file),
		.elf = {.count = 1,
			.segment = {{0x800, 0x1500, KERNEL, 0x9000}},
			.span = {KERNEL, KERNEL + 0x9000},
			.entry = ENTRY,
			.has_note = true},
	};
}

static struct guest_plan make(const struct kernel *k, const char *cmdline,
			      struct vl_vcpu_start *vcpu)
{
	struct guest_parts parts = guest_parts(k, sizeof(ramdisk));
	struct guest_image image = {
		.kernel = k,
		.ramdisk = {ramdisk, sizeof(ramdisk)},
		.cmdline = cmdline,
		.domid = 7,
		.tsc_khz = 1234567,
		.hypercall_page = &hypercall_page,
	};
	struct guest_plan plan;
	struct vl_error e;

	for (size_t i = 0; i < sizeof(kernel_file); i++)
		kernel_file[i] = (u8)(i * 7 + 1);
	memset(ramdisk, 0x33, sizeof(ramdisk));
	memset(&hypercall_page, 0xcc, sizeof(hypercall_page));
	memset(memory, 0, sizeof(memory));
	memset(written, 0, sizeof(written));
	assert_true(guest_plan(&parts, RAM_START, RAM_SIZE, &plan));
	assert_int_equal(guest_image_write(&image, &plan, sink, NULL, vcpu, &e), 0);
	return plan;
}

static void *at(u64 pa, u64 size)
{
	assert_true(pa >= RAM_START && pa - RAM_START <= RAM_SIZE - size);
	return memory + (pa - RAM_START);
}

static void files(void **state)
{
	struct kernel k = kernel();
	struct vl_vcpu_start vcpu;
	struct guest_plan plan = make(&k, "", &vcpu);

	(void)state;
	assert_memory_equal(at(KERNEL, 0x1500), kernel_file + 0x800, 0x1500);
	assert_int_equal(*(u8 *)at(KERNEL + 0x1500, 1), 0);
	assert_memory_equal(at(plan.initrd.start, sizeof(ramdisk)), ramdisk, sizeof(ramdisk));
	assert_int_equal(vcpu.rip, ENTRY);
}

static void start_information(void **state)
{
	struct kernel k = kernel();
	struct vl_vcpu_start vcpu;
	struct guest_plan plan = make(&k, "a=b quiet", &vcpu);
	const struct vl_start_info *info = at(vcpu.rdi, sizeof(*info));
	const struct vl_memory_range *map;

	(void)state;
	assert_int_equal(info->magic, VL_START_MAGIC);
	assert_int_equal(info->abi_major, VL_ABI_MAJOR);
	assert_int_equal(info->size, sizeof(*info));
	assert_int_equal(info->domid, 7);
	assert_int_equal(info->flags, VL_START_VIRTUALIZED | VL_START_LATER);
	assert_int_equal(info->tsc_khz, 1234567);
	assert_int_equal(info->reserved_start, plan.start.start);
	assert_int_equal(info->reserved_end, plan.start.end);
	assert_int_equal(info->initrd, plan.initrd.start);
	assert_int_equal(info->initrd_size, sizeof(ramdisk));
	assert_int_equal(info->rsdp, 0);
	assert_int_equal(info->boot_params, vcpu.rsi);
	assert_int_equal(info->cmdline_size, 10);
	assert_string_equal(at(info->cmdline, info->cmdline_size), "a=b quiet");
	assert_memory_equal(at(info->hypercall_page, PAGE_SIZE), &hypercall_page, PAGE_SIZE);
	assert_int_equal(info->memory_map_count, 2);
	map = at(info->memory_map, 2 * sizeof(*map));
	assert_int_equal(map[0].start, 0);
	assert_int_equal(map[0].size, RAM_START);
	assert_int_equal(map[0].type, VL_MEMORY_RESERVED);
	assert_int_equal(map[1].start, RAM_START);
	assert_int_equal(map[1].size, RAM_SIZE);
	assert_int_equal(map[1].type, VL_MEMORY_RAM);
}

static u64 get(const u8 *page, size_t offset, size_t size)
{
	u64 x = 0;

	memcpy(&x, page + offset, size);
	return x;
}

static void zero_page(void **state)
{
	struct kernel k = kernel();
	struct vl_vcpu_start vcpu;
	struct guest_plan plan = make(&k, "a=b", &vcpu);
	const u8 *page = at(vcpu.rsi, PAGE_SIZE);
	u64 node = get(page, 0x250, 8);

	(void)state;
	assert_int_equal(get(page, 0x202, 4), 0x53726448);
	assert_int_equal(get(page, 0x218, 4), plan.initrd.start);
	assert_int_equal(get(page, 0x21c, 4), sizeof(ramdisk));
	assert_string_equal(at(get(page, 0x228, 4), 4), "a=b");
	assert_int_equal(get(page, 0x1e8, 1), 2); /* of one range Linux would believe nothing */
	assert_int_equal(get(page, 0x2e0, 4), VL_MEMORY_RESERVED);
	assert_int_equal(get(page, 0x2e4, 8), RAM_START);
	assert_int_equal(get(page, 0x2ec, 8), RAM_SIZE);
	assert_int_equal(get(page, 0x2f4, 4), VL_MEMORY_RAM);
	assert_int_equal(get(page, 0x006, 1), 0); /* no video mode: there is no screen */
	assert_int_equal(get(page, 0x00f, 1), 0);
	assert_int_equal(node, plan.start.start);
	assert_int_equal(get(at(node, 16), 8, 4), VL_SETUP_DATA_TYPE);
	assert_int_equal(vcpu.rdi, node + 16);
}

/* Where the start tables lead, or stops the test. */
static u64 translate(u64 root, u64 va)
{
	for (u32 level = 4; level > 0; level--) {
		u64 index = va >> (12 + 9 * (level - 1)) & 511;
		u64 pte = ((const u64 *)at(root, PAGE_SIZE))[index];
		u64 offset = va & (((u64)1 << (12 + 9 * (level - 1))) - 1);

		assert_true(pte & PTE_P);
		assert_true(pte & PTE_W);
		assert_false(pte & PTE_NX);
		if (level == 1 || pte & PTE_PS)
			return (pte & PTE_ADDR & ~(((u64)1 << (12 + 9 * (level - 1))) - 1)) +
			       offset;
		root = pte & PTE_ADDR;
	}
	return 0;
}

static void tables(void **state)
{
	struct kernel k = kernel();
	struct vl_vcpu_start vcpu;
	const u64 *gdt;

	(void)state;
	make(&k, "", &vcpu);
	for (u64 va = 0; va < 4 * GIB; va += 2 * MIB - PAGE_SIZE)
		assert_int_equal(translate(vcpu.cr3, va), va);
	assert_int_equal(translate(vcpu.cr3, 4 * GIB - 1), 4 * GIB - 1);
	assert_int_equal(vcpu.gdt_limit, 31);
	gdt = at(vcpu.gdt_base, 32);
	assert_int_equal(gdt[0], 0);
	assert_int_equal(gdt[2] >> 40 & 0xff, 0x9b); /* CS 0x10: code, present, DPL 0, accessed */
	assert_int_equal(gdt[2] >> 53 & 1, 1);       /* of 64 bits */
	assert_int_equal(gdt[3] >> 40 & 0xff, 0x93);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(vcpu.reserved[i], 0);
}

static void long_command_lines(void **state)
{
	static char cmdline[4096];
	struct kernel k = kernel();
	struct guest_parts parts = guest_parts(&k, 0);
	struct guest_image image = {
		.kernel = &k, .cmdline = cmdline, .hypercall_page = &hypercall_page};
	struct vl_vcpu_start vcpu;
	struct guest_plan plan;
	struct vl_error e;

	(void)state;
	memset(cmdline, 'x', GUEST_CMDLINE_MOST);
	make(&k, cmdline, &vcpu);
	memset(cmdline, 'x', GUEST_CMDLINE_MOST + 1);
	memset(written, 0, sizeof(written));
	assert_true(guest_plan(&parts, RAM_START, RAM_SIZE, &plan));
	assert_int_equal(guest_image_write(&image, &plan, sink, NULL, &vcpu, &e), -E2BIG);
}

/* A sink that fails at any time is the end, with its own sentence. */
static void failing_sinks(void **state)
{
	struct kernel k = kernel();
	struct guest_parts parts = guest_parts(&k, sizeof(ramdisk));
	struct guest_image image = {.kernel = &k,
				    .cmdline = "",
				    .ramdisk = {ramdisk, sizeof(ramdisk)},
				    .hypercall_page = &hypercall_page};
	struct vl_vcpu_start vcpu;
	struct guest_plan plan;
	struct vl_error e;

	(void)state;
	assert_true(guest_plan(&parts, RAM_START, RAM_SIZE, &plan));
	for (u32 n = 0; n < 3; n++) {
		u32 left = n;

		assert_int_equal(guest_image_write(&image, &plan, broken_sink, &left, &vcpu, &e),
				 -EIO);
		assert_string_equal(e.text, "broken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans),
		cmocka_unit_test(least_sizes),
		cmocka_unit_test(kernel_below),
		cmocka_unit_test(choices),
		cmocka_unit_test(files),
		cmocka_unit_test(start_information),
		cmocka_unit_test(zero_page),
		cmocka_unit_test(tables),
		cmocka_unit_test(long_command_lines),
		cmocka_unit_test(failing_sinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
