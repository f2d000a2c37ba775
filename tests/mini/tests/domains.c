// SPDX-License-Identifier: MIT
/*
 * What the tests of other domains have in common: short words for the calls,
 * and frames whose content is known.
 */
#include "mini/tests/domains.h"

#include "lib/string.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/cpu.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/virtual.h"

struct vl_hv_info guests_hv;
struct vl_domain_counters guests_counters;
struct vl_domain_info guest_info;
struct vl_domain_create guest_wanted __attribute__((aligned(64)));
struct vl_memory_list guests_list __attribute__((aligned(4096)));
pa_t guests_frame[GUESTS_PAGES];
static u8 buffer[PAGE_SIZE] __attribute__((aligned(4096)));

s64 guest_create(void)
{
	return vl_call_domain_create(hypercall_page, ptr_to_pa(&guest_wanted).v,
				     sizeof(guest_wanted));
}

s64 guest_destroy_some(u64 domid)
{
	return vl_call_domain_destroy(hypercall_page, domid);
}

s64 guest_give(u64 domid, u64 pfn, u64 count)
{
	return vl_call_memory_give(hypercall_page, domid, pfn, ptr_to_pa(&guests_list).v,
				   count * sizeof(u64));
}

s64 guest_take(u64 domid, u64 pfn, u64 count)
{
	return vl_call_memory_take(hypercall_page, domid, pfn, count);
}

s64 guest_ask(u64 domid)
{
	return vl_call_domain_info(hypercall_page, domid, ptr_to_pa(&guest_info).v,
				   sizeof(guest_info));
}

void guests_read_hv(void)
{
	s64 answer = vl_call_hv_info(hypercall_page, ptr_to_pa(&guests_hv).v, sizeof(guests_hv));

	CHECK(answer == sizeof(guests_hv), "hv_info answered %ld", answer);
	answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF,
					 ptr_to_pa(&guests_counters).v, sizeof(guests_counters));
	CHECK(answer == sizeof(guests_counters), "domain_counters answered %ld", answer);
}

/* Bytes of the partition that no shadow has: what is free but for how this guest used its own
 * memory meanwhile. Two calls tell it, between which a shadow of another CPU may grow. */
u64 guests_partition_free(void)
{
	u64 free, tables;

	guests_read_hv();
	do {
		free = guests_hv.partition_free;
		tables = guests_counters.shadow_tables;
		guests_read_hv();
	} while (guests_hv.partition_free != free);
	return free + tables * PAGE_SIZE;
}

bool guests_free_settles(u64 free)
{
	u64 limit = rdtsc() + 1000 * tsc_per_ms();

	while (guests_partition_free() != free)
		if (rdtsc() > limit)
			return false;
	return true;
}

u64 guests_own_memory(void)
{
	CHECK(guest_ask(VL_DOMID_SELF) == sizeof(guest_info), "domain_info failed");
	return guest_info.memory;
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

void guest_want(const char *name, u64 pages)
{
	memset(&guest_wanted, 0, sizeof(guest_wanted));
	memcpy(guest_wanted.name, name, strlen(name));
	guest_wanted.memory_start = main_range();
	guest_wanted.memory_size = pages * PAGE_SIZE;
	guest_wanted.nr_vcpus = 1;
	guest_wanted.weight = 256;
}

u64 guests_first_pfn(void)
{
	return main_range() >> PAGE_SHIFT;
}

u64 guest_make(const char *name, u64 pages)
{
	s64 domid;

	guest_want(name, pages);
	domid = guest_create();
	CHECK(domid > 0, "create answered %ld", domid);
	return (u64)domid;
}

void guest_destroy(u64 domid)
{
	s64 left = guest_destroy_some(domid), before;

	do {
		before = left;
		CHECK(left >= 0, "destroy answered %ld", left);
		left = left == 0 ? 0 : guest_destroy_some(domid);
	} while (left > 0 && left < before);
	CHECK(left == 0, "destroy does not get on: %ld after %ld", left, before);
}

void guests_go_in(void)
{
	s64 answer = is_virtualized() ? 0 : virtualize(0);

	CHECK(answer == 0, "virtualize answered %ld", answer);
}

void guests_warm_up(void)
{
	static const char *const names[] = {"warm", "warmer", "hot", "hotter"};
	u64 domid[ARRAY_SIZE(names)];

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		domid[i] = guest_make(names[i], 1);
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		guest_destroy(domid[i]);
}

void guests_take_frames(u32 count)
{
	for (u32 i = 0; i < count; i++) {
		guests_frame[i] = frame_alloc();
		CHECK(guests_frame[i].v != 0, "this machine is too small");
	}
}

void guests_free_frames(u32 count)
{
	for (u32 i = 0; i < count; i++)
		frame_free(guests_frame[i]);
}

u8 *guests_page(u32 i)
{
	return pa_to_ptr(guests_frame[i]);
}

void guests_fill(u32 i, u8 with)
{
	memset(guests_page(i), with, PAGE_SIZE);
}

void guests_check_page(u32 i, u8 with)
{
	const u64 *words = (const u64 *)guests_page(i);
	u64 all = with * 0x0101010101010101ull;

	for (u32 k = 0; k < PAGE_SIZE / 8; k++)
		CHECK(words[k] == all, "page %u (%#lx): %#lx at %u, not %#lx", i, guests_frame[i].v,
		      words[k], k * 8, all);
}

void guests_list_frames(u32 from, u32 count)
{
	for (u32 i = 0; i < count; i++)
		guests_list.pfn[i] = guests_frame[from + i].v >> PAGE_SHIFT;
}

/* Where the page frame of a domain is, by call 13; 0: nowhere. */
u64 guest_machine_frame(u64 domid, u64 pfn)
{
	const struct vl_p2m_read *head = (const void *)buffer;
	const struct vl_p2m_range *r = (const void *)(head + 1);
	s64 answer = vl_call_p2m_read(hypercall_page, domid, pfn, ptr_to_pa(buffer).v,
				      sizeof(*head) + sizeof(*r));

	CHECK(answer >= 0, "p2m_read of %lu answered %ld", domid, answer);
	return answer > 0 && r->pfn == pfn ? r->mfn : 0;
}

void guest_check_gone(u64 domid)
{
	CHECK(guest_ask(domid) == -VL_ENOENT, "domain %lu is still there", domid);
	CHECK(vl_call_domain_next(hypercall_page, domid) != (s64)domid, "it is in the list");
	guests_read_hv();
	CHECK(guests_hv.nr_domains == 1, "%u domains", guests_hv.nr_domains);
}
