// SPDX-License-Identifier: MIT
/*
 * Page sharing: two guests with equal pages, within each and between the two.
 * Vellum puts them together; whoever writes to one, by a store, by a hypercall's
 * answer or by using it as a page table, is the only one to see it; each page is
 * what its guest believes, and the counts are right.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/puppet.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define GUESTS  2u
#define A_GUEST (PUPPET_PAGES + 1) /* of guests_frame[] */
#define RATE    20000u
#define LIMIT   10000u /* ms */
#define TRIES   100u

/* What their free pages are at first: */
#define ZERO    PUPPET_FREE /* zeros */
#define ZEROS   6u
#define EQUAL   (ZERO + ZEROS) /* all the same */
#define EQUALS  5u
#define TABLE   (EQUAL + EQUALS) /* a page table, the same in both guests */
#define CALL    (TABLE + 1)      /* the same in both */
#define SOLE    (CALL + 1)       /* each different from all others */
#define SOLES   (PUPPET_PAGES - SOLE)
#define PATTERN 0x4242424242424242ul
#define BUFFER  256u /* of a hypercall */

static struct puppet puppet[GUESTS];
static struct vl_share_info info __attribute__((aligned(128)));

/* --- the guests --- */

static void fill_page(u32 guest, u32 number)
{
	u64 *page = (u64 *)guests_page(guest * A_GUEST + number);
	u64 target = round_up(guests_first_pfn() << PAGE_SHIFT, 2 * MIB) + SOLE * PAGE_SIZE;

	for (u64 i = 0; i < NR_ENTRIES; i++) {
		if (number < EQUAL)
			page[i] = 0;
		else if (number < TABLE)
			page[i] = PATTERN;
		else if (number == TABLE)
			page[i] = i == 0 ? target | PTE_P | PTE_W : 0;
		else if (number == CALL)
			page[i] = ~PATTERN;
		else
			page[i] = i << 32 | (u64)(guest + 1) << 16 | number;
	}
}

static void begin(void)
{
	guests_go_in();
	guests_take_frames(GUESTS * A_GUEST);
	for (u32 g = 0; g < GUESTS; g++) {
		for (u32 i = 0; i < PUPPET_FREE; i++)
			memset(guests_page(g * A_GUEST + i), 0, PAGE_SIZE);
		for (u32 i = PUPPET_FREE; i < PUPPET_PAGES; i++)
			fill_page(g, i);
		puppet_start(&puppet[g], g == 0 ? "a" : "b", g * A_GUEST);
		CHECK(puppet_pa(&puppet[g], 0) == puppet_pa(&puppet[0], 0),
		      "their memory begins at different addresses");
	}
}

static void end(void)
{
	for (u32 i = 0; i < GUESTS; i++)
		for (u32 k = 0; k < PUPPET_PAGES; k++)
			for (u64 at = 0; at < PAGE_SIZE; at += sizeof(u64))
				CHECK(*(u64 *)(guests_page(i * A_GUEST + k) + at) == 0,
				      "page %u of guest %u came back with something in it", k, i);
	guests_free_frames(GUESTS * A_GUEST);
	CHECK(devirtualize() == 0, "devirtualize failed");
}

static u64 frame_of(u32 guest, u32 number)
{
	return guest_machine_frame(puppet[guest].domid,
				   puppet_pa(&puppet[guest], number) >> PAGE_SHIFT);
}

static u64 read_word(u32 guest, u32 number, u64 offset)
{
	u64 word = 0;

	CHECK(puppet_read(&puppet[guest], puppet_pa(&puppet[guest], number) + offset, &word),
	      "guest %u ended when it read page %u", guest, number);
	return word;
}

static void write_word(u32 guest, u32 number, u64 offset, u64 word)
{
	CHECK(puppet_write(&puppet[guest], puppet_pa(&puppet[guest], number) + offset, word),
	      "guest %u ended when it wrote page %u", guest, number);
}

/* --- sharing --- */

static s64 share(u64 how, u64 rate)
{
	return vl_call_share(hypercall_page, how, rate, ptr_to_pa(&info).v, sizeof(info));
}

static void ask(void)
{
	s64 answer = share(VL_SHARE_KEEP, 0);

	CHECK(answer == 0, "share answered %ld", answer);
	CHECK(info.frames + info.kept == info.pages, "%lu pages in %lu frames, %lu kept",
	      info.pages, info.frames, info.kept);
}

