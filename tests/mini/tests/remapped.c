// SPDX-License-Identifier: MIT
/*
 * Remapping a later domain under a guest that looks at all of its memory all the
 * while (remapped.h): scattered at random and brought home, in each mode, with
 * each kind of owners, in slices, stopped anywhere, with each allocation failing.
 * Debug builds; for those who ask for them.
 */
#include "mini/tests/remapped.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/later.h"
#include "mini/tests/random.h"
#include "mini/timer.h"

#define PAGES     1200u        /* of the guest that runs */
#define LIMIT     20000u       /* ms */
#define LARGE     ((u64)65536) /* pages of the one that is measured: 256 MiB */
#define SAMPLE    1000u
#define BOUND     120u  /* per cent of REP MOVSQ */
#define EXCHANGES 850u  /* the same, of each page that is exchanged */
#define SEARCHED  1024u /* pages of the one whose owners are searched for, which takes so much */
#define SEARCH    260u  /* instructions for each of them and each page away */
#define LOOK      40u   /* instructions for a page that is at home among others that are not, */
#define CYCLE     2500u /* and for each cycle */
#define BESIDE    40u
#define SLICE     16u  /* pages, while it runs, */
#define RUN       500u /* for so many microseconds each time */
#define CODE64    0x00af9b000000ffffull
#define DATA      0x00cf93000000ffffull
#define NR_MODES  (VL_REMAP_DIRECT + 1)
#define NR_OWNERS 3u

extern const u8 remapped_code[], remapped_code_end[];

static struct vl_vcpu_start start __attribute__((aligned(64)));
static struct vl_remap_counts counts __attribute__((aligned(64)));
static u8 buffer[PAGE_SIZE] __attribute__((aligned(4096)));
static struct {
	u64 domid;
	pa_t base;
	u64 pages;
	u64 read; /* of its console */
} guest;

/* --- the guest --- */

static u8 *page(u64 number)
{
	return pa_to_ptr((pa_t){guest.base.v + number * PAGE_SIZE});
}

static u64 pa_of(u64 number)
{
	return guest.base.v + number * PAGE_SIZE;
}

static void fill(void)
{
	u64 *gdt = (u64 *)page(REMAPPED_GDT), *pd = (u64 *)page(REMAPPED_PD);

	CHECK((u64)(remapped_code_end - remapped_code) <= PAGE_SIZE, "its code is too long");
	for (u64 i = 0; i < REMAPPED_WORDS; i++)
		memset(page(i), 0, PAGE_SIZE);
	memcpy(page(REMAPPED_CODE), remapped_code, (u64)(remapped_code_end - remapped_code));
	gdt[2] = CODE64;
	gdt[3] = DATA;
	*(u64 *)page(REMAPPED_ROOT) = pa_of(REMAPPED_PDPT) | PTE_P | PTE_W;
	*(u64 *)page(REMAPPED_PDPT) = pa_of(REMAPPED_PD) | PTE_P | PTE_W;
	for (u64 i = 0; i < NR_ENTRIES; i++)
		pd[i] = i * LARGE_SIZE | PTE_P | PTE_W | PTE_PS;
}

/* Each page at home. */
static void give(void)
{
	for (u64 at = 0, count; at < guest.pages; at += count) {
		count = min_u64(guest.pages - at, VL_MEMORY_GIVE_PAGES);
		for (u64 i = 0; i < count; i++)
			guests_list.pfn[i] = pa_of(at + i) >> PAGE_SHIFT;
		CHECK(guest_give(guest.domid, pa_of(at) >> PAGE_SHIFT, count) == 0, "give failed");
	}
}

static void make(u64 pages)
{
	s64 answer;

	guests_go_in();
	guest.pages = pages;
	guest.base = frame_alloc_row(pages, (pa_t){0}, (pa_t){2 * GIB});
	CHECK(guest.base.v != 0, "this machine has not so many frames in a row");
	guest_want("remapped", pages);
	guest_wanted.memory_start = guest.base.v;
	answer = guest_create();
	CHECK(answer > 0, "create answered %ld", answer);
	guest.domid = (u64)answer;
	guest.read = 0;
	fill();
	give();
	start = (struct vl_vcpu_start){
		.rip = pa_of(REMAPPED_CODE),
		.rdi = pages * PAGE_SIZE,
		.cr3 = pa_of(REMAPPED_ROOT),
		.gdt_base = pa_of(REMAPPED_GDT),
		.gdt_limit = 4 * sizeof(u64) - 1,
	};
	answer = vl_call_vcpu_start(hypercall_page, guest.domid, 0, ptr_to_pa(&start).v,
				    sizeof(start));
	CHECK(answer == 0, "vcpu_start answered %ld", answer);
}

