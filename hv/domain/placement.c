// SPDX-License-Identifier: MIT
/*
 * Planning where the first guest's parts go (see domain/placement.h). Pure.
 *
 * The kernel's place has hardly any freedom and is settled first. For the
 * rest there are VARIANTS ways that differ in what is preferred; they are
 * tried from the one that copies least to the one that packs tightest, and
 * the first that works is taken. Which variant works depends on where the
 * loader put the modules; with memory to spare it is the first or second.
 *
 * With two modules the order of moves needs no graph: either one can go
 * first without touching the other's source, or one goes over a free gap.
 */
#include "domain/placement.h"

#include "lib/string.h"
#include "public/errno.h"

/* Bits of a variant: set means the tighter choice. */
#define MOVE_INITRD 1u /* do not insist on leaving the initrd where it lies */
#define OVER_KERNEL                                                                                \
	2u            /* allow the initrd and the start area on the kernel file's present place    \
		       */
#define START_LOW  4u /* start area at the bottom instead of the top */
#define INITRD_LOW 8u /* initrd at the bottom instead of the top */
#define VARIANTS   16u

#define MAX_AVOID (PLACEMENT_MAX_BUSY + 8)

/* Ranges that something must not overlap. */
struct avoid {
	u32 count;
	struct range range[MAX_AVOID];
};

static void avoid_add(struct avoid *a, struct range r)
{
	if (r.start < r.end)
		a->range[a->count++] = r;
}

static void avoid_busy(struct avoid *a, const struct placement_request *req)
{
	for (u32 i = 0; i < req->busy_count; i++)
		avoid_add(a, req->busy[i]);
}

static const struct range *first_overlap(const struct avoid *a, struct range r)
{
	for (u32 i = 0; i < a->count; i++)
		if (range_overlaps(a->range[i], r))
			return &a->range[i];
	return NULL;
}

/* Highest page-aligned place for `size` bytes inside `in`; empty if there is none. */
static struct range highest_gap(struct range in, u64 size, const struct avoid *a)
{
	u64 top = in.end;

	while (top >= in.start && top - in.start >= size) {
		u64 start = round_down(top - size, PAGE_SIZE);
		struct range r = {start, start + size};
		const struct range *hit;

		if (start < in.start)
			break;
		hit = first_overlap(a, r);
		if (hit == NULL)
			return r;
		top = hit->start;
	}
	return (struct range){0, 0};
}

/* Lowest place for `size` bytes at a multiple of `align` inside `in`; empty if there is none. */
static struct range lowest_gap(struct range in, u64 size, u64 align, const struct avoid *a)
{
	u64 start = round_up(in.start, align);

	while (start >= in.start && start < in.end && in.end - start >= size) {
		struct range r = {start, start + size};
		const struct range *hit = first_overlap(a, r);

		if (hit == NULL)
			return r;
		start = round_up(hit->end, align);
	}
	return (struct range){0, 0};
}

static struct range gap(struct range in, u64 size, const struct avoid *a, bool lowest)
{
	return lowest ? lowest_gap(in, size, PAGE_SIZE, a) : highest_gap(in, size, a);
}

/* Bytes of the largest gap inside `in`, for the sentence that says what would have fitted. */
static u64 largest_gap(struct range in, const struct avoid *a)
{
	u64 best = 0;
	u64 next;

	for (u64 pos = in.start; pos < in.end; pos = next) {
		u64 end = in.end;

		next = pos;
		for (u32 i = 0; i < a->count; i++) {
			if (a->range[i].start <= pos && a->range[i].end > next)
				next = a->range[i].end;
			else if (a->range[i].start > pos)
				end = min_u64(end, a->range[i].start);
		}
		if (next > pos)
			continue;
		best = max_u64(best, end - pos);
		next = end;
	}
	return best;
}

static bool is_empty(struct range r)
{
	return r.start >= r.end;
}

static int check_module(const struct placement_request *req, struct range module, const char *what,
			struct failure *f)
{
	if (!memmap_is_ram(req->machine, module))
		return fail(f, VL_EINVAL,
			    "The boot loader put the %s (%#lx to %#lx) where the memory map has no "
			    "RAM; boot with GRUB's multiboot2 and module2 commands.",
			    what, module.start, module.end);
	for (u32 i = 0; i < req->busy_count; i++)
		if (!is_empty(req->busy[i]) && range_overlaps(module, req->busy[i]))
			return fail(f, VL_EINVAL,
				    "The boot loader put the %s (%#lx to %#lx) over Vellum itself; "
				    "boot with GRUB's multiboot2 and module2 commands.",
				    what, module.start, module.end);
	return 0;
}

