// SPDX-License-Identifier: MIT
/*
 * Other domains and their memory, as the first guest sees them: made, given
 * pages, read back, ended, and all that is refused. No vcpu of theirs runs here.
 * Whatever a page was given for, it reads as ones while it is away, and as zeros
 * when it is back.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/random.h"
#include "mini/virtual.h"

static struct vl_domain_name name __attribute__((aligned(32)));

TEST(guests_created, "I9 U2")
{
	u64 free, domid, other;
	s64 answer;

	guests_go_in();
	guests_warm_up();
	free = guests_partition_free();
	domid = guest_make("one", 64);
	CHECK(guest_ask(domid) == sizeof(guest_info), "domain_info failed");
	CHECK(guest_info.domid == domid && guest_info.mode == VL_MODE_VIRTUALIZED &&
		      guest_info.state == VL_STATE_PAUSED && guest_info.nr_vcpus == 1 &&
		      guest_info.memory == 0 && strcmp(guest_info.name, "one") == 0,
	      "domain %u, mode %u, state %u, %u vcpus, %lu bytes, `%s'", guest_info.domid,
	      guest_info.mode, guest_info.state, guest_info.nr_vcpus, guest_info.memory,
	      guest_info.name);
	other = guest_make("two", 64);
	CHECK(other != domid, "both are %lu", domid);
	guests_read_hv();
	CHECK(guests_hv.nr_domains == 3, "%u domains", guests_hv.nr_domains);
	CHECK(vl_call_domain_next(hypercall_page, start_info->domid + 1) ==
		      (s64)(domid < other ? domid : other),
	      "the list does not begin with the lowest");
	answer = devirtualize();
	CHECK(answer == -VL_EBUSY && is_virtualized(), "devirtualize answered %ld", answer);
	answer = devirtualize_layers(VL_LAYER_MEMORY);
	CHECK(answer == -VL_EBUSY, "devirtualize of memory answered %ld", answer);
	guest_destroy(domid);
	CHECK(guest_ask(domid) == -VL_ENOENT && guest_ask(other) == sizeof(guest_info),
	      "the wrong one is gone");
	guest_destroy(other);
	guest_check_gone(other);
	CHECK(guests_partition_free() == free, "%lu bytes free, there were %lu",
	      guests_partition_free(), free);
	domid = guest_make("one", 1);
	CHECK(domid != other, "an id was used again at once");
	guest_destroy(domid);
	answer = devirtualize();
	CHECK(answer == 0, "devirtualize answered %ld", answer);
}

/* More than there are CPUs, too. */
TEST(guests_of_several_vcpus, "U1 U7")
{
	static const u32 counts[] = {2, 4, VL_MAX_CPUS};
	u64 free;

	guests_go_in();
	guests_warm_up();
	free = guests_partition_free();
	for (u32 i = 0; i < ARRAY_SIZE(counts); i++) {
		s64 domid;

		guest_want("many", 16);
		guest_wanted.nr_vcpus = counts[i];
		domid = guest_create();
		CHECK(domid > 0, "create with %u vcpus answered %ld", counts[i], domid);
		CHECK(guest_ask((u64)domid) == sizeof(guest_info) &&
			      guest_info.nr_vcpus == counts[i],
		      "it has %u vcpus", guest_info.nr_vcpus);
		guest_destroy((u64)domid);
		CHECK(guests_partition_free() == free, "%lu bytes free, there were %lu",
		      guests_partition_free(), free);
	}
	CHECK(devirtualize() == 0, "devirtualize failed");
}

static void refused(const char *what, s64 want_error)
{
	s64 answer = guest_create();

	CHECK(answer == want_error, "%s: create answered %ld", what, answer);
	guest_want("good", 16);
}