static void destroy(void)
{
	guest_destroy(guest.domid);
	for (u64 i = 0; i < guest.pages; i++) {
		const u64 *word = (const u64 *)page(i);

		for (u64 k = 0; k < PAGE_SIZE / sizeof(*word); k += 8)
			CHECK(word[k] == 0, "page %lu came back with %#lx", i, word[k]);
		frame_free((pa_t){pa_of(i)});
	}
}

static u64 rounds(void)
{
	struct vl_console_read *head = (void *)buffer;
	s64 answer;

	head->pos = guest.read;
	answer = vl_call_domain_console_read(hypercall_page, guest.domid, ptr_to_pa(buffer).v,
					     sizeof(buffer));
	CHECK(answer >= 0, "domain_console_read answered %ld", answer);
	guest.read = head->pos + head->size;
	return guest.read;
}

/* It runs until it has looked at all of its memory once more, and stands. */
static void look(const char *after, u64 round)
{
	u64 end = rdtsc() + LIMIT * tsc_per_ms(), begin = rounds();

	CHECK(vl_call_domain_unpause(hypercall_page, guest.domid) == 0, "unpause failed");
	while (rounds() < begin + 2) {
		CHECK(later_state(guest.domid) == VL_STATE_RUNNING && rdtsc() < end,
		      "%s, round %lu: it is in state %u after %lu rounds of its own", after, round,
		      later_state(guest.domid), rounds() - begin);
		timer_start_once(1000);
		interrupts_on_and_halt();
		interrupts_off();
	}
	CHECK(vl_call_domain_pause(hypercall_page, guest.domid) == 0, "pause failed");
}

/* --- scattering and remapping --- */

/* Pages at home among the next ranges of its p2m, as many as there is room for. */
static u64 read_home(u64 *pfn)
{
	const struct vl_p2m_read *head = (const void *)buffer;
	const struct vl_p2m_range *r = (const void *)(head + 1);
	s64 count = vl_call_p2m_read(hypercall_page, guest.domid, *pfn, ptr_to_pa(buffer).v,
				     sizeof(buffer));
	u64 home = 0;

	CHECK(count >= 0, "p2m_read answered %ld", count);
	for (s64 i = 0; i < count; i++)
		home += r[i].pfn == r[i].mfn ? r[i].count : 0;
	*pfn = head->next;
	return home;
}

static u64 away(void)
{
	u64 pfn = pa_of(0) >> PAGE_SHIFT, home = 0;

	while (pfn != ~(u64)0)
		home += read_home(&pfn);
	return guest.pages - home;
}

static u64 scatter(u64 seed, u64 percent, u64 beside)
{
	s64 answer = vl_call_test_scatter(hypercall_page, guest.domid, seed, percent, beside);

	if (answer == -VL_EOPNOTSUPP)
		test_skip("a release build");
	CHECK(answer >= 0, "test_scatter answered %ld", answer);
	return (u64)answer;
}

static s64 remap(u64 how, u64 slice, u64 stop)
{
	return vl_call_test_remap(hypercall_page, guest.domid, how, slice | stop << 32,
				  ptr_to_pa(&counts).v, sizeof(counts));
}

static void remap_all(u64 how, u64 slice)
{
	s64 answer = remap(how, slice, 0);

	CHECK(answer == 0, "test_remap %#lx answered %ld", how, answer);
	CHECK(away() == 0, "%lu pages are not at home", away());
}

static u64 partition_free(void)
{
	return guests_partition_free();
}

/* Made, and it has looked; the partition's free bytes, with all that guests in general take. */
static u64 begin(void)
{
	u64 pages = PAGES;

	cmdline_get_hex("pages", &pages);
	guests_go_in();
	guests_warm_up();
	make(pages);
	look("made", 0);
	return partition_free();
}

