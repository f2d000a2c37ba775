// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the hypercalls' arguments, from the dispatcher down to p2m, shadow
 * and log, for the first domain in either mode, which makes others, gives them
 * pages and ends them, and for these:
 *
 *  - the answer is one that the definition has;
 *  - a call that answers an error has changed nothing: domains, memory, CR3 (D2),
 *    also when it runs out of memory in the middle;
 *  - one that succeeds writes to the caller's buffer alone, and that is its own
 *    RAM in one page (D1), whichever frames its pages have;
 *  - a frame that comes home from another domain is cleared;
 *  - memory that is nobody's stays as it is, and no frame is lost;
 *  - a call that rearranges frames leaves each domain what it had, also if it fails.
 *
 * Transitions and verify_image are no functions of memory alone: the mini
 * guest's hypercall_fuzz and the failpoints have them.
 */
/* shows: U3 I4 */
#include "tests/fuzz/damage.h"
#include "tests/fuzz/input.h"

#include <string.h>

#include "domain/grant.h"
#include "hypercall/hypercall.h"
#include "lib/failpoint.h"
#include "public/calls.h"
#include "public/errno.h"
#include "tests/fuzz/machine/answers.h"
#include "tests/fuzz/machine/machine.h"
#include "tests/fuzz/machine/window.h"

static u64 next_number(struct input *in, u32 bytes)
{
	u64 x = 0;

	while (bytes-- > 0)
		x = x << 8 | input_byte(in);
	return x;
}

static struct domain *any_domain(struct input *in)
{
	struct domain *d = domain_first();

	for (u32 i = input_byte(in) % (domain_count() + 1); i > 0 && d != NULL; i--)
		d = domain_next(d->domid + 1);
	return d != NULL ? d : domain_first();
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
	u8 how = input_byte(in);

	if (how < 128)
		return near[how % 16] + (u64)((input_byte(in) - 128) * (how & 64 ? 8 : 0x1000));
	if (how < 160)
		return WATCH_START / PAGE_SIZE + how % 32; /* a page's number */
	if (how < 192)
		return how % 4;
	if (how < 208)
		return input_byte(in);
	if (how < 216)
		return any_domain(in)->domid;
	return next_number(in, how % 8 + 1);
}

/* --- what it may change --- */