TEST(guests_create_refused, "I4 U3")
{
	u64 free, domid, ram = memory_ram_bytes();
	s64 answer;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	guest_want("good", 16);
	refused("in passthrough", -VL_EOPNOTSUPP);
	CHECK(virtualize_layers(VL_LAYER_CPU | VL_LAYER_MEMORY) == 0, "virtualize failed");
	refused("without the interrupts", -VL_EOPNOTSUPP);
	CHECK(virtualize_layers(VL_LAYER_INTERRUPTS) == 0, "virtualize failed");
	free = guests_partition_free();
	guest_wanted.name[0] = 0;
	refused("no name", -VL_EINVAL);
	memset(guest_wanted.name, 'x', sizeof(guest_wanted.name));
	refused("a name without an end", -VL_EINVAL);
	guest_wanted.name[2] = '\t';
	refused("a name with a tab", -VL_EINVAL);
	guest_ask(VL_DOMID_SELF);
	memcpy(guest_wanted.name, guest_info.name, sizeof(guest_wanted.name));
	refused("the first guest's name", -VL_EEXIST);
	guest_wanted.memory_start += 1;
	refused("unaligned start", -VL_EINVAL);
	guest_wanted.memory_size += 8;
	refused("unaligned size", -VL_EINVAL);
	guest_wanted.memory_size = 0;
	refused("no memory", -VL_EINVAL);
	guest_wanted.memory_size = ~(u64)0 << PAGE_SHIFT;
	refused("memory that wraps", -VL_EINVAL);
	guest_wanted.memory_size = ram + PAGE_SIZE;
	refused("more than there is", -VL_ERANGE);
	guest_wanted.memory_start = guests_hv.partition_start;
	refused("Vellum's memory", -VL_ERANGE);
	guest_wanted.memory_start = (u64)1 << 60;
	refused("no memory's place", -VL_ERANGE);
	guest_wanted.nr_vcpus = 0;
	refused("no vcpu", -VL_EINVAL);
	guest_wanted.nr_vcpus = VL_MAX_CPUS + 1;
	refused("too many vcpus", -VL_EINVAL);
	guest_wanted.weight = 0;
	refused("no weight", -VL_EINVAL);
	guest_wanted.weight = 65536;
	refused("too much weight", -VL_EINVAL);
	guest_wanted.flags = 1;
	refused("a flag", -VL_EINVAL);
	answer = vl_call_domain_create(hypercall_page, ptr_to_pa(&guest_wanted).v,
				       sizeof(guest_wanted) - 1);
	CHECK(answer == -VL_EINVAL, "a short buffer: %ld", answer);
	answer = vl_call_domain_create(hypercall_page, guests_hv.partition_start,
				       sizeof(guest_wanted));
	CHECK(answer == -VL_EFAULT, "a buffer of Vellum's: %ld", answer);
	guest_check_gone(start_info->domid + 1);
	CHECK(guests_partition_free() == free, "%lu bytes free, there were %lu",
	      guests_partition_free(), free);
	domid = (u64)guest_create();
	guest_want("good", 16);
	refused("a name that another has", -VL_EEXIST);
	memcpy(name.name, "good", 5);
	answer = vl_call_domain_rename(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&name).v,
				       sizeof(name));
	CHECK(answer == -VL_EEXIST, "the first took another's name: %ld", answer);
	guest_destroy(domid);
	CHECK(guest_destroy_some(domid) == -VL_ENOENT, "destroyed twice");
	CHECK(guest_destroy_some(start_info->domid) == -VL_ENOENT, "destroyed the first guest");
	CHECK(guest_destroy_some(VL_DOMID_SELF) == -VL_ENOENT, "destroyed itself");
	CHECK(guest_destroy_some(~(u64)0) == -VL_ENOENT, "destroyed what is not there");
}

/* Pages from all over, one after the other there: as call 13 tells of both sides. */
TEST(guests_p2m, "M3 I9")
{
	u64 domid, ram, pfn = guests_first_pfn() + 7;

	guests_go_in();
	ram = guests_own_memory();
	guests_take_frames(GUESTS_PAGES);
	domid = guest_make("map", GUESTS_PAGES + 16);
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		guests_list.pfn[i] = guests_frame[(i * 7) % GUESTS_PAGES].v >> PAGE_SHIFT;
	_Static_assert(GUESTS_PAGES % 7 != 0, "each once");
	CHECK(guest_machine_frame(domid, pfn) == 0, "it has a page already");
	CHECK(guest_give(domid, pfn, GUESTS_PAGES) == 0, "give failed");
	for (u32 i = 0; i < GUESTS_PAGES; i++) {
		CHECK(guest_machine_frame(domid, pfn + i) == guests_list.pfn[i],
		      "page %u is at %#lx, not %#lx", i, guest_machine_frame(domid, pfn + i),
		      guests_list.pfn[i]);
		CHECK(guest_machine_frame(0, guests_list.pfn[i]) == 0,
		      "page %u is the first guest's", i);
	}
	CHECK(guest_machine_frame(domid, pfn - 1) == 0 &&
		      guest_machine_frame(domid, pfn + GUESTS_PAGES) == 0,
	      "it has more than it was given");
	CHECK(guest_ask(domid) == sizeof(guest_info) &&
		      guest_info.memory == GUESTS_PAGES * PAGE_SIZE,
	      "it has %lu bytes", guest_info.memory);
	CHECK(guests_own_memory() == ram - GUESTS_PAGES * PAGE_SIZE,
	      "the first guest has %lu bytes", guest_info.memory);
	guest_destroy(domid);
	CHECK(guests_own_memory() == ram, "the first guest has %lu bytes", guest_info.memory);
	guests_read_hv();
	CHECK(guests_counters.p2m_tables == 0 && guests_counters.p2m_moved == 0,
	      "%lu tables, %lu moved", guests_counters.p2m_tables, guests_counters.p2m_moved);
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		CHECK(guest_machine_frame(0, guests_frame[i].v >> PAGE_SHIFT) ==
			      guests_frame[i].v >> PAGE_SHIFT,
		      "page %u is not at home", i);
	guests_free_frames(GUESTS_PAGES);
}