/* A guest that nobody remaps, and each way of remapping. */
TEST_ON_REQUEST(remapped_ways, "M4 M11 M12 M14 M15 M16 M17")
{
	u64 free = begin(), seed = 1;

	for (u64 mode = 0; mode < NR_MODES; mode++) {
		for (u64 owners = 0; owners < NR_OWNERS; owners++, seed++) {
			u64 how = mode | owners << VL_REMAP_OWNERS_SHIFT;
			/* With free places there may be no cycles. */
			u64 beside = owners == 0 ? BESIDE : 0;
			u64 moved = scatter(seed, 20 + seed * 8, beside);

			CHECK(moved > guest.pages / 10 && moved == away(),
			      "%lu pages are away, not %lu", away(), moved);
			look("scattered", how);
			remap_all(how, seed * seed);
			CHECK(counts.copied + 2 * counts.exchanged >= moved &&
				      counts.copied <= moved,
			      "%lu were away, %lu copied, %lu exchanged", moved, counts.copied,
			      counts.exchanged);
			CHECK((counts.exchanged != 0) == (mode == VL_REMAP_DIRECT), "%lu exchanged",
			      counts.exchanged);
			look("remapped", how);
			CHECK(partition_free() == free, "%lu bytes free, there were %lu",
			      partition_free(), free);
		}
	}
	destroy();
}

/* Stopped after any number of slices, it goes on where it is; and ends with some pages away. */
TEST_ON_REQUEST(remapped_stops, "M4 M12 M14")
{
	u64 state = 4, stopped = 0;

	make(PAGES);
	look("made", 0);
	for (u64 i = 0; i < 12; i++) {
		u64 how = (i % NR_MODES) | (i / 3 % NR_OWNERS) << VL_REMAP_OWNERS_SHIFT;
		s64 answer;

		scatter(i + 1, 100, i % 2 == 0 ? BESIDE : 0);
		answer = remap(how, 1 + random_below(&state, 20), 1 + random_below(&state, 60));
		CHECK(answer == 0 || answer == -VL_EIO, "test_remap answered %ld", answer);
		stopped += answer != 0;
		look("stopped", i);
		if (i % 3 == 0)
			remap_all(how, 100);
	}
	CHECK(stopped > 3, "only %lu were stopped", stopped);
	destroy();
}

/* How many allocations there are, each of which fails in turn. */
static u64 fail_each(u64 how, u64 free)
{
	u64 step = 0;
	s64 answer;

	do {
		scatter(step + 1, 100, 0);
		CHECK(vl_call_set_failpoint(hypercall_page, ++step) == 0, "set_failpoint");
		answer = remap(how, 64, 0);
		CHECK(answer == 0 || answer == -VL_ENOMEM, "failpoint %lu: %ld", step, answer);
		look("failed", step);
		CHECK(partition_free() == free, "failpoint %lu: %lu bytes free, there were %lu",
		      step, partition_free(), free);
	} while (answer != 0 && step < 50);
	CHECK(answer == 0, "failpoint %lu: %ld", step, answer);
	return step - 1;
}

/* Tables for owners, which a search does without; and the spare frame of those that need one. */
TEST_ON_REQUEST(remapped_failpoints, "M12 M14 M15 M16 M17")
{
	u64 free;

	make(PAGES);
	look("made", 0);
	free = partition_free();
	for (u64 owners = 0; owners < NR_OWNERS; owners++) {
		u64 kind = owners << VL_REMAP_OWNERS_SHIFT;
		u64 tables = fail_each(VL_REMAP_DIRECT | kind, free);
		u64 all = fail_each(VL_REMAP_INDIRECT | kind, free);

		print("# owners %lu: %lu allocations, with the spare frame %lu\n", owners, tables,
		      all);
		CHECK(kind == VL_REMAP_SEARCH ? tables == 0 : tables > 2, "%lu allocations",
		      tables);
		CHECK(all >= tables + (tables == 0), "%lu and %lu allocations", tables, all);
	}
	scatter(99, 100, 0);
	destroy();
}

/* --- live: it looks at its memory between two calls, each of which moves a few pages --- */

static void let_it_run(u32 us)
{
	timer_start_once(us);
	interrupts_on_and_halt();
	interrupts_off();
}

static void check_frozen(void)
{
	u64 pfn = pa_of(guest.pages - 1) >> PAGE_SHIFT;

	guests_list.pfn[0] = pfn;
	CHECK(guest_give(guest.domid, pfn, 1) == -VL_EBUSY, "a page was given");
	CHECK(vl_call_memory_take(hypercall_page, guest.domid, pfn, 1) == -VL_EBUSY,
	      "a page was taken");
	CHECK(vl_call_test_scatter(hypercall_page, guest.domid, 1, 1, 0) == -VL_EBUSY,
	      "it was scattered");
	CHECK(vl_call_hand_over(hypercall_page, guest.domid, VL_REMAP_USUAL) == -VL_EBUSY,
	      "it got the machine");
	CHECK(remap(VL_REMAP_AUTO, 1, 0) == -VL_EBUSY, "it was remapped otherwise");
}

