// SPDX-License-Identifier: MIT
/*
 * Another domain that runs, beside this one, on the same CPU: what it reaches,
 * and what it does not, however it asks; and pages that the two share.
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
#include "mini/virtual.h"

#define ALL_ONES    (~(u64)0)
#define FRAMES      (PUPPET_PAGES + 1)
#define OTHER       FRAMES   /* a frame of this guest's own, behind the puppet's */
#define FOREIGN_PFN 0xd0000u /* of this guest, where nothing is */
#define FOREIGN_VA  0x6000000000ul
#define CANARY      0x5a5a5a5a5a5a5a5aul

static struct puppet puppet;

static void begin(void)
{
	guests_go_in();
	guests_take_frames(FRAMES + 2);
	guests_fill(OTHER, 0x5a);
	puppet_start(&puppet, "puppet", 0);
}

static void end(void)
{
	guest_destroy(puppet.domid);
	guests_check_page(OTHER, 0x5a);
	for (u32 i = 0; i < PUPPET_PAGES; i++)
		guests_check_page(i, 0);
	guests_free_frames(FRAMES + 2);
	CHECK(devirtualize() == 0, "devirtualize failed");
}

static s64 call(u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	s64 answer = 0;

	CHECK(puppet_call(&puppet, &answer, nr, a, b, c, d), "call %lu is its end: state %u", nr,
	      guest_info.state);
	return answer;
}

static u64 read_word(u64 pa)
{
	u64 word = 0;

	CHECK(puppet_read(&puppet, pa, &word), "reading %#lx is its end: state %u", pa,
	      guest_info.state);
	return word;
}

static void write_word(u64 pa, u64 word)
{
	CHECK(puppet_write(&puppet, pa, word), "writing %#lx is its end: state %u", pa,
	      guest_info.state);
}

TEST(guests_running, "I4 M6 I9")
{
	u64 free_page;
	s64 answer;

	begin();
	free_page = (puppet.pfn + PUPPET_FREE) << PAGE_SHIFT;
	answer = call(VL_CALL_VERSION, 0, 0, 0, 0);
	CHECK(answer == vl_call_version(hypercall_page), "version answered %ld", answer);
	write_word(free_page, CANARY);
	CHECK(read_word(free_page) == CANARY, "its own memory does not keep what it wrote");
	CHECK(*(u64 *)guests_page(PUPPET_FREE) == ALL_ONES, "this guest sees its memory");
	answer = guest_take(puppet.domid, puppet.pfn + PUPPET_FREE, 1);
	CHECK(answer == -VL_EBUSY, "a page was taken from one that runs: %ld", answer);
	end();
}

/* Calls that are the first guest's, and about others. */
TEST(guests_running_calls, "I4 U3")
{
	static const u64 firsts[] = {
		VL_CALL_CONSOLE_READ,   VL_CALL_VIRTUALIZE,        VL_CALL_DEVIRTUALIZE,
		VL_CALL_P2M_READ,       VL_CALL_VERIFY_IMAGE,      VL_CALL_TEST_MOVE_PAGE,
		VL_CALL_SET_FAILPOINT,  VL_CALL_TEST_SPOIL_SHADOW, VL_CALL_ADD_CPU,
		VL_CALL_DOMAIN_RENAME,  VL_CALL_DOMAIN_CREATE,     VL_CALL_MEMORY_GIVE,
		VL_CALL_DOMAIN_DESTROY, VL_CALL_DOMAIN_PAUSE,      VL_CALL_DOMAIN_UNPAUSE,
		VL_CALL_DOMAIN_WEIGHT,  VL_CALL_DOMAIN_SHUTDOWN,   VL_CALL_DOMAIN_SCHED_INFO,
		VL_CALL_HAND_OVER,      VL_CALL_TEST_SCATTER,      VL_CALL_TEST_REMAP,
		VL_CALL_HOME,           VL_CALL_DEVICE_ADD,        VL_CALL_DISK_WRITE,
		VL_CALL_SHARE,          VL_CALL_MEMORY_CLAIM,      VL_CALL_VCPU_STATUS,
	};
	u64 buffer;

	begin();
	buffer = (puppet.pfn + PUPPET_FREE) << PAGE_SHIFT;
	for (u32 i = 0; i < ARRAY_SIZE(firsts); i++) {
		s64 answer = call(firsts[i], VL_LAYER_ALL, 0, buffer, 64);

		CHECK(answer == -VL_EPERM, "call %lu answered %ld", firsts[i], answer);
	}
	CHECK(call(VL_CALL_VCPU_START, start_info->domid, 0, buffer, 64) == -VL_EPERM,
	      "it starts this guest's vcpus");
	CHECK(call(VL_CALL_VCPU_START, puppet.domid + 1, 0, buffer, 64) == -VL_EPERM,
	      "it learns which others there are");
	CHECK(call(VL_CALL_VCPU_START, VL_DOMID_SELF, 0, buffer, 64) == -VL_EBUSY,
	      "it starts its own again");
	CHECK(call(VL_CALL_VCPU_START, VL_DOMID_SELF, 1, buffer, 64) == -VL_ENOENT,
	      "and one that it does not have");
	CHECK(call(VL_CALL_DOMAIN_INFO, start_info->domid, buffer, 64, 0) == -VL_EPERM,
	      "it sees the first guest");
	CHECK(call(VL_CALL_DOMAIN_COUNTERS, start_info->domid, buffer, 64, 0) == -VL_EPERM,
	      "and its counters");
	CHECK(call(VL_CALL_DOMAIN_INFO, VL_DOMID_SELF, buffer, 64, 0) == 64, "not itself");
	CHECK(read_word(buffer) << 32 >> 32 == puppet.domid, "it is another");
	/* Buffers of others, by whatever address. */
	CHECK(call(VL_CALL_HV_INFO, guests_frame[OTHER].v, 64, 0, 0) == -VL_EFAULT ||
		      guests_frame[OTHER].v >> PAGE_SHIFT < puppet.pfn + PUPPET_PAGES,
	      "a buffer in another's memory");
	guests_read_hv();
	CHECK(call(VL_CALL_HV_INFO, guests_hv.partition_start, 64, 0, 0) == -VL_EFAULT,
	      "a buffer in Vellum's");
	CHECK(call(VL_CALL_MEMORY_TAKE, start_info->domid, 0, 1, 0) == -VL_EPERM,
	      "took from the first guest");
	CHECK(call(VL_CALL_GRANT_MAP, start_info->domid, 1, puppet.pfn + PUPPET_PAGES + 9, 0) ==
		      -VL_ENOENT,
	      "mapped what it was not offered");
	end();
}