/* Given pages read as ones, whoever looks: instructions, and Vellum for a hypercall. */
TEST(guests_content, "I4 I9 M3")
{
	u64 domid, pfn = guests_first_pfn();
	s64 answer;

	guests_go_in();
	guests_take_frames(64);
	for (u32 i = 0; i < 64; i++)
		guests_fill(i, (u8)(i + 1));
	domid = guest_make("content", 64);
	guests_list_frames(8, 32);
	CHECK(guest_give(domid, pfn, 32) == 0, "give failed");
	for (u32 i = 0; i < 64; i++)
		guests_check_page(i, i >= 8 && i < 40 ? ONES : (u8)(i + 1));
	answer = vl_call_hv_info(hypercall_page, guests_frame[8].v, sizeof(guests_hv));
	CHECK(answer == -VL_EFAULT, "a buffer that was given away: %ld", answer);
	guests_fill(9, 0x55);
	for (u32 i = 0; i < 64; i++)
		if (i < 8 || i >= 40)
			guests_check_page(i, (u8)(i + 1));
	/* What is written there is seen in no page that others have: it comes back cleared, whole.
	 */
	CHECK(guest_take(domid, pfn, 4) == 0, "take failed");
	for (u32 i = 8; i < 12; i++)
		guests_check_page(i, 0);
	guests_fill(8, 0x77);
	guest_destroy(domid);
	guests_check_page(8, 0x77);
	for (u32 i = 9; i < 40; i++)
		guests_check_page(i, 0);
	guests_free_frames(64);
}

static void give_refused(const char *what, s64 want_error, u64 domid, u64 count)
{
	u64 before = guests_partition_free(), memory;
	s64 answer;

	CHECK(guest_ask(domid) == sizeof(guest_info), "domain_info failed");
	memory = guest_info.memory;
	answer = guest_give(domid, guests_first_pfn(), count);
	CHECK(answer == want_error, "%s: give answered %ld", what, answer);
	CHECK(guests_partition_free() == before, "%s: %lu bytes free, there were %lu", what,
	      guests_partition_free(), before);
	CHECK(guest_ask(domid) == sizeof(guest_info) && guest_info.memory == memory,
	      "%s: it got pages", what);
	for (u32 i = 0; i < 8; i++)
		guests_check_page(i, (u8)(i + 1));
	guests_list_frames(0, 8);
}