/* Until all pages were looked at so many times more. */
static void let_it_look(u64 times)
{
	u64 until, deadline = rdtsc() + LIMIT * tsc_per_ms();

	ask();
	for (until = info.passes + times; info.passes < until; ask()) {
		CHECK(rdtsc() < deadline, "%lu pages were looked at, %lu times all", info.looked,
		      info.passes);
		timer_start_once(2000);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

static void turn_on(void)
{
	s64 answer = share(VL_SHARE_ON, RATE);

	CHECK(answer == 0, "share answered %ld", answer);
	CHECK(info.on == 1 && info.rate == RATE, "it is not on");
	let_it_look(3);
}

static void turn_off(void)
{
	s64 left;
	u64 calls = 0;

	do {
		left = share(VL_SHARE_OFF, 0);
		CHECK(left >= 0 && (u64)left == info.pages, "share answered %ld, of %lu", left,
		      info.pages);
	} while (left != 0 && ++calls < 100);
	CHECK(left == 0 && info.on == 0 && info.kept == 0 && info.frames == 0,
	      "%lu pages share %lu frames", info.pages, info.frames);
}

/* How many pages the guests have, and in how many frames they are, as the p2ms say. */
static u64 count_frames(u32 guests, u64 *in)
{
	u64 seen[GUESTS * PUPPET_PAGES], frames = 0, pages = 0;

	for (u32 g = 0; g < guests; g++) {
		for (u32 i = 0; i < PUPPET_PAGES; i++) {
			u64 frame = frame_of(g, i), k = 0;

			if (frame == 0)
				continue;
			pages++;
			while (k < frames && seen[k] != frame)
				k++;
			if (k == frames)
				seen[frames++] = frame;
		}
	}
	*in = frames;
	return pages;
}

/* So many pages less frames are what is kept; at a moment when nobody changes anything. */
static void check_counts(u32 guests)
{
	u64 pages, frames, changes;

	for (u32 i = 0; i < TRIES; i++) {
		ask();
		changes = info.merged + info.broken;
		pages = count_frames(guests, &frames);
		ask();
		if (info.merged + info.broken != changes)
			continue;
		CHECK(info.kept == pages - frames, "%lu pages are in %lu frames, %lu are kept",
		      pages, frames, info.kept);
		return;
	}
	test_fail("pages are merged and broken off without an end");
}

static void check_same(u32 guest, u32 number, u32 other, u32 other_number)
{
	CHECK(frame_of(guest, number) == frame_of(other, other_number),
	      "page %u of guest %u is in %#lx, page %u of guest %u in %#lx", number, guest,
	      frame_of(guest, number), other_number, other, frame_of(other, other_number));
}

static void check_alone(u32 guest, u32 number)
{
	for (u32 g = 0; g < GUESTS; g++)
		for (u32 i = 0; i < PUPPET_PAGES; i++)
			CHECK((g == guest && i == number) ||
				      frame_of(g, i) != frame_of(guest, number),
			      "page %u of guest %u shares with page %u of %u", number, guest, i, g);
}

static void check_merged(void)
{
	for (u32 g = 0; g < GUESTS; g++) {
		for (u32 i = 0; i < ZEROS; i++)
			check_same(g, ZERO + i, 0, ZERO);
		for (u32 i = 0; i < EQUALS; i++)
			check_same(g, EQUAL + i, 0, EQUAL);
		check_same(g, TABLE, 0, TABLE);
		check_same(g, CALL, 0, CALL);
		for (u32 i = 0; i < SOLES; i++)
			check_alone(g, SOLE + i);
	}
	CHECK(frame_of(0, ZERO) != frame_of(0, EQUAL), "different pages share a frame");
	check_counts(GUESTS);
	CHECK(info.zero >= 2 * ZEROS - 1 && info.merged >= info.zero + 2 * EQUALS + 1,
	      "%lu merged, %lu of zeros", info.merged, info.zero);
}

/* First words of all pages are what they were, but for one page. */
static void check_words(u32 but_guest, u32 but_number)
{
	for (u32 g = 0; g < GUESTS; g++) {
		for (u32 i = ZERO; i < PUPPET_PAGES; i++) {
			u64 want = (u64)(g + 1) << 16 | i;

			if ((g == but_guest && i == but_number) || i == TABLE)
				continue;
			if (i < TABLE)
				want = i < EQUAL ? 0 : PATTERN;
			else if (i == CALL)
				want = ~PATTERN;
			CHECK(read_word(g, i, 0) == want, "page %u of guest %u begins with %#lx", i,
			      g, read_word(g, i, 0));
		}
	}
}

#define NOBODY GUESTS

TEST_ON_REQUEST(share_merges, "U8 M4 M15 M16")
{
	begin();
	turn_on();
	check_merged();
	check_words(NOBODY, 0);
	print("# share: %lu pages in %lu frames; %lu pieces, the longest of %lu ticks\n",
	      info.pages, info.frames, info.pieces, info.longest);
	turn_off();
	check_counts(GUESTS);
	for (u32 g = 0; g < GUESTS; g++)
		for (u32 i = 0; i < PUPPET_PAGES; i++)
			check_alone(g, i);
	check_words(NOBODY, 0);
	turn_on();
	check_merged();
	turn_off();
	for (u32 g = 0; g < GUESTS; g++)
		guest_destroy(puppet[g].domid);
	end();
}

/* Whoever writes to a page is the only one to see it, and it alone has another frame. */
TEST_ON_REQUEST(share_breaks, "U8 M4 I4")
{
	u64 before;

	begin();
	turn_on();
	check_words(NOBODY, 0); /* all have read-only translations */
	before = info.broken;
	write_word(0, ZERO + 1, 0, 7);
	CHECK(read_word(0, ZERO + 1, 0) == 7, "the page does not keep what was written");
	check_alone(0, ZERO + 1);
	check_words(0, ZERO + 1);
	check_counts(GUESTS);
	CHECK(info.broken > before, "no page was broken off");
	/* Zeros again: it comes back. */
	write_word(0, ZERO + 1, 0, 0);
	let_it_look(4);
	check_same(0, ZERO + 1, 1, ZERO);
	/* The one in whose frame the others are. */
	for (u32 g = 0; g < GUESTS; g++)
		for (u32 i = 0; i < EQUALS; i++) {
			write_word(g, EQUAL + i, 8, 9);
			check_alone(g, EQUAL + i);
			CHECK(read_word(g, EQUAL + i, 0) == PATTERN, "its contents are lost");
			write_word(g, EQUAL + i, 8, PATTERN);
		}
	check_words(NOBODY, 0);
	check_counts(GUESTS);
	turn_off();
	check_words(NOBODY, 0);
	for (u32 g = 0; g < GUESTS; g++)
		guest_destroy(puppet[g].domid);
	end();
}

/* What Vellum writes for a guest: a call's answer; A and D bits. */
TEST_ON_REQUEST(share_breaks_for_vellum, "U8 M4 I4")
{
	u64 word = 0, va, entry;
	s64 answer = 0;

	begin();
	turn_on();
	check_words(NOBODY, 0);
	CHECK(puppet_call(&puppet[0], &answer, VL_CALL_DOMAIN_INFO, VL_DOMID_SELF,
			  puppet_pa(&puppet[0], CALL), BUFFER, 0),
	      "it ended by a call");
	CHECK(answer > 0 && (u32)read_word(0, CALL, 0) == puppet[0].domid,
	      "domain_info answered %ld, and %#lx", answer, read_word(0, CALL, 0));
	check_alone(0, CALL);
	check_words(0, CALL);
	/* The page becomes a table of guest 1's. */
	va = round_down(puppet_pa(&puppet[1], 0), (2 * MIB)) + (2 * MIB);
	entry = (va >> 21 & (NR_ENTRIES - 1)) * sizeof(u64);
	check_same(0, TABLE, 1, TABLE);
	write_word(1, PUPPET_LEVEL2, entry, puppet_pa(&puppet[1], TABLE) | PTE_P | PTE_W);
	CHECK(puppet_read_virtual(&puppet[1], va, &word), "it ended by a read");
	CHECK(word == read_word(1, SOLE, 0), "it read %#lx by the shared table", word);
	check_alone(1, TABLE);
	CHECK(read_word(1, TABLE, 0) & PTE_A, "its table has no A bit");
	CHECK(!(read_word(0, TABLE, 0) & PTE_A), "the other's table has one");
	check_words(0, CALL);
	let_it_look(2);
	CHECK(puppet_read_virtual(&puppet[1], va, &word), "it ended by a read");
	check_counts(GUESTS);
	turn_off();
	check_words(0, CALL);
	for (u32 g = 0; g < GUESTS; g++)
		guest_destroy(puppet[g].domid);
	end();
}

/* A guest ends, or gives pages away, while they are shared: the others' stay what they are. */
TEST_ON_REQUEST(share_ends, "U8 I9 M18")
{
	s64 answer = 0;

	begin();
	turn_on();
	check_merged();
	for (u32 i = 0; i < 3; i++) {
		CHECK(puppet_call(&puppet[1], &answer, VL_CALL_MEMORY_TAKE, VL_DOMID_SELF,
				  puppet[1].pfn + (i == 2 ? EQUAL : ZERO + i), 1, 0) &&
			      answer == 0,
		      "memory_take answered %ld", answer);
	}
	check_counts(GUESTS);
	for (u32 i = ZERO + 2; i < TABLE; i++)
		CHECK(i == EQUAL || read_word(1, i, 0) == (i < EQUAL ? 0 : PATTERN),
		      "page %u begins with %#lx", i, read_word(1, i, 0));
	guest_destroy(puppet[0].domid);
	puppet[0] = puppet[1];
	check_counts(1);
	for (u32 i = ZERO + 2; i < TABLE; i++)
		CHECK(i == EQUAL || read_word(1, i, 0) == (i < EQUAL ? 0 : PATTERN),
		      "page %u begins with %#lx", i, read_word(1, i, 0));
	guest_destroy(puppet[1].domid);
	ask();
	CHECK(info.pages == 0 && info.on == 1, "%lu pages are shared by nobody", info.pages);
	turn_off();
	end();
}

TEST_ON_REQUEST(share_refused, "U8 U3")
{
	s64 answer = 0;
	u64 free;

	guests_go_in();
	guests_warm_up();
	CHECK(share(3, 0) == -VL_EINVAL, "an unknown word");
	CHECK(share(VL_SHARE_ON, 0) == -VL_EINVAL, "no rate");
	CHECK(share(VL_SHARE_ON, VL_SHARE_RATE_MOST + 1) == -VL_EINVAL, "a rate too high");
	CHECK(share(VL_SHARE_OFF, 1) == -VL_EINVAL, "a rate of nothing");
	CHECK(vl_call_share(hypercall_page, 0, 0, ptr_to_pa(&info).v, sizeof(info) - 1) ==
		      -VL_EINVAL,
	      "a short buffer");
	CHECK(vl_call_share(hypercall_page, 0, 0, ~(u64)0 << 12, sizeof(info)) == -VL_EFAULT,
	      "no buffer");
	free = guests_partition_free();
	CHECK(share(VL_SHARE_ON, RATE) == 0 && share(VL_SHARE_ON, 2 * RATE) == 0, "twice");
	CHECK(info.rate == 2 * RATE && guests_partition_free() < free, "no table");
	CHECK(vl_call_add_cpu(hypercall_page, 77) == -VL_EBUSY, "a CPU came");
	turn_off();
	CHECK(guests_free_settles(free), "the table is not given back");
	CHECK(devirtualize() == 0, "devirtualize failed");
	CHECK(share(VL_SHARE_ON, RATE) == -VL_EOPNOTSUPP, "on in passthrough");
	CHECK(share(VL_SHARE_OFF, 0) == 0 && share(VL_SHARE_KEEP, 0) == 0, "off in passthrough");
	begin();
	CHECK(puppet_call(&puppet[0], &answer, VL_CALL_SHARE, 0, 0, puppet_pa(&puppet[0], CALL),
			  sizeof(info)) &&
		      answer == -VL_EPERM,
	      "a later guest's call: %ld", answer);
	for (u32 g = 0; g < GUESTS; g++)
		guest_destroy(puppet[g].domid);
	end();
}

/* Each allocation fails: what is written down of each guest, which stays as long as it, and the
 * table. */
TEST_ON_REQUEST(share_failpoint, "U8")
{
	static const u8 fails[] = {1, 2, 2, 1};
	u64 a, b, free;

	guests_go_in();
	if (vl_call_set_failpoint(hypercall_page, 0) != 0)
		test_skip("a release build");
	guests_warm_up();
	free = guests_partition_free();
	a = guest_make("a", 8);
	b = guest_make("b", 8);
	for (u32 i = 0; i < ARRAY_SIZE(fails); i++) {
		CHECK(vl_call_set_failpoint(hypercall_page, fails[i]) == 0, "set_failpoint");
		CHECK(share(VL_SHARE_ON, RATE) == -VL_ENOMEM, "on, failure %u", i);
		CHECK(share(VL_SHARE_KEEP, 0) == 0 && info.on == 0, "it is on");
	}
	CHECK(share(VL_SHARE_ON, RATE) == 0, "and not the next time");
	turn_off();
	guest_destroy(a);
	guest_destroy(b);
	CHECK(guests_free_settles(free), "something is not given back");
	CHECK(devirtualize() == 0, "devirtualize failed");
}