/* Through its own page tables it may name any physical address: what is not its own is nothing. */
TEST(guests_running_addresses, "I4 M7")
{
	u64 address[8], n = 0;

	begin();
	guests_read_hv();
	address[n++] = guests_frame[OTHER].v;
	address[n++] = ptr_to_pa(&vcpu_info).v & PAGE_MASK;
	address[n++] = hypercall_data()->entry & PAGE_MASK & 0xffffffff;
	address[n++] = guests_hv.partition_start;
	address[n++] = guests_hv.partition_start + guests_hv.partition_size - PAGE_SIZE;
	address[n++] = 0xb8000;
	address[n++] = 0xfec00000;
	address[n++] = 0xfffff000;
	for (u64 i = 0; i < n; i++) {
		u64 pfn = address[i] >> PAGE_SHIFT;

		if (pfn >= puppet.pfn && pfn < puppet.pfn + PUPPET_PAGES)
			continue;
		CHECK(read_word(address[i]) == ALL_ONES, "it reads %#lx at %#lx",
		      read_word(address[i]), address[i]);
		write_word(address[i] + 8, 0);
		CHECK(read_word(address[i]) == ALL_ONES, "it has changed %#lx", address[i]);
	}
	guests_check_page(OTHER, 0x5a);
	end();
}

/* What it gives back itself is cleared, and this guest's again. */
TEST(guests_running_balloon, "I9 I4")
{
	u64 page_number = PUPPET_FREE + 3, pa;

	begin();
	pa = (puppet.pfn + page_number) << PAGE_SHIFT;
	write_word(pa, CANARY);
	CHECK(call(VL_CALL_MEMORY_TAKE, VL_DOMID_SELF, puppet.pfn + page_number, 2, 0) == 0,
	      "memory_take failed");
	guests_check_page((u32)page_number, 0);
	guests_check_page((u32)page_number + 1, 0);
	CHECK(read_word(pa) == ALL_ONES, "it still has the page");
	write_word(pa, CANARY);
	guests_check_page((u32)page_number, 0);
	CHECK(call(VL_CALL_MEMORY_TAKE, puppet.domid, puppet.pfn + page_number, 1, 0) == -VL_EFAULT,
	      "it gave the page back twice");
	guests_list_frames((u32)page_number, 2);
	guests_fill((u32)page_number, 0x11);
	CHECK(guest_give(puppet.domid, puppet.pfn + page_number, 2) == 0, "give failed");
	CHECK(read_word(pa) == 0x1111111111111111ul, "it finds %#lx", read_word(pa));
	end();
}

/* Vellum stops the first guest, and forgets all of its translations, only for what it does. */
TEST(guests_running_refused, "I4 U4")
{
	u64 before, pfn;

	begin();
	pfn = puppet.pfn + PUPPET_PAGES;
	guests_read_hv();
	before = guests_counters.shadow_flushes;
	for (u32 i = 0; i < FRAMES; i++)
		CHECK(call(VL_CALL_MEMORY_TAKE, VL_DOMID_SELF, pfn, 1, 0) == -VL_EFAULT,
		      "it gave back what it never had");
	guests_read_hv();
	CHECK(guests_counters.shadow_flushes - before < FRAMES / 2,
	      "this guest's translations were forgotten %lu times",
	      guests_counters.shadow_flushes - before);
	end();
}