TEST(guests_give_refused, "I4 I9 U3")
{
	u64 domid, pfn = guests_first_pfn(), there = ptr_to_pa(&guests_list).v;
	s64 answer;

	guests_go_in();
	guests_take_frames(9);
	for (u32 i = 0; i < 9; i++)
		guests_fill(i, (u8)(i + 1));
	domid = guest_make("refused", 16);
	guests_list_frames(0, 8);
	guests_list.pfn[7] = guests_list.pfn[2];
	give_refused("a page twice", -VL_EFAULT, domid, 8);
	guests_list.pfn[7] = guests_hv.partition_start >> PAGE_SHIFT;
	give_refused("Vellum's page", -VL_EFAULT, domid, 8);
	guests_list.pfn[7] = 0xfee00;
	give_refused("a device's page", -VL_EFAULT, domid, 8);
	guests_list.pfn[7] = ~(u64)0;
	give_refused("no page", -VL_EFAULT, domid, 8);
	guests_list.pfn[7] |= (u64)1 << 52;
	give_refused("a page that wraps", -VL_EFAULT, domid, 8);
	guests_list.pfn[7] = ptr_to_pa(&vcpu_info).v >> PAGE_SHIFT;
	give_refused("the page of the interrupt flag", -VL_EBUSY, domid, 8);
	answer = vl_call_set_alias(hypercall_page, 3, 0xffffffff00000000, guests_frame[7].v,
				   PAGE_SIZE);
	CHECK(answer == 0, "set_alias answered %ld", answer);
	give_refused("a page behind an alias", -VL_EBUSY, domid, 8);
	CHECK(vl_call_set_alias(hypercall_page, 3, 0, 0, 0) == 0, "set_alias failed");
	answer = guest_give(domid, pfn + 9, 8);
	CHECK(answer == -VL_EFAULT, "beyond its memory: %ld", answer);
	answer = guest_give(domid, pfn - 1, 8);
	CHECK(answer == -VL_EFAULT, "before its memory: %ld", answer);
	answer = guest_give(domid, ~(u64)0, 8);
	CHECK(answer == -VL_EFAULT, "at a page that wraps: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, there, 0);
	CHECK(answer == -VL_EINVAL, "an empty list: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, there, 12);
	CHECK(answer == -VL_EINVAL, "one and a half: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, there + 8, PAGE_SIZE);
	CHECK(answer == -VL_EFAULT, "a list across pages: %ld", answer);
	answer = vl_call_memory_give(hypercall_page, domid, pfn, guests_hv.partition_start, 8);
	CHECK(answer == -VL_EFAULT, "a list of Vellum's: %ld", answer);
	CHECK(guest_give(domid + 1, pfn, 8) == -VL_ENOENT, "to nobody");
	CHECK(guest_give(0, pfn, 8) == -VL_ENOENT &&
		      guest_give(VL_DOMID_SELF, pfn, 8) == -VL_ENOENT,
	      "to itself");
	CHECK(guest_give(domid, pfn, 8) == 0, "give failed");
	answer = guest_give(domid, pfn + 8, 8);
	CHECK(answer == -VL_EFAULT, "what is given already: %ld", answer);
	guests_list_frames(8, 1);
	CHECK(guest_give(domid, pfn + 3, 1) == -VL_EEXIST, "where a page is already");
	guests_check_page(8, 9);
	guest_destroy(domid);
	guests_free_frames(9);
}

TEST(guests_take_refused, "I4 U3")
{
	u64 domid, pfn = guests_first_pfn();

	guests_go_in();
	guests_take_frames(4);
	domid = guest_make("refused", 16);
	guests_list_frames(0, 4);
	CHECK(guest_give(domid, pfn, 4) == 0, "give failed");
	CHECK(guest_take(domid, pfn, 5) == -VL_EFAULT, "more than it has");
	CHECK(guest_take(domid, pfn + 4, 1) == -VL_EFAULT, "what it does not have");
	CHECK(guest_take(domid, ~(u64)0, 1) == -VL_EFAULT, "a page that wraps");
	CHECK(guest_take(domid, pfn, ~(u64)0) == -VL_EFAULT, "all that there is");
	CHECK(guest_take(domid, pfn, 0) == -VL_EINVAL, "nothing");
	CHECK(guest_take(0, pfn, 1) == -VL_ENOENT &&
		      guest_take(VL_DOMID_SELF, pfn, 1) == -VL_ENOENT,
	      "from the first guest");
	CHECK(guest_take(domid + 1, pfn, 1) == -VL_ENOENT, "from nobody");
	CHECK(guest_ask(domid) == sizeof(guest_info) && guest_info.memory == 4 * PAGE_SIZE,
	      "it has %lu bytes", guest_info.memory);
	guest_destroy(domid);
	guests_free_frames(4);
}

/* More than one call does. */
TEST(guests_destroyed_in_pieces, "I9")
{
	u64 domid, pfn = guests_first_pfn(), ram;
	s64 left, calls = 0;

	guests_go_in();
	ram = guests_own_memory();
	guests_take_frames(GUESTS_PAGES);
	domid = guest_make("pieces", GUESTS_PAGES);
	guests_list_frames(0, GUESTS_PAGES);
	CHECK(guest_give(domid, pfn, GUESTS_PAGES) == 0, "give failed");
	left = guest_take(domid, pfn, 200);
	CHECK(left > 0 && left < 200, "take of 200 pages has %ld left", left);
	for (left = guest_destroy_some(domid); left > 0; left = guest_destroy_some(domid)) {
		calls++;
		CHECK(guest_ask(domid) == sizeof(guest_info) &&
			      guest_info.state == VL_STATE_DYING &&
			      guest_info.memory == (u64)left * PAGE_SIZE,
		      "%ld left: state %u, %lu bytes", left, guest_info.state, guest_info.memory);
		CHECK(guest_give(domid, pfn, 1) == -VL_ENOENT, "given to one that dies");
		CHECK(devirtualize() == -VL_EBUSY, "devirtualized meanwhile");
	}
	CHECK(left == 0 && calls > 0, "destroy answered %ld after %ld calls", left, calls);
	CHECK(guests_own_memory() == ram, "%lu bytes came back", guests_own_memory());
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		guests_check_page(i, 0);
	guests_free_frames(GUESTS_PAGES);
}
