// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the hypercalls' arguments, from the dispatcher down to p2m, shadow
 * and log, for the first domain in either mode and for another one:
 *
 *  - the answer is one that the definition has;
 *  - a call that answers an error has changed nothing: domain, memory, CR3 (D2);
 *  - one that succeeds writes to the caller's buffer alone, and that is its own
 *    RAM in one page (D1), whichever frames its pages have;
 *  - memory that is nobody's stays as it is, and no frame is lost.
 *
 * Transitions and verify_image are no functions of memory alone: the mini
 * guest's hypercall_fuzz and the failpoints have them.
 */
/* shows: U3 I4 */
#include "tests/fuzz/damage.h"

#include <string.h>

#include "hypercall/hypercall.h"
#include "public/calls.h"
#include "public/errno.h"
#include "tests/fuzz/machine/machine.h"

#define WATCH_START 0x100000u
#define WATCH_PAGES 17u

struct input {
	const u8 *data;
	size_t size;
};

static u8 next(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

static u64 next_number(struct input *in, u32 bytes)
{
	u64 x = 0;

	while (bytes-- > 0)
		x = x << 8 | next(in);
	return x;
}

/* Numbers near those that mean something, and any. */
static u64 argument(struct input *in)
{
	static const u64 near[] = {0x100000,
				   0x107000,
				   0x108000,
				   0x10a000,
				   0x10bff8,
				   0x10c000,
				   0x10f000,
				   8 * MIB,
				   14 * MIB,
				   0,
				   ~(u64)0,
				   VL_DOMID_SELF,
				   0xffff800000000000,
				   0xffff888000000000,
				   0xffffffff81000000,
				   (u64)1 << 52};
	u8 how = next(in);

	if (how < 128)
		return near[how % 16] + (u64)((next(in) - 128) * (how & 64 ? 8 : 0x1000));
	if (how < 160)
		return WATCH_START / PAGE_SIZE + how % 32; /* a page's number */
	if (how < 192)
		return how % 4;
	if (how < 208)
		return next(in);
	return next_number(in, how % 8 + 1);
}

/* --- what a call may answer --- */

#define E(name) ((u64)1 << VL_##name)

/* E(EOPNOTSUPP) is bit 95: the two above 63 have places of their own. */
#define OPNOTSUPP ((u64)1 << 62)

static const u64 errors[VL_CALL_LIMIT] = {
	[VL_CALL_HV_INFO] = E(EFAULT) | E(EINVAL),
	[VL_CALL_DOMAIN_INFO] = E(ENOENT) | E(EFAULT) | E(EINVAL),
	[VL_CALL_DOMAIN_NEXT] = E(ENOENT) | E(EINVAL),
	[VL_CALL_CONSOLE_READ] = E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_SET_ALIAS] = E(EINVAL) | E(EFAULT),
	[VL_CALL_SET_VCPU_INFO] = E(EINVAL) | E(EFAULT) | E(EBUSY),
	[VL_CALL_SET_FEATURES] = E(EINVAL) | E(EBUSY),
	[VL_CALL_MMU_LOAD] = E(EINVAL) | E(EPERM),
	[VL_CALL_MMU_FLUSH] = E(EINVAL) | E(EPERM),
	[VL_CALL_DESCRIPTORS] = E(EPERM),
	[VL_CALL_P2M_READ] = E(ENOENT) | OPNOTSUPP | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_COUNTERS] = E(ENOENT) | E(EFAULT) | E(EINVAL),
	[VL_CALL_MMU_FLUSH_REMOTE] = E(EINVAL) | E(EPERM),
	[VL_CALL_ADD_CPU] = E(EINVAL) | E(ENOSPC) | E(ENOMEM) | E(EPERM),
	[VL_CALL_DOMAIN_RENAME] = E(ENOENT) | E(EEXIST) | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_TEST_MOVE_PAGE] = OPNOTSUPP | E(EFAULT) | E(EINVAL) | E(ENOMEM) | E(EPERM),
};

static bool is_elsewhere(u64 nr)
{
	return nr == VL_CALL_VIRTUALIZE || nr == VL_CALL_DEVIRTUALIZE ||
	       nr == VL_CALL_VERIFY_IMAGE || nr == VL_CALL_SET_FAILPOINT ||
	       nr == VL_CALL_TEST_SPOIL_SHADOW;
}

static bool is_defined(u64 nr, s64 r)
{
	if (r >= 0)
		return nr < VL_CALL_LIMIT;
	if (nr >= VL_CALL_LIMIT)
		return r == -VL_ENOSYS;
	if (r == -VL_EOPNOTSUPP)
		return (errors[nr] & OPNOTSUPP) != 0;
	return -r < 62 && (errors[nr] >> -r & 1) != 0;
}

/* --- what it may change --- */

/* All RAM as its owners see it, and the pages between and behind, which are nobody's. */
static u8 before[WATCH_PAGES][PAGE_SIZE];
_Static_assert(WATCH_START + WATCH_PAGES * PAGE_SIZE == 0x111000, "one page behind OTHER_RAM");

static u8 *page_at(u64 pa)
{
	struct range page = {pa, pa + PAGE_SIZE};
	const struct domain *first = domain_first();

	if (memmap_is_ram(&first->memory, page))
		return machine_page(first, pa);
	return machine_page(machine_other(), pa);
}