/* Until so many calls were made, or it is done; what the last one answered. */
static s64 remap_live(u64 how, u64 slice, u64 calls)
{
	s64 left;

	do {
		left = remap(how | VL_REMAP_LIVE, slice, 0);
		CHECK(left >= 0 || left == -VL_ENOMEM, "test_remap answered %ld", left);
		let_it_run(RUN);
	} while (left > 0 && --calls != 0);
	return left;
}

TEST_ON_REQUEST(remapped_live, "M4 M11 M12 M13 M15 M16 M17")
{
	u64 free = begin(), seed = 1;

	for (u64 mode = 0; mode < NR_MODES; mode++) {
		for (u64 owners = 0; owners < NR_OWNERS; owners++, seed++) {
			u64 how = mode | owners << VL_REMAP_OWNERS_SHIFT, before, ran;
			u64 moved = scatter(seed, 20 + seed * 8, owners == 0 ? BESIDE : 0);

			CHECK(vl_call_domain_unpause(hypercall_page, guest.domid) == 0, "unpause");
			before = rounds();
			CHECK(remap_live(how, 1, 2) > 0, "it was done at once");
			check_frozen();
			CHECK(remap_live(how, SLICE, ~(u64)0) == 0, "it ended early");
			ran = rounds() - before;
			CHECK(away() == 0, "%lu pages are not at home", away());
			CHECK(vl_call_domain_pause(hypercall_page, guest.domid) == 0, "pause");
			print("# live %#lx: %lu pages, %lu copied, %lu exchanged; meanwhile it "
			      "changed "
			      "each page %lu times\n",
			      how, moved, counts.copied, counts.exchanged, ran);
			CHECK(ran > 2, "it has changed all of its memory %lu times", ran);
			look("remapped", how);
			CHECK(partition_free() == free, "%lu bytes free, there were %lu",
			      partition_free(), free);
		}
	}
	destroy();
}

/* It ends early: by will, by each allocation that fails, and with the guest. */
TEST_ON_REQUEST(remapped_live_ends, "M12 M13")
{
	u64 failed = 0, pages = PAGES;
	s64 answer;

	cmdline_get_hex("pages", &pages);
	make(pages);
	look("made", 0);
	for (u64 i = 0; i < 6; i++) {
		scatter(i + 1, 100, i % 2 == 0 ? BESIDE : 0);
		CHECK(vl_call_domain_unpause(hypercall_page, guest.domid) == 0, "unpause");
		CHECK(remap_live(i % NR_MODES, 3 + i, 20 + i) > 0, "it was done at once");
		answer = remap(VL_REMAP_LIVE | VL_HOME_STOP, 1, 0);
		CHECK(answer > 0 && (u64)answer == away(), "%ld of %lu pages are away", answer,
		      away());
		CHECK(vl_call_domain_pause(hypercall_page, guest.domid) == 0, "pause");
		look("stopped", i);
	}
	for (u64 step = 1; step < 8; step++) {
		scatter(step, 100, 0);
		CHECK(vl_call_domain_unpause(hypercall_page, guest.domid) == 0, "unpause");
		CHECK(vl_call_set_failpoint(hypercall_page, step) == 0, "set_failpoint");
		failed += remap_live(VL_REMAP_INDIRECT, SLICE, 1) == -VL_ENOMEM;
		CHECK(remap_live(VL_REMAP_INDIRECT, SLICE, ~(u64)0) == 0, "then it did not end");
		CHECK(vl_call_domain_pause(hypercall_page, guest.domid) == 0, "pause");
		look("failed", step);
	}
	CHECK(failed > 2, "%lu failed", failed);
	scatter(99, 100, BESIDE);
	CHECK(vl_call_domain_unpause(hypercall_page, guest.domid) == 0, "unpause");
	CHECK(remap_live(VL_REMAP_AUTO, SLICE, 30) > 0, "it was done at once");
	destroy();
}

