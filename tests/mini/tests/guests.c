// SPDX-License-Identifier: MIT
/*
 * Other domains and their memory, as the first guest sees them: made, given
 * pages, read back, ended. No vcpu of theirs runs here. Whatever a page was
 * given for, it reads as ones while it is away, and as zeros when it is back.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/virtual.h"

#define PAGES   300u
#define DOMAINS 3u
#define ROUNDS  400u
#define ONES    0xffu
#define PIECE   16u /* pages of one gift in guests_random */

static struct vl_hv_info hv;
static struct vl_domain_counters counters;
static struct vl_domain_info info;
static struct vl_domain_create wanted __attribute__((aligned(64)));
static struct vl_memory_list list __attribute__((aligned(4096)));
static u8 buffer[PAGE_SIZE] __attribute__((aligned(4096)));
static pa_t frame[PAGES];

/* --- short words for the calls --- */

static s64 create(void)
{
	return vl_call_domain_create(hypercall_page, ptr_to_pa(&wanted).v, sizeof(wanted));
}

static s64 destroy_some(u64 domid)
{
	return vl_call_domain_destroy(hypercall_page, domid);
}

static s64 give(u64 domid, u64 pfn, u64 count)
{
	return vl_call_memory_give(hypercall_page, domid, pfn, ptr_to_pa(&list).v,
				   count * sizeof(u64));
}

static s64 take(u64 domid, u64 pfn, u64 count)
{
	return vl_call_memory_take(hypercall_page, domid, pfn, count);
}

static s64 ask(u64 domid)
{
	return vl_call_domain_info(hypercall_page, domid, ptr_to_pa(&info).v, sizeof(info));
}

static void read_hv(void)
{
	s64 answer = vl_call_hv_info(hypercall_page, ptr_to_pa(&hv).v, sizeof(hv));

	CHECK(answer == sizeof(hv), "hv_info answered %ld", answer);
	answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&counters).v,
					 sizeof(counters));
	CHECK(answer == sizeof(counters), "domain_counters answered %ld", answer);
}

/* Bytes of the partition that no shadow has: what is free but for how this guest used its own
 * memory meanwhile. */
static u64 partition_free(void)
{
	read_hv();
	return hv.partition_free + counters.shadow_tables * PAGE_SIZE;
}

static u64 own_memory(void)
{
	CHECK(ask(VL_DOMID_SELF) == sizeof(info), "domain_info failed");
	return info.memory;
}

static u64 main_range(void)
{
	u32 best = 0;

	for (u32 i = 0; i < start_info->memory_map_count; i++)
		if (memory_range(i)->type == VL_MEMORY_RAM &&
		    (memory_range(best)->type != VL_MEMORY_RAM ||
		     memory_range(i)->size > memory_range(best)->size))
			best = i;
	return memory_range(best)->start;
}

static void want(const char *name, u64 pages)
{
	memset(&wanted, 0, sizeof(wanted));
	memcpy(wanted.name, name, strlen(name));
	wanted.memory_start = main_range();
	wanted.memory_size = pages * PAGE_SIZE;
	wanted.nr_vcpus = 1;
	wanted.weight = 256;
}

static u64 first_pfn(void)
{
	return main_range() >> PAGE_SHIFT;
}

static u64 make(const char *name, u64 pages)
{
	s64 domid;

	want(name, pages);
	domid = create();
	CHECK(domid > 0, "create answered %ld", domid);
	return (u64)domid;
}

static void destroy(u64 domid)
{
	s64 left = destroy_some(domid), before;

	do {
		before = left;
		CHECK(left >= 0, "destroy answered %ld", left);
		left = left == 0 ? 0 : destroy_some(domid);
	} while (left > 0 && left < before);
	CHECK(left == 0, "destroy does not get on: %ld after %ld", left, before);
}

static void go_in(void)
{
	s64 answer = is_virtualized() ? 0 : virtualize(0);

	CHECK(answer == 0, "virtualize answered %ld", answer);
}