/* The buffer that a call succeeded with; empty: it has none. */
static struct range buffer_of(u64 nr, const u64 *a)
{
	switch (nr) {
	case VL_CALL_HV_INFO:
	case VL_CALL_PORTIONS:
	case VL_CALL_MEMORY_CLAIM:
	case VL_CALL_CONSOLE_READ:
	case VL_CALL_CONSOLE_GET:
		return (struct range){a[0], a[0] + a[1]};
	case VL_CALL_DOMAIN_INFO:
	case VL_CALL_DOMAIN_COUNTERS:
	case VL_CALL_DOMAIN_SCHED_INFO:
	case VL_CALL_DOMAIN_CONSOLE_READ:
		return (struct range){a[1], a[1] + a[2]};
	case VL_CALL_P2M_READ:
	case VL_CALL_DEVICE_INFO:
	case VL_CALL_VCPU_STATUS:
		return (struct range){a[2], a[2] + a[3]};
	case VL_CALL_PCI_TAKE:
		return (struct range){a[1], a[1] + a[2]};
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
	window_expect_events();
	window_check(d, buffer);
}

/* What is in no portion is at home. */
static void check_portions(const struct domain *d)
{
	for (u64 pfn = WATCH_START / PAGE_SIZE; pfn < WATCH_START / PAGE_SIZE + WATCH_PAGES; pfn++)
		must(portions_have(&d->p2m.portions, (struct range){pfn, pfn + 1}) ||
		     p2m_lookup(&d->p2m, (pfn_t){pfn}).v == pfn);
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
	if (d->events.at != NULL)
		must((u8 *)d->events.at ==
		     machine_page(d, d->events.page.v & PAGE_MASK) + d->events.page.v % PAGE_SIZE);
	if (d->layers & VL_LAYER_MEMORY)
		check_portions(d);
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

/* All domains; those that the calls of one input make are few. */
static struct domain kept[KEPT];

static u32 keep(const struct domain *caller)
{
	u32 n = 0;

	for (const struct domain *d = domain_first(); d != NULL && n < KEPT;
	     d = domain_next(d->domid + 1), n++) {
		kept[n] = *d;
		kept[n].hypercalls += d == caller;
	}
	return n;
}

/* Tickets of locks that were drawn are no state, nor is the vcpu that calls. */
static void check_unchanged(u32 n)
{
	const struct domain *d = domain_first();

	for (u32 i = 0; i < n; i++, d = domain_next(d->domid + 1)) {
		must(d != NULL);
		kept[i].lock = d->lock;
		kept[i].irq_lock = d->irq_lock;
		must(memcmp(&kept[i], d, sizeof(*d)) == 0);
	}
	must(d == NULL || n == KEPT);
}

/* --- calls that rearrange frames --- */

static bool rearranges(u64 nr)
{
	return nr == VL_CALL_TEST_SCATTER || nr == VL_CALL_TEST_REMAP;
}

/* It may end half-way, with an error and each page where its domain finds it. */
static s64 call_that_rearranges(struct domain *d, u64 nr, const u64 *a)
{
	const struct trap_frame frame = {
		.rdi = nr, .rsi = a[0], .rdx = a[1], .rcx = a[2], .r8 = a[3], .r9 = a[4]};
	struct range buffer = {a[3], a[3] + a[4]};
	s64 r;

	window_remember_views();
	r = machine_call(d, &frame);
	must(answer_is_defined(nr, r));
	window_check_views(d, nr == VL_CALL_TEST_REMAP ? buffer : (struct range){0, 0});
	for (const struct domain *each = domain_first(); each != NULL;
	     each = domain_next(each->domid + 1))
		check_domain(each);
	return r;
}

static s64 call(struct domain *d, u64 nr, const u64 *a)
{
	const struct trap_frame frame = {
		.rdi = nr, .rsi = a[0], .rdx = a[1], .rcx = a[2], .r8 = a[3], .r9 = a[4]};
	u64 cr3 = read_cr3(), is_first = d == domain_first();
	u32 n;
	s64 r;

	if (rearranges(nr))
		return call_that_rearranges(d, nr, a);
	window_remember();
	n = keep(d);
	r = machine_call(d, &frame);
	must(answer_is_defined(nr, r));
	if (r < 0) {
		check_unchanged(n);
		must(read_cr3() == cr3);
		window_check(d, (struct range){0, 0});
	} else {
		check_success(d, nr, a);
	}
	if (is_first || r < 0)
		check_domain(d);
	return r;
}

/* A later domain's frames change places, and come home. */
static void rearrange(struct input *in)
{
	u8 how = input_byte(in);
	u64 a[5] = {any_domain(in)->domid, input_byte(in), how % 128, how / 128};

	if (how & 1) {
		a[1] = how / 2 % 3 | (u64)(how / 8 % 3) << VL_REMAP_OWNERS_SHIFT;
		a[2] = 1 + how / 32;
		a[3] = FIRST_RAM.start + input_byte(in) % 8 * PAGE_SIZE;
		a[4] = sizeof(struct vl_remap_counts);
		how = input_byte(in);
		a[1] |= how & 1 ? VL_REMAP_LIVE : 0;
		a[1] |= (how & 14) == 14 ? VL_HOME_STOP : 0;
		how = 1;
	}
	call(domain_first(), how & 1 ? VL_CALL_TEST_REMAP : VL_CALL_TEST_SCATTER, a);
}

static void any_call(struct domain *d, struct input *in)
{
	u8 how = input_byte(in);
	u64 nr = how < 240 ? how % VL_CALL_LIMIT : next_number(in, how % 8 + 1);
	u64 a[5];

	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = argument(in);
	if (!answer_is_elsewhere(nr))
		call(d, nr, a);
}

/* A page goes away or comes home: chance alone moves few twice. */
static void move(u8 what)
{
	u64 a[5] = {FIRST_RAM.start / PAGE_SIZE + what % 4, what >> 7};

	call(domain_first(), VL_CALL_TEST_MOVE_PAGE, a);
}

/* Between the first page of RAM and one behind the last. */
static void portion(struct input *in)
{
	u8 what = input_byte(in), where = input_byte(in);
	u64 a[5] = {FIRST_RAM.start + where % 16 * PAGE_SIZE, (u64)(where / 16) * PAGE_SIZE};

	if (what / 2 % 8 == 0)
		a[1] = VL_PORTION_REST;
	if (what / 2 % 8 == 1)
		a[0] = 0;
	call(domain_first(), what & 1 ? VL_CALL_PORTION_ADD : VL_CALL_PORTION_REMOVE, a);
}

/* --- other domains --- */

/* A page of the caller's, for a structure that is good now and then. */
static u64 buffer_with(const struct domain *d, const void *from, size_t size, u8 where)
{
	for (u64 i = 0; i < 8; i++) {
		u64 pa = FIRST_RAM.start + (where + i) % 8 * PAGE_SIZE;
		void *there = domain_buffer(d, (pa_t){pa}, size);

		if (there == NULL)
			continue;
		memcpy(there, from, size);
		return pa;
	}
	return 0;
}

static void create(struct input *in)
{
	struct vl_domain_create w = {.weight = 1 + input_byte(in)};
	u8 how = input_byte(in), where = input_byte(in);
	u64 a[5] = {0, sizeof(w)};

	memset(w.name, 0, sizeof(w.name));
	w.name[0] = (char)('a' + how % 4);
	w.nr_vcpus = 1 + how / 32 % 4;
	w.memory_start = FIRST_RAM.start + where % 8 * PAGE_SIZE;
	w.memory_size = (1 + where / 8 % 8) * PAGE_SIZE;
	if (how >= 240)
		((u8 *)&w)[input_byte(in) % sizeof(w)] = input_byte(in);
	a[0] = buffer_with(domain_first(), &w, sizeof(w), where);
	if (how % 8 == 7)
		failpoint_set(1 + how / 8 % 4);
	call(domain_first(), VL_CALL_DOMAIN_CREATE, a);
	failpoint_set(0);
}

static void give(struct input *in)
{
	const struct domain *to = any_domain(in);
	u64 list[4], count = 1 + input_byte(in) % ARRAY_SIZE(list), a[5] = {to->domid};
	u8 how = input_byte(in);

	for (u64 i = 0; i < count; i++)
		list[i] = FIRST_RAM.start / PAGE_SIZE + input_byte(in) % (how < 32 ? 16 : 8);
	a[1] = to->main_ram.at[0].start / PAGE_SIZE + how % 4;
	a[2] = buffer_with(domain_first(), list, count * sizeof(u64), how);
	a[3] = count * sizeof(u64);
	if (how % 8 == 7)
		failpoint_set(1 + how / 8 % 8);
	call(domain_first(), VL_CALL_MEMORY_GIVE, a);
	failpoint_set(0);
}

static void take(struct input *in)
{
	struct domain *from = any_domain(in);
	u8 how = input_byte(in);
	u64 a[5] = {how & 1 ? VL_DOMID_SELF : from->domid,
		    from->main_ram.at[0].start / PAGE_SIZE + input_byte(in) % 4,
		    input_byte(in) % 4};

	call(how & 1 ? from : domain_first(), VL_CALL_MEMORY_TAKE, a);
}

static void destroy(struct input *in)
{
	u64 a[5] = {any_domain(in)->domid};

	call(domain_first(), VL_CALL_DOMAIN_DESTROY, a);
}

/* --- shared pages --- */

#define FOREIGN_PFN 0x200u /* no RAM is there */

static void offer(struct input *in)
{
	struct domain *d = any_domain(in);
	u64 a[5] = {any_domain(in)->domid,
		    d->memory.range[0].start / PAGE_SIZE + input_byte(in) % 8, input_byte(in) % 2};

	call(d, VL_CALL_GRANT_OFFER, a);
}

static void map(struct input *in)
{
	u64 a[5] = {any_domain(in)->domid, input_byte(in) % 4, FOREIGN_PFN + input_byte(in) % 4};

	call(any_domain(in), VL_CALL_GRANT_MAP, a);
}

static void unmap(struct input *in)
{
	struct domain *d = any_domain(in);
	u8 how = input_byte(in);
	u64 a[5] = {how & 1 ? FOREIGN_PFN + how / 2 % 4 : how / 2 % 4};

	call(d, how & 1 ? VL_CALL_GRANT_UNMAP : VL_CALL_GRANT_REVOKE, a);
}

/* Who has the frame that a domain has mapped: another one, which knows that it is in use. */
static void check_foreign(const struct domain *d)
{
	for (u64 pfn = FOREIGN_PFN; pfn < FOREIGN_PFN + 4; pfn++) {
		mfn_t mfn = p2m_lookup(&d->p2m, (pfn_t){pfn});
		u32 lenders = 0;

		must(p2m_is_foreign(&d->p2m, (pfn_t){pfn}) == grant_is_mapped(d, pfn));
		if (!grant_is_mapped(d, pfn))
			continue;
		for (const struct domain *o = domain_first(); o != NULL;
		     o = domain_next(o->domid + 1))
			lenders += o != d && window_lends(o, mfn);
		must(lenders == 1);
	}
}

static void check_sharing(void)
{
	for (const struct domain *d = domain_first(); d != NULL; d = domain_next(d->domid + 1))
		if (d->layers & VL_LAYER_MEMORY)
			check_foreign(d);
}

static void sharing(struct input *in)
{
	u8 what = input_byte(in) % 8;

	if (what < 3)
		offer(in);
	else if (what < 6)
		map(in);
	else
		unmap(in);
}

static void others(struct input *in)
{
	u8 what = input_byte(in) % 16;

	if (what < 2)
		create(in);
	else if (what < 5)
		give(in);
	else if (what < 7)
		take(in);
	else if (what < 8)
		destroy(in);
	else
		sharing(in);
	check_sharing();
}

static void touch(struct input *in)
{
	u8 what = input_byte(in);
	pa_t page = {FIRST_RAM.start + what % 8 * PAGE_SIZE};

	machine_touch(argument(in), page, what & 64, what & 128);
}

static void one_step(struct input *in)
{
	u8 what = input_byte(in);

	if (what < 8) {
		machine_virtualize(VL_LAYER_CPU | (what & 1 ? VL_LAYER_MEMORY : 0) |
				   (what & 2 ? VL_LAYER_INTERRUPTS : 0));
	} else if (what < 16) {
		window_remember();
		machine_devirtualize();
		window_check(domain_first(), (struct range){0, 0});
	} else if (what < 24) {
		move(input_byte(in));
	} else if (what < 32) {
		rearrange(in);
	} else if (what < 48) {
		portion(in);
	} else if (what < 64) {
		touch(in);
	} else if (what < 128) {
		others(in);
	} else {
		any_call(what < 224 ? domain_first() : any_domain(in), in);
	}
}

/* Chance alone takes long to come here: two domains with two pages each, that offer each other and
 * the first guest one; the pages have the numbers of their frames, or not. */
static void populate(bool at_home)
{
	struct vl_domain_create w = {.name = "x",
				     .memory_start = FIRST_RAM.start,
				     .memory_size = 8 * PAGE_SIZE,
				     .nr_vcpus = 1,
				     .weight = VL_WEIGHT_USUAL};
	u64 first_pfn = FIRST_RAM.start / PAGE_SIZE, domid[3] = {0}, list[2], a[5] = {0};
	u64 at[3] = {first_pfn, first_pfn, first_pfn};

	machine_virtualize(VL_LAYER_ALL);
	for (u64 i = 1; i < 3; i++) {
		w.name[0] = (char)('x' + i);
		a[0] = buffer_with(domain_first(), &w, sizeof(w), 0);
		a[1] = sizeof(w);
		domid[i] = (u64)call(domain_first(), VL_CALL_DOMAIN_CREATE, a);
		list[0] = first_pfn + 2 * i;
		list[1] = list[0] + 1;
		if (at_home)
			at[i] = list[0];
		a[0] = domid[i];
		a[1] = at[i];
		a[2] = buffer_with(domain_first(), list, sizeof(list), 0);
		a[3] = sizeof(list);
		must(call(domain_first(), VL_CALL_MEMORY_GIVE, a) == 0);
	}
	for (u64 i = 0; i < 3; i++)
		for (u64 to = 0; to < 3; to++) {
			a[0] = domid[to];
			a[1] = at[i] + (to & 1);
			a[2] = to & 1;
			if (to != i)
				must(call(domain_find(domid[i], NULL), VL_CALL_GRANT_OFFER, a) >=
				     0);
		}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool booted;
	struct input in = {data, size};
	u8 how;

	if (!booted)
		machine_boot();
	booted = true;
	machine_start();
	how = input_byte(&in);
	if (how & 1)
		populate(how & 2);
	while (in.left > 0)
		one_step(&in);
	machine_stop();
	return 0;
}