/* What cannot be remapped is refused, and nothing has changed. */
TEST_ON_REQUEST(remapped_refused, "M10 M14")
{
	u64 list[2];

	make(64);
	scatter(1, 0, 0);
	CHECK(remap(VL_REMAP_DIRECT + 1, 1, 0) == -VL_EINVAL, "an unknown mode");
	CHECK(remap(NR_OWNERS << VL_REMAP_OWNERS_SHIFT, 1, 0) == -VL_EINVAL, "unknown owners");
	CHECK(remap(0, 0, 0) == -VL_EINVAL, "no pages at a time");
	CHECK(vl_call_test_remap(hypercall_page, VL_DOMID_SELF, 0, 1, ptr_to_pa(&counts).v,
				 sizeof(counts)) == -VL_ENOENT,
	      "the first guest");
	/* The place of its last page is ours again, and the page in another frame. */
	list[0] = pa_of(63) >> PAGE_SHIFT;
	CHECK(guest_take(guest.domid, list[0], 1) == 0, "take failed");
	guests_list.pfn[0] = frame_alloc().v >> PAGE_SHIFT;
	list[1] = guests_list.pfn[0];
	CHECK(guest_give(guest.domid, list[0], 1) == 0, "give failed");
	CHECK(away() == 1, "%lu pages are away", away());
	CHECK(remap(0, 1, 0) == -VL_EBUSY, "a place that is the first guest's");
	CHECK(away() == 1 && counts.copied == 0, "a page has moved");
	CHECK(vl_call_domain_unpause(hypercall_page, guest.domid) == 0, "unpause failed");
	CHECK(remap(0, 1, 0) == -VL_EBUSY, "a guest that runs");
	CHECK(vl_call_domain_pause(hypercall_page, guest.domid) == 0, "pause failed");
	look("refused", 0);
	destroy();
	frame_free((pa_t){list[1] << PAGE_SHIFT});
}

/* --- cost --- */

static u64 copy_cost(void)
{
	u8 *to = pa_to_ptr(frame_alloc()), *from = pa_to_ptr(frame_alloc());
	u64 begin = 0;

	for (u32 i = 0; i < SAMPLE + 10; i++) {
		void *d = to;
		const void *s = from;
		u64 words = PAGE_SIZE / 8;

		if (i == 10) /* the first ones fault */
			begin = rdtsc();
		asm volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
	}
	begin = rdtsc() - begin;
	frame_free(ptr_to_pa(to));
	frame_free(ptr_to_pa(from));
	return begin / SAMPLE;
}

/* What a remap of all that is away may take beside `more`. */
static void check_cost(const char *what, u64 how, u64 percent, u64 copy, u64 more)
{
	u64 moved = scatter(percent + how + 1, percent, 0), copies, bound;

	remap_all(how, guest.pages);
	copies = counts.copied + counts.evacuated;
	print("# cost %s %lu %%: %lu of %lu pages away, %lu copies, %lu exchanges, %lu ticks, of a "
	      "page %lu, of REP MOVSQ %lu\n",
	      what, percent, moved, guest.pages, copies, counts.exchanged, counts.ticks,
	      counts.ticks / max_u64(copies + counts.exchanged, 1), copy);
	bound = (copies * BOUND + counts.exchanged * EXCHANGES) * copy / 100 + 2000 + more;
	if (moved != 0)
		bound += (guest.pages - moved) * LOOK;
	if (percent < 50) /* which are short */
		bound += counts.evacuated * CYCLE;
	CHECK(counts.ticks <= bound, "%lu ticks, more than %lu", counts.ticks, bound);
}

/* In one emulator that counts instructions, against REP MOVSQ of as many pages. The time that is
 * bounded grows with what is moved; next to nothing is spent where nothing is. */
TEST_ON_REQUEST(remapped_cost, "M14 M15 M16 M17")
{
	static const u8 percents[] = {0, 1, 10, 50, 100};
	u64 copy = copy_cost(), pages = LARGE, searches = (u64)SEARCHED * SEARCHED * SEARCH;

	make(SEARCHED);
	check_cost("refcount direct", VL_REMAP_DIRECT | VL_REMAP_REFCOUNT, 100, copy, searches);
	check_cost("search", VL_REMAP_INDIRECT | VL_REMAP_SEARCH, 100, copy, searches);
	check_cost("search direct", VL_REMAP_DIRECT | VL_REMAP_SEARCH, 100, copy, searches);
	destroy();
	cmdline_get_hex("pages", &pages);
	make(pages);
	for (u32 i = 0; i < ARRAY_SIZE(percents); i++)
		check_cost("backmap", VL_REMAP_INDIRECT | VL_REMAP_BACKMAP, percents[i], copy, 0);
	check_cost("refcount", VL_REMAP_INDIRECT | VL_REMAP_REFCOUNT, 100, copy, 0);
	/* It stays: a debug build takes long to end so large a guest. */
	check_cost("backmap direct", VL_REMAP_DIRECT | VL_REMAP_BACKMAP, 100, copy, 0);
}