static void take_frames(u32 count)
{
	for (u32 i = 0; i < count; i++) {
		frame[i] = frame_alloc();
		CHECK(frame[i].v != 0, "this machine is too small");
	}
}

static void free_frames(u32 count)
{
	for (u32 i = 0; i < count; i++)
		frame_free(frame[i]);
}

static u8 *page(u32 i)
{
	return pa_to_ptr(frame[i]);
}

static void fill(u32 i, u8 with)
{
	memset(page(i), with, PAGE_SIZE);
}

static void check_page(u32 i, u8 with)
{
	const u64 *words = (const u64 *)page(i);
	u64 all = with * 0x0101010101010101ull;

	for (u32 k = 0; k < PAGE_SIZE / 8; k++)
		CHECK(words[k] == all, "page %u (%#lx): %#lx at %u, not %#lx", i, frame[i].v,
		      words[k], k * 8, all);
}

static void list_frames(u32 from, u32 count)
{
	for (u32 i = 0; i < count; i++)
		list.pfn[i] = frame[from + i].v >> PAGE_SHIFT;
}

/* Where the page frame of a domain is, by call 13; 0: nowhere. */
static u64 machine_frame(u64 domid, u64 pfn)
{
	const struct vl_p2m_read *head = (const void *)buffer;
	const struct vl_p2m_range *r = (const void *)(head + 1);
	s64 answer = vl_call_p2m_read(hypercall_page, domid, pfn, ptr_to_pa(buffer).v,
				      sizeof(*head) + sizeof(*r));

	CHECK(answer >= 0, "p2m_read of %lu answered %ld", domid, answer);
	return answer > 0 && r->pfn == pfn ? r->mfn : 0;
}

static void check_gone(u64 domid)
{
	CHECK(ask(domid) == -VL_ENOENT, "domain %lu is still there", domid);
	CHECK(vl_call_domain_next(hypercall_page, domid) != (s64)domid, "it is in the list");
	read_hv();
	CHECK(hv.nr_domains == 1, "%u domains", hv.nr_domains);
}

/* --- tests --- */

TEST(guests_created, "I9 U2")
{
	u64 free, domid, other;
	s64 answer;

	go_in();
	free = partition_free();
	domid = make("one", 64);
	CHECK(ask(domid) == sizeof(info), "domain_info failed");
	CHECK(info.domid == domid && info.mode == VL_MODE_VIRTUALIZED &&
		      info.state == VL_STATE_PAUSED && info.nr_vcpus == 1 && info.memory == 0 &&
		      strcmp(info.name, "one") == 0,
	      "domain %u, mode %u, state %u, %u vcpus, %lu bytes, `%s'", info.domid, info.mode,
	      info.state, info.nr_vcpus, info.memory, info.name);
	other = make("two", 64);
	CHECK(other != domid, "both are %lu", domid);
	read_hv();
	CHECK(hv.nr_domains == 3, "%u domains", hv.nr_domains);
	CHECK(vl_call_domain_next(hypercall_page, 1) == (s64)(domid < other ? domid : other),
	      "the list does not begin with the lowest");
	answer = devirtualize();
	CHECK(answer == -VL_EBUSY && is_virtualized(), "devirtualize answered %ld", answer);
	answer = devirtualize_layers(VL_LAYER_MEMORY);
	CHECK(answer == -VL_EBUSY, "devirtualize of memory answered %ld", answer);
	destroy(domid);
	CHECK(ask(domid) == -VL_ENOENT && ask(other) == sizeof(info), "the wrong one is gone");
	destroy(other);
	check_gone(other);
	CHECK(partition_free() == free, "%lu bytes free, there were %lu", partition_free(), free);
	domid = make("one", 1);
	CHECK(domid != other, "an id was used again at once");
	destroy(domid);
	answer = devirtualize();
	CHECK(answer == 0, "devirtualize answered %ld", answer);
}

static void refused(const char *what, s64 want_error)
{
	s64 answer = create();

	CHECK(answer == want_error, "%s: create answered %ld", what, answer);
	want("good", 16);
}