static int check_request(const struct placement_request *req, struct failure *f)
{
	int err;

	if (is_empty(req->kernel_file) || req->kernel_size == 0)
		return fail(f, VL_EINVAL,
			    "There is no kernel: the first module is missing or empty; add a "
			    "module2 line with a kernel to grub.cfg.");
	if (req->busy_count > PLACEMENT_MAX_BUSY)
		return fail(f, VL_EINVAL, "Vellum has %u busy ranges; report this as a bug.",
			    req->busy_count);
	err = check_module(req, req->kernel_file, "kernel", f);
	if (err || is_empty(req->initrd_file))
		return err;
	if (range_overlaps(req->kernel_file, req->initrd_file))
		return fail(f, VL_EINVAL,
			    "The boot loader put the kernel and the initrd over each other; boot "
			    "with GRUB's multiboot2 and module2 commands.");
	return check_module(req, req->initrd_file, "initrd", f);
}

static struct range fixed_kernel(const struct placement_request *req)
{
	struct range r = {req->kernel_start, req->kernel_start + req->kernel_size};

	if (r.end < r.start || !memmap_is_ram(req->guest, r))
		return (struct range){0, 0};
	return r;
}

static struct range relocated_kernel(const struct placement_request *req, struct range main)
{
	struct avoid none = {.count = 0};

	main.start = max_u64(main.start, req->kernel_start);
	return lowest_gap(main, req->kernel_size, req->kernel_align, &none);
}

static int place_kernel(const struct placement_request *req, struct range main,
			struct placement *out, struct failure *f)
{
	out->kernel = req->kernel_relocatable ? relocated_kernel(req, main) : fixed_kernel(req);
	if (!is_empty(out->kernel))
		return 0;
	return fail(f, VL_ENOMEM,
		    "The kernel does not fit: it needs %lu KiB of RAM from %#lx%s and the guest's "
		    "main RAM is %#lx to %#lx; give the machine more RAM, set a smaller "
		    "vellum_mem=, or use mem=all.",
		    req->kernel_size / KIB, req->kernel_start,
		    req->kernel_relocatable ? " on" : " exactly", main.start, main.end);
}

/* Where the initrd may lie at all. */
static struct range initrd_bounds(const struct placement_request *req, struct range main)
{
	if (req->initrd_addr_max < main.end)
		main.end = max_u64(main.start, req->initrd_addr_max + 1);
	return main;
}

static bool initrd_may_stay(const struct placement_request *req, struct range main,
			    const struct placement *p)
{
	struct range r = req->initrd_file;

	return r.start % PAGE_SIZE == 0 && range_contains(initrd_bounds(req, main), r) &&
	       !range_overlaps(r, p->kernel) && !range_overlaps(r, p->start) &&
	       !range_overlaps(r, req->partition);
}

static bool place_start(const struct placement_request *req, struct range main, u32 variant,
			struct placement *p)
{
	struct avoid a = {.count = 0};

	avoid_add(&a, p->kernel);
	avoid_add(&a, req->partition);
	if (!(variant & MOVE_INITRD))
		avoid_add(&a, req->initrd_file);
	if (!(variant & OVER_KERNEL))
		avoid_add(&a, req->kernel_file);
	p->start = gap(main, round_up(req->start_size, PAGE_SIZE), &a, variant & START_LOW);
	return !is_empty(p->start);
}

static bool place_initrd(const struct placement_request *req, struct range main, u32 variant,
			 struct placement *p)
{
	struct avoid a = {.count = 0};

	p->initrd = (struct range){0, 0};
	if (is_empty(req->initrd_file))
		return true;
	if (!(variant & MOVE_INITRD)) {
		p->initrd = req->initrd_file;
		return initrd_may_stay(req, main, p);
	}
	avoid_add(&a, p->kernel);
	avoid_add(&a, p->start);
	avoid_add(&a, req->partition);
	avoid_busy(&a, req);
	if (!(variant & OVER_KERNEL))
		avoid_add(&a, req->kernel_file);
	p->initrd = gap(initrd_bounds(req, main), range_size(req->initrd_file), &a,
			variant & INITRD_LOW);
	return !is_empty(p->initrd);
}

static void add_move(struct placement *p, struct range from, struct range to)
{
	if (from.start == to.start || is_empty(from))
		return;
	p->move[p->move_count++] = (struct placement_move){.dst = to.start, .src = from};
}

/* All that nothing else may be written to before Vellum is in its partition, or lie in after. */
static struct avoid settled(const struct placement_request *req, const struct placement *p)
{
	struct avoid a = {.count = 0};

	avoid_add(&a, p->kernel);
	avoid_add(&a, p->start);
	avoid_add(&a, p->initrd);
	avoid_add(&a, req->partition);
	return a;
}

/* The kernel's file goes first, to a place off the initrd's present one. */
static bool kernel_first(const struct placement_request *req, struct range main,
			 struct placement *p)
{
	struct avoid a = settled(req, p);

	avoid_busy(&a, req);
	avoid_add(&a, req->initrd_file);
	p->staged = highest_gap(main, range_size(req->kernel_file), &a);
	if (is_empty(p->staged))
		return false;
	add_move(p, req->kernel_file, p->staged);
	add_move(p, req->initrd_file, p->initrd);
	return true;
}