/* This guest offers a page for reading: whoever writes to it faults. */
TEST(guests_running_read_only, "I4")
{
	u64 pfn;
	s64 ref;

	begin();
	pfn = puppet.pfn + PUPPET_PAGES + 20;
	ref = vl_call_grant_offer(hypercall_page, puppet.domid, guests_frame[OTHER].v >> PAGE_SHIFT,
				  VL_GRANT_READ_ONLY);
	CHECK(ref >= 0, "grant_offer answered %ld", ref);
	CHECK(call(VL_CALL_GRANT_MAP, start_info->domid, (u64)ref, pfn, 0) == 0,
	      "grant_map failed");
	CHECK(read_word(pfn << PAGE_SHIFT) == CANARY, "it reads %#lx",
	      read_word(pfn << PAGE_SHIFT));
	CHECK(vl_call_grant_revoke(hypercall_page, (u64)ref) == -VL_EBUSY, "revoked meanwhile");
	guests_list_frames(OTHER, 1);
	CHECK(guest_give(puppet.domid, puppet.pfn + 1, 1) == -VL_EBUSY, "given away meanwhile");
	CHECK(!puppet_write(&puppet, pfn << PAGE_SHIFT, 0), "it could write");
	CHECK(guest_info.state == VL_STATE_CRASHED, "it is in state %u", guest_info.state);
	guests_check_page(OTHER, 0x5a);
	end();
	CHECK(vl_call_grant_revoke(hypercall_page, (u64)ref) == -VL_ENOENT,
	      "an offer to one that is over");
}

/* And the other way: this guest maps a page of the other's, until that is over. */
TEST(guests_running_offers, "I4")
{
	u64 pa, *word = (u64 *)FOREIGN_VA;
	s64 ref, answer;

	begin();
	pa = (puppet.pfn + PUPPET_FREE) << PAGE_SHIFT;
	CHECK(space_map(&kernel_space, (va_t){FOREIGN_VA}, (pa_t){(u64)FOREIGN_PFN << PAGE_SHIFT},
			PAGE_SIZE, PTE_W | paging_nx()) == 0,
	      "no frames");
	write_word(pa, CANARY);
	ref = call(VL_CALL_GRANT_OFFER, start_info->domid, puppet.pfn + PUPPET_FREE, 0, 0);
	CHECK(ref >= 0, "grant_offer answered %ld", ref);
	answer = vl_call_grant_map(hypercall_page, puppet.domid, (u64)ref, FOREIGN_PFN);
	CHECK(answer == 0, "grant_map answered %ld", answer);
	answer = vl_call_grant_map(hypercall_page, puppet.domid, (u64)ref, FOREIGN_PFN);
	CHECK(answer == -VL_EEXIST, "mapped twice at one place: %ld", answer);
	answer = vl_call_grant_map(hypercall_page, puppet.domid, (u64)ref,
				   guests_frame[OTHER].v >> PAGE_SHIFT);
	CHECK(answer == -VL_EINVAL, "mapped over its own RAM: %ld", answer);
	CHECK(*word == CANARY, "this guest reads %#lx", *word);
	word[1] = 77;
	CHECK(read_word(pa + 8) == 77, "the other reads %lu", read_word(pa + 8));
	CHECK(call(VL_CALL_MEMORY_TAKE, VL_DOMID_SELF, puppet.pfn + PUPPET_FREE, 1, 0) == -VL_EBUSY,
	      "it gave back what it shares");
	CHECK(call(VL_CALL_GRANT_REVOKE, (u64)ref, 0, 0, 0) == -VL_EBUSY, "revoked meanwhile");
	answer = vl_call_hv_info(hypercall_page, (u64)FOREIGN_PFN << PAGE_SHIFT, 64);
	CHECK(answer == -VL_EFAULT, "a buffer of another's: %ld", answer);
	CHECK(vl_call_grant_unmap(hypercall_page, FOREIGN_PFN) == 0, "unmap failed");
	CHECK(vl_call_grant_unmap(hypercall_page, FOREIGN_PFN) == -VL_ENOENT, "unmapped twice");
	answer = vl_call_grant_map(hypercall_page, puppet.domid, (u64)ref, FOREIGN_PFN);
	CHECK(answer == 0, "grant_map answered %ld", answer);
	word[1] = 78;
	CHECK(read_word(pa + 8) == 78, "the other reads %lu", read_word(pa + 8));
	end();
	CHECK(*word != CANARY, "this guest still sees the page");
	CHECK(space_unmap(&kernel_space, (va_t){FOREIGN_VA}) == 0, "unmap failed");
}