TEST(guests_create_refused, "I4 U3")
{
	u64 free, domid, ram = memory_ram_bytes();
	s64 answer;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	want("good", 16);
	refused("in passthrough", -VL_EOPNOTSUPP);
	CHECK(virtualize_layers(VL_LAYER_CPU | VL_LAYER_MEMORY) == 0, "virtualize failed");
	refused("without the interrupts", -VL_EOPNOTSUPP);
	CHECK(virtualize_layers(VL_LAYER_INTERRUPTS) == 0, "virtualize failed");
	free = partition_free();
	wanted.name[0] = 0;
	refused("no name", -VL_EINVAL);
	memset(wanted.name, 'x', sizeof(wanted.name));
	refused("a name without an end", -VL_EINVAL);
	wanted.name[2] = '\t';
	refused("a name with a tab", -VL_EINVAL);
	memcpy(wanted.name, "first", 6);
	refused("the first guest's name", -VL_EEXIST);
	wanted.memory_start += 1;
	refused("unaligned start", -VL_EINVAL);
	wanted.memory_size += 8;
	refused("unaligned size", -VL_EINVAL);
	wanted.memory_size = 0;
	refused("no memory", -VL_EINVAL);
	wanted.memory_size = ~(u64)0 << PAGE_SHIFT;
	refused("memory that wraps", -VL_EINVAL);
	wanted.memory_size = ram + PAGE_SIZE;
	refused("more than there is", -VL_ERANGE);
	wanted.memory_start = hv.partition_start;
	refused("Vellum's memory", -VL_ERANGE);
	wanted.memory_start = (u64)1 << 60;
	refused("no memory's place", -VL_ERANGE);
	wanted.nr_vcpus = 0;
	refused("no vcpu", -VL_EINVAL);
	wanted.nr_vcpus = VL_MAX_CPUS + 1;
	refused("too many vcpus", -VL_EINVAL);
	wanted.nr_vcpus = 2;
	refused("two vcpus", -VL_EOPNOTSUPP);
	wanted.weight = 0;
	refused("no weight", -VL_EINVAL);
	wanted.weight = 65536;
	refused("too much weight", -VL_EINVAL);
	wanted.flags = 1;
	refused("a flag", -VL_EINVAL);
	answer = vl_call_domain_create(hypercall_page, ptr_to_pa(&wanted).v, sizeof(wanted) - 1);
	CHECK(answer == -VL_EINVAL, "a short buffer: %ld", answer);
	answer = vl_call_domain_create(hypercall_page, hv.partition_start, sizeof(wanted));
	CHECK(answer == -VL_EFAULT, "a buffer of Vellum's: %ld", answer);
	check_gone(1);
	CHECK(partition_free() == free, "%lu bytes free, there were %lu", partition_free(), free);
	domid = (u64)create();
	want("good", 16);
	refused("a name that another has", -VL_EEXIST);
	memcpy(buffer, "good", 5);
	answer = vl_call_domain_rename(hypercall_page, 0, ptr_to_pa(buffer).v, 32);
	CHECK(answer == -VL_EEXIST, "the first took another's name: %ld", answer);
	destroy(domid);
	CHECK(destroy_some(domid) == -VL_ENOENT, "destroyed twice");
	CHECK(destroy_some(0) == -VL_ENOENT, "destroyed the first guest");
	CHECK(destroy_some(VL_DOMID_SELF) == -VL_ENOENT, "destroyed itself");
	CHECK(destroy_some(~(u64)0) == -VL_ENOENT, "destroyed what is not there");
}