static void remember(void)
{
	for (u64 i = 0; i < WATCH_PAGES; i++)
		memcpy(before[i], page_at(WATCH_START + i * PAGE_SIZE), PAGE_SIZE);
}

/* The same bytes but for [buffer.start, buffer.end). */
static void check_memory(struct range buffer)
{
	for (u64 i = 0; i < WATCH_PAGES; i++) {
		u64 pa = WATCH_START + i * PAGE_SIZE;
		const u8 *now = page_at(pa);
		u64 start = max_u64(buffer.start, pa) - pa, end;

		if (start >= PAGE_SIZE || buffer.end <= pa) {
			must(memcmp(before[i], now, PAGE_SIZE) == 0);
			continue;
		}
		end = min_u64(buffer.end - pa, PAGE_SIZE);
		must(memcmp(before[i], now, start) == 0);
		must(memcmp(before[i] + end, now + end, PAGE_SIZE - end) == 0);
	}
}

/* The buffer that a call succeeded with; empty: it has none. */
static struct range buffer_of(u64 nr, const u64 *a)
{
	switch (nr) {
	case VL_CALL_HV_INFO:
	case VL_CALL_CONSOLE_READ:
		return (struct range){a[0], a[0] + a[1]};
	case VL_CALL_DOMAIN_INFO:
	case VL_CALL_DOMAIN_COUNTERS:
		return (struct range){a[1], a[1] + a[2]};
	case VL_CALL_P2M_READ:
		return (struct range){a[2], a[2] + a[3]};
	default:
		return (struct range){0, 0};
	}
}

static void check_success(const struct domain *d, u64 nr, const u64 *a)
{
	struct range buffer = buffer_of(nr, a);

	if (buffer.start != buffer.end) {
		must(range_size(buffer) <= PAGE_SIZE);
		must(buffer.start / PAGE_SIZE == (buffer.end - 1) / PAGE_SIZE);
		must(memmap_is_ram(&d->memory, buffer));
	}
	check_memory(buffer);
}

/* What Vellum keeps of a domain points into its own RAM. */
static void check_domain(const struct domain *d)
{
	const struct info_place *own = &d->info[0];
	u64 offset = own->pa.v % PAGE_SIZE;

	must(strnlen(d->name, sizeof(d->name)) < sizeof(d->name));
	must(own->va == 0 || (own->at != NULL && is_upper_half(own->va) && !is_own_va(own->va)));
	if (own->at != NULL)
		must((u8 *)d->info[0].at == machine_page(d, d->info[0].pa.v - offset) + offset);
	for (u32 i = 0; i < ARRAY_SIZE(d->plain.at); i++)
		for (u64 pa = d->plain.at[i].start; pa < d->plain.at[i].end; pa += PAGE_SIZE)
			must(machine_page(d, pa) == machine + pa);
	for (u32 i = 0; i < VL_MAX_ALIASES; i++) {
		const struct alias *a = &d->alias[i];

		if (a->size == 0)
			continue;
		must(memmap_is_ram(&d->memory, (struct range){a->pa.v, a->pa.v + a->size}));
		must(range_contains(d->aliased, (struct range){a->va, a->va + a->size}));
	}
}

static void call(struct domain *d, u64 nr, const u64 *a)
{
	static struct domain kept;
	const struct trap_frame frame = {
		.rdi = nr, .rsi = a[0], .rdx = a[1], .rcx = a[2], .r8 = a[3], .r9 = a[4]};
	u64 cr3 = read_cr3();
	s64 r;

	remember();
	kept = *d;
	kept.hypercalls++;
	r = hypercall_dispatch(d, &frame);
	must(is_defined(nr, r));
	if (r < 0) {
		kept.lock = d->lock; /* tickets that were drawn are no state */
		must(memcmp(&kept, d, sizeof(kept)) == 0);
		must(read_cr3() == cr3);
		check_memory((struct range){0, 0});
	} else {
		check_success(d, nr, a);
	}
	check_domain(d);
}

static void any_call(struct domain *d, struct input *in)
{
	u8 how = next(in);
	u64 nr = how < 240 ? how % VL_CALL_LIMIT : next_number(in, how % 8 + 1);
	u64 a[5];

	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = argument(in);
	if (!is_elsewhere(nr))
		call(d, nr, a);
}

/* A page goes away or comes home: chance alone moves few twice. */
static void move(u8 what)
{
	u64 a[5] = {FIRST_RAM.start / PAGE_SIZE + what % 4, what >> 7};

	call(domain_first(), VL_CALL_TEST_MOVE_PAGE, a);
}

static void touch(struct input *in)
{
	u8 what = next(in);
	pa_t page = {FIRST_RAM.start + what % 8 * PAGE_SIZE};

	machine_touch(argument(in), page, what & 64, what & 128);
}

static void one_step(struct input *in)
{
	u8 what = next(in);

	if (what < 8) {
		machine_virtualize(VL_LAYER_CPU | (what & 1 ? VL_LAYER_MEMORY : 0));
	} else if (what < 16) {
		remember();
		machine_devirtualize();
		check_memory((struct range){0, 0});
	} else if (what < 32) {
		move(next(in));
	} else if (what < 64) {
		touch(in);
	} else {
		any_call(what < 224 ? domain_first() : machine_other(), in);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool booted;
	struct input in = {data, size};

	if (!booted)
		machine_boot();
	booted = true;
	machine_start();
	while (in.size > 0)
		one_step(&in);
	machine_stop();
	return 0;
}