/* The initrd goes first, if its place is off the kernel's file, or over a gap that is. */
static bool initrd_first(const struct placement_request *req, struct range main,
			 struct placement *p)
{
	struct avoid a = settled(req, p);
	struct avoid over = {.count = 0};
	struct range between = p->initrd;

	avoid_busy(&a, req);
	p->staged = highest_gap(main, range_size(req->kernel_file), &a);
	if (is_empty(p->staged))
		return false;
	if (range_overlaps(p->initrd, req->kernel_file)) {
		avoid_busy(&over, req);
		avoid_add(&over, req->kernel_file);
		avoid_add(&over, p->staged);
		between = highest_gap(main, range_size(req->initrd_file), &over);
		if (is_empty(between))
			return false;
	}
	add_move(p, req->initrd_file, between);
	add_move(p, req->kernel_file, p->staged);
	add_move(p, between, p->initrd);
	return true;
}

/* The kernel's file goes to a gap, the initrd to its place, and the file on to its own. */
static bool kernel_over_gap(const struct placement_request *req, struct range main,
			    struct placement *p)
{
	struct avoid a = settled(req, p);
	struct avoid over = {.count = 0};
	struct range between;

	avoid_busy(&a, req);
	p->staged = highest_gap(main, range_size(req->kernel_file), &a);
	avoid_busy(&over, req);
	avoid_add(&over, req->initrd_file);
	avoid_add(&over, p->initrd);
	between = highest_gap(main, range_size(req->kernel_file), &over);
	if (is_empty(p->staged) || is_empty(between))
		return false;
	add_move(p, req->kernel_file, between);
	add_move(p, req->initrd_file, p->initrd);
	add_move(p, between, p->staged);
	return true;
}

static bool plan_moves(const struct placement_request *req, struct range main, struct placement *p)
{
	struct avoid a = settled(req, p);

	p->move_count = 0;
	if (first_overlap(&a, req->kernel_file) == NULL) {
		p->staged = req->kernel_file;
		add_move(p, req->initrd_file, p->initrd);
		return true;
	}
	return kernel_first(req, main, p) || initrd_first(req, main, p) ||
	       kernel_over_gap(req, main, p);
}

/* How far a variant came; the furthest one names the failure. */
enum stage { STAGE_START, STAGE_INITRD, STAGE_MOVES, STAGE_DONE };

static enum stage try_variant(const struct placement_request *req, struct range main, u32 variant,
			      struct placement *p)
{
	if (!place_start(req, main, variant, p))
		return STAGE_START;
	if (!place_initrd(req, main, variant, p))
		return STAGE_INITRD;
	return plan_moves(req, main, p) ? STAGE_DONE : STAGE_MOVES;
}

static int explain(const struct placement_request *req, struct range main, struct placement *p,
		   enum stage reached, struct failure *f)
{
	struct avoid a = {.count = 0};

	avoid_add(&a, p->kernel);
	if (reached == STAGE_START)
		return fail(f, VL_ENOMEM,
			    "The guest's start area does not fit: it needs %lu KiB beside the "
			    "kernel and %lu are free; give the machine more RAM or set a smaller "
			    "vellum_mem=.",
			    req->start_size / KIB, largest_gap(main, &a) / KIB);
	avoid_add(&a, p->start);
	avoid_busy(&a, req);
	if (reached == STAGE_INITRD)
		return fail(
			f, VL_ENOMEM,
			"The initrd does not fit: it needs %lu KiB in one piece below %#lx and "
			"%lu are free; give the machine more RAM, set a smaller vellum_mem=, or "
			"use a smaller initrd.",
			range_size(req->initrd_file) / KIB, initrd_bounds(req, main).end,
			largest_gap(initrd_bounds(req, main), &a) / KIB);
	return fail(f, VL_ENOMEM,
		    "There is too little RAM to unpack the kernel: beside %lu KiB for it and the "
		    "initrd, its file of %lu KiB does not fit; give the machine more RAM or set a "
		    "smaller vellum_mem=.",
		    (range_size(p->kernel) + range_size(req->initrd_file)) / KIB,
		    range_size(req->kernel_file) / KIB);
}

int placement_plan(const struct placement_request *req, struct placement *out, struct failure *f)
{
	struct range main = memmap_main_range(req->guest);
	enum stage reached = STAGE_START;
	int err;

	memset(out, 0, sizeof(*out));
	err = check_request(req, f);
	if (!err)
		err = place_kernel(req, main, out, f);
	if (err)
		return err;
	for (u32 variant = 0; variant < VARIANTS; variant++) {
		enum stage stage = try_variant(req, main, variant, out);

		if (stage == STAGE_DONE)
			return 0;
		reached = stage > reached ? stage : reached;
	}
	return explain(req, main, out, reached, f);
}