/* Pages from all over, one after the other there: as call 13 tells of both sides. */
TEST(guests_p2m, "M3 I9")
{
	u64 domid, ram, pfn = first_pfn() + 7;

	go_in();
	ram = own_memory();
	take_frames(PAGES);
	domid = make("map", PAGES + 16);
	for (u32 i = 0; i < PAGES; i++)
		list.pfn[i] = frame[(i * 7) % PAGES].v >> PAGE_SHIFT;
	_Static_assert(PAGES % 7 != 0, "each once");
	CHECK(machine_frame(domid, pfn) == 0, "it has a page already");
	CHECK(give(domid, pfn, PAGES) == 0, "give failed");
	for (u32 i = 0; i < PAGES; i++) {
		CHECK(machine_frame(domid, pfn + i) == list.pfn[i], "page %u is at %#lx, not %#lx",
		      i, machine_frame(domid, pfn + i), list.pfn[i]);
		CHECK(machine_frame(0, list.pfn[i]) == 0, "page %u is the first guest's", i);
	}
	CHECK(machine_frame(domid, pfn - 1) == 0 && machine_frame(domid, pfn + PAGES) == 0,
	      "it has more than it was given");
	CHECK(ask(domid) == sizeof(info) && info.memory == PAGES * PAGE_SIZE, "it has %lu bytes",
	      info.memory);
	CHECK(own_memory() == ram - PAGES * PAGE_SIZE, "the first guest has %lu bytes",
	      info.memory);
	destroy(domid);
	CHECK(own_memory() == ram, "the first guest has %lu bytes", info.memory);
	read_hv();
	CHECK(counters.p2m_tables == 0 && counters.p2m_moved == 0, "%lu tables, %lu moved",
	      counters.p2m_tables, counters.p2m_moved);
	for (u32 i = 0; i < PAGES; i++)
		CHECK(machine_frame(0, frame[i].v >> PAGE_SHIFT) == frame[i].v >> PAGE_SHIFT,
		      "page %u is not at home", i);
	free_frames(PAGES);
}

/* Given pages read as ones, whoever looks: instructions, and Vellum for a hypercall. */
TEST(guests_content, "I4 I9 M3")
{
	u64 domid, pfn = first_pfn();
	s64 answer;

	go_in();
	take_frames(64);
	for (u32 i = 0; i < 64; i++)
		fill(i, (u8)(i + 1));
	domid = make("content", 64);
	list_frames(8, 32);
	CHECK(give(domid, pfn, 32) == 0, "give failed");
	for (u32 i = 0; i < 64; i++)
		check_page(i, i >= 8 && i < 40 ? ONES : (u8)(i + 1));
	answer = vl_call_hv_info(hypercall_page, frame[8].v, sizeof(hv));
	CHECK(answer == -VL_EFAULT, "a buffer that was given away: %ld", answer);
	fill(9, 0x55);
	for (u32 i = 0; i < 64; i++)
		if (i < 8 || i >= 40)
			check_page(i, (u8)(i + 1));
	/* What is written there is seen in no page that others have: it comes back cleared, whole.
	 */
	CHECK(take(domid, pfn, 4) == 0, "take failed");
	for (u32 i = 8; i < 12; i++)
		check_page(i, 0);
	fill(8, 0x77);
	destroy(domid);
	check_page(8, 0x77);
	for (u32 i = 9; i < 40; i++)
		check_page(i, 0);
	free_frames(64);
}

static void give_refused(const char *what, s64 want_error, u64 domid, u64 count)
{
	u64 before = partition_free(), memory;
	s64 answer;

	CHECK(ask(domid) == sizeof(info), "domain_info failed");
	memory = info.memory;
	answer = give(domid, first_pfn(), count);
	CHECK(answer == want_error, "%s: give answered %ld", what, answer);
	CHECK(partition_free() == before, "%s: %lu bytes free, there were %lu", what,
	      partition_free(), before);
	CHECK(ask(domid) == sizeof(info) && info.memory == memory, "%s: it got pages", what);
	for (u32 i = 0; i < 8; i++)
		check_page(i, (u8)(i + 1));
	list_frames(0, 8);
}

TEST(guests_give_refused, "I4 I9 U3")
{
	u64 domid, pfn = first_pfn(), there = ptr_to_pa(&list).v;
	s64 answer;

	go_in();
	take_frames(9);
	for (u32 i = 0; i < 9; i++)
		fill(i, (u8)(i + 1));
	domid = make("refused", 16);
	list_frames(0, 8);
	list.pfn[7] = list.pfn[2];
	give_refused("a page twice", -VL_EFAULT, domid, 8);
	list.pfn[7] = hv.partition_start >> PAGE_SHIFT;
	give_refused("Vellum's page", -VL_EFAULT, domid, 8);
	list.pfn[7] = 0xfee00;
	give_refused("a device's page", -VL_EFAULT, domid, 8);
	list.pfn[7] = ~(u64)0;
	give_refused("no page", -VL_EFAULT, domid, 8);
	list.pfn[7] |= (u64)1 << 52;
	give_refused("a page that wraps", -VL_EFAULT, domid, 8);
	list.pfn[7] = ptr_to_pa(&vcpu_info).v >> PAGE_SHIFT;
	give_refused("the page of the interrupt flag", -VL_EBUSY, domid, 8);
	answer = vl_call_set_alias(hypercall_page, 3, 0xffffffff00000000, frame[7].v, PAGE_SIZE);
	CHECK(answer == 0, "set_alias answered %ld", answer);
	give_refused("a page behind an alias", -VL_EBUSY, domid, 8);
	CHECK(vl_call_set_alias(hypercall_page, 3, 0, 0, 0) == 0, "set_alias failed");
	answer = give(domid, pfn + 9, 8);
	CHECK(answer == -VL_EFAULT, "beyond its memory: %ld", answer);
	answer = give(domid, pfn - 1, 8);
	CHECK(answer == -VL_EFAULT, "before its memory: %ld", answer);
	answer = give(domid, ~(u64)0, 8);
	CHECK(answer == -VL_EFAULT, "at a page that wraps: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, there, 0);
	CHECK(answer == -VL_EINVAL, "an empty list: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, there, 12);
	CHECK(answer == -VL_EINVAL, "one and a half: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, there + 8, PAGE_SIZE);
	CHECK(answer == -VL_EFAULT, "a list across pages: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, hv.partition_start, 8);
	CHECK(answer == -VL_EFAULT, "a list of Vellum's: %ld", answer);
	CHECK(give(domid + 1, pfn, 8) == -VL_ENOENT, "to nobody");
	CHECK(give(0, pfn, 8) == -VL_ENOENT && give(VL_DOMID_SELF, pfn, 8) == -VL_ENOENT,
	      "to itself");
	CHECK(give(domid, pfn, 8) == 0, "give failed");
	answer = give(domid, pfn + 8, 8);
	CHECK(answer == -VL_EFAULT, "what is given already: %ld", answer);
	list_frames(8, 1);
	CHECK(give(domid, pfn + 3, 1) == -VL_EEXIST, "where a page is already");
	check_page(8, 9);
	destroy(domid);
	free_frames(9);
}

TEST(guests_take_refused, "I4 U3")
{
	u64 domid, pfn = first_pfn();

	go_in();
	take_frames(4);
	domid = make("refused", 16);
	list_frames(0, 4);
	CHECK(give(domid, pfn, 4) == 0, "give failed");
	CHECK(take(domid, pfn, 5) == -VL_EFAULT, "more than it has");
	CHECK(take(domid, pfn + 4, 1) == -VL_EFAULT, "what it does not have");
	CHECK(take(domid, ~(u64)0, 1) == -VL_EFAULT, "a page that wraps");
	CHECK(take(domid, pfn, ~(u64)0) == -VL_EFAULT, "all that there is");
	CHECK(take(domid, pfn, 0) == -VL_EINVAL, "nothing");
	CHECK(take(0, pfn, 1) == -VL_ENOENT && take(VL_DOMID_SELF, pfn, 1) == -VL_ENOENT,
	      "from the first guest");
	CHECK(take(domid + 1, pfn, 1) == -VL_ENOENT, "from nobody");
	CHECK(ask(domid) == sizeof(info) && info.memory == 4 * PAGE_SIZE, "it has %lu bytes",
	      info.memory);
	destroy(domid);
	free_frames(4);
}

/* More than one call does. */
TEST(guests_destroyed_in_pieces, "I9")
{
	u64 domid, pfn = first_pfn(), ram;
	s64 left, calls = 0;

	go_in();
	ram = own_memory();
	take_frames(PAGES);
	domid = make("pieces", PAGES);
	list_frames(0, PAGES);
	CHECK(give(domid, pfn, PAGES) == 0, "give failed");
	left = take(domid, pfn, 200);
	CHECK(left > 0 && left < 200, "take of 200 pages has %ld left", left);
	for (left = destroy_some(domid); left > 0; left = destroy_some(domid)) {
		calls++;
		CHECK(ask(domid) == sizeof(info) && info.state == VL_STATE_DYING &&
			      info.memory == (u64)left * PAGE_SIZE,
		      "%ld left: state %u, %lu bytes", left, info.state, info.memory);
		CHECK(give(domid, pfn, 1) == -VL_ENOENT, "given to one that dies");
		CHECK(devirtualize() == -VL_EBUSY, "devirtualized meanwhile");
	}
	CHECK(left == 0 && calls > 0, "destroy answered %ld after %ld calls", left, calls);
	CHECK(own_memory() == ram, "%lu bytes came back", own_memory());
	for (u32 i = 0; i < PAGES; i++)
		check_page(i, 0);
	free_frames(PAGES);
}

/* --- at random, against a model --- */

static struct {
	u64 domid;     /* 0: there is none */
	u32 of[PAGES]; /* by its page frame: the number of the frame that it has, plus 1; 0: none */
} model[DOMAINS];
static u8 content[PAGES]; /* ONES: given away */

static u32 random_free_run(u64 *state, u32 d, u32 *at)
{
	u32 run = 1 + (u32)random_below(state, PIECE);

	*at = (u32)random_below(state, PAGES - run);
	for (u32 i = 0; i < run; i++)
		if (model[d].of[*at + i] != 0)
			return 0;
	return run;
}

static void random_give(u64 *state, u32 d)
{
	u32 at, run = random_free_run(state, d, &at), from = (u32)random_below(state, PAGES), n = 0;

	for (u32 i = 0; i < PAGES && n < run; i++)
		if (content[(from + i) % PAGES] != ONES) {
			model[d].of[at + n] = (from + i) % PAGES + 1;
			list.pfn[n++] = frame[(from + i) % PAGES].v >> PAGE_SHIFT;
		}
	if (n == 0)
		return;
	CHECK(give(model[d].domid, first_pfn() + at, n) == 0, "give failed");
	for (u32 i = 0; i < n; i++)
		content[model[d].of[at + i] - 1] = ONES;
}

static void random_take(u64 *state, u32 d)
{
	u32 at = (u32)random_below(state, PAGES), n = 0;

	while (n < 5 && at + n < PAGES && model[d].of[at + n] != 0)
		n++;
	if (n == 0)
		return;
	CHECK(take(model[d].domid, first_pfn() + at, n) == 0, "take failed");
	for (u32 i = 0; i < n; i++) {
		content[model[d].of[at + i] - 1] = 0;
		model[d].of[at + i] = 0;
	}
}

static void random_end(u32 d)
{
	destroy(model[d].domid);
	for (u32 i = 0; i < PAGES; i++)
		if (model[d].of[i] != 0)
			content[model[d].of[i] - 1] = 0;
	memset(&model[d], 0, sizeof(model[d]));
}

static void random_step(u64 *state)
{
	u32 d = (u32)random_below(state, DOMAINS), i = (u32)random_below(state, PAGES);
	const char name[2] = {(char)('a' + d), 0};

	if (model[d].domid == 0)
		model[d].domid = make(name, PAGES);
	else if (random_below(state, 30) == 0)
		random_end(d);
	else if (random_below(state, 3) == 0)
		random_take(state, d);
	else
		random_give(state, d);
	if (content[i] != ONES) {
		content[i] = (u8)random_below(state, ONES);
		fill(i, content[i]);
	}
}

TEST(guests_random, "I4 I9 M3")
{
	u64 state = 2026, free, ram;

	go_in();
	ram = own_memory();
	free = partition_free();
	take_frames(PAGES);
	memset(model, 0, sizeof(model));
	for (u32 i = 0; i < PAGES; i++)
		fill(i, content[i] = (u8)i % ONES);
	for (u32 round = 0; round < ROUNDS; round++) {
		random_step(&state);
		for (u32 i = 0; i < 8; i++) {
			u32 k = (u32)random_below(&state, PAGES);

			check_page(k, content[k]);
		}
	}
	for (u32 d = 0; d < DOMAINS; d++)
		if (model[d].domid != 0)
			random_end(d);
	for (u32 i = 0; i < PAGES; i++)
		check_page(i, content[i]);
	CHECK(own_memory() == ram, "%lu bytes of %lu", own_memory(), ram);
	CHECK(partition_free() == free, "%lu bytes free, there were %lu", partition_free(), free);
	free_frames(PAGES);
	CHECK(devirtualize() == 0, "devirtualize failed");
	for (u32 i = 0; i < PAGES; i++)
		check_page(i, content[i]);
}

/* --- without memory: debug builds --- */

TEST(guests_create_failpoints, "U3")
{
	u64 free, step = 0;
	s64 answer;

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	go_in();
	want("failing", 16);
	free = partition_free();
	do {
		CHECK(++step < 100, "failpoints without end");
		CHECK(vl_call_set_failpoint(hypercall_page, step) == 0, "set_failpoint");
		answer = create();
		if (answer > 0)
			break;
		CHECK(answer == -VL_ENOMEM, "failpoint %lu answered %ld", step, answer);
		check_gone(1);
		CHECK(partition_free() == free, "failpoint %lu: %lu bytes free, there were %lu",
		      step, partition_free(), free);
	} while (answer < 0);
	CHECK(step > 1, "nothing in create can fail");
	destroy((u64)answer);
	CHECK(partition_free() == free, "%lu bytes free, there were %lu", partition_free(), free);
	print("# %lu allocations\n", step - 1);
}

TEST(guests_give_failpoints, "U3 I9")
{
	u64 free, domid, step = 0;
	s64 answer;

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	go_in();
	take_frames(8);
	for (u32 i = 0; i < 8; i++)
		fill(i, 3);
	domid = make("failing", 16);
	free = partition_free();
	list_frames(0, 8);
	do {
		CHECK(++step < 100, "failpoints without end");
		CHECK(vl_call_set_failpoint(hypercall_page, step) == 0, "set_failpoint");
		answer = give(domid, first_pfn(), 8);
		if (answer == 0)
			break;
		CHECK(answer == -VL_ENOMEM, "failpoint %lu answered %ld", step, answer);
		CHECK(partition_free() == free, "failpoint %lu: %lu bytes free, there were %lu",
		      step, partition_free(), free);
		for (u32 i = 0; i < 8; i++)
			check_page(i, 3);
	} while (answer < 0);
	CHECK(step > 4, "only %lu steps", step);
	destroy(domid);
	free_frames(8);
	print("# %lu allocations\n", step - 1);
}

/* A page that is away from home is nobody else's to have. */
TEST(guests_and_moved_pages, "M4 I9")
{
	u64 domid, pfn = first_pfn();

	go_in();
	take_frames(2);
	fill(0, 1);
	fill(1, 2);
	domid = make("moved", 16);
	list_frames(0, 2);
	if (vl_call_test_move_page(hypercall_page, list.pfn[0], 1) == -VL_EOPNOTSUPP) {
		destroy(domid);
		free_frames(2);
		test_skip("a release build");
	}
	CHECK(give(domid, pfn, 2) == -VL_EBUSY, "a page that is away was given");
	check_page(0, 1);
	check_page(1, 2);
	list_frames(1, 1);
	CHECK(give(domid, pfn, 1) == 0, "give failed");
	CHECK(vl_call_test_move_page(hypercall_page, list.pfn[0], 1) == -VL_EFAULT,
	      "a page that was given away was moved");
	CHECK(vl_call_test_move_page(hypercall_page, frame[0].v >> PAGE_SHIFT, 0) >= 0, "home");
	check_page(0, 1);
	check_page(1, ONES);
	destroy(domid);
	check_page(1, 0);
	free_frames(2);
}
