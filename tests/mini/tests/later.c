// SPDX-License-Identifier: MIT
/*
 * Guests of one page of code: their memory is filled here before it is given to
 * them. Physical is virtual, by one page directory of large pages.
 */
#include "mini/tests/later.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "public/start.h"

enum {
	PAGE_CODE,
	PAGE_DATA, /* the GDT, too */
	PAGE_STACK,
	PAGE_ROOT,
	PAGE_PDPT,
	PAGE_PD,
};
_Static_assert(PAGE_PD + 1 == LATER_PAGES, "later.h has their number");

#define CODE64 0x00af9b000000ffffull
#define DATA   0x00cf93000000ffffull

extern const u8 later_code[], later_code_end[];

static struct vl_vcpu_start start __attribute__((aligned(64)));
static struct vl_sched_info info __attribute__((aligned(64)));

static void fill(u32 first, u64 base)
{
	u64 *gdt = (u64 *)guests_page(first + PAGE_DATA), *table;

	CHECK((u64)(later_code_end - later_code) <= PAGE_SIZE, "its code is too long");
	CHECK(base + LATER_PAGES * PAGE_SIZE <= LATER_APIC,
	      "its memory is out of its tables' reach");
	for (u32 i = 0; i < LATER_PAGES; i++)
		guests_fill(first + i, 0);
	memcpy(guests_page(first + PAGE_CODE), later_code, (u64)(later_code_end - later_code));
	gdt[2] = CODE64;
	gdt[3] = DATA;
	table = (u64 *)guests_page(first + PAGE_ROOT);
	table[0] = (base + PAGE_PDPT * PAGE_SIZE) | PTE_P | PTE_W;
	table = (u64 *)guests_page(first + PAGE_PDPT);
	table[0] = (base + PAGE_PD * PAGE_SIZE) | PTE_P | PTE_W;
	table = (u64 *)guests_page(first + PAGE_PD);
	for (u64 i = 0; i < NR_ENTRIES; i++)
		table[i] = i * 2 * MIB | PTE_P | PTE_W | PTE_PS;
	table[LATER_APIC / (2 * MIB)] = 0xfee00000 | PTE_P | PTE_W | PTE_PS;
}

static u64 create(u32 first, u32 weight, u32 vcpus)
{
	char name[8] = {'l', 'a', 't', 'e', 'r', (char)('a' + first / LATER_PAGES), 0};
	s64 domid;

	guest_want(name, LATER_PAGES);
	guest_wanted.weight = weight;
	guest_wanted.nr_vcpus = vcpus;
	domid = guest_create();
	CHECK(domid > 0, "create answered %ld", domid);
	return (u64)domid;
}

u64 later_create(u32 first, u32 weight)
{
	return create(first, weight, 1);
}

static void start_vcpu(u64 domid, u32 vcpu)
{
	s64 answer =
		vl_call_vcpu_start(hypercall_page, domid, vcpu, ptr_to_pa(&start).v, sizeof(start));

	CHECK(answer == 0, "vcpu_start(%u) answered %ld", vcpu, answer);
}

void later_ready(u64 domid, u32 what, u64 more, u32 first)
{
	u64 base = guests_first_pfn() << PAGE_SHIFT;
	s64 answer;

	fill(first, base);
	guests_list_frames(first, LATER_PAGES);
	answer = guest_give(domid, base >> PAGE_SHIFT, LATER_PAGES);
	CHECK(answer == 0, "give answered %ld", answer);
	start = (struct vl_vcpu_start){
		.rip = base,
		.rdi = what,
		.rsi = more,
		.cr3 = base + PAGE_ROOT * PAGE_SIZE,
		.gdt_base = base + PAGE_DATA * PAGE_SIZE,
		.gdt_limit = 4 * sizeof(u64) - 1,
	};
	start_vcpu(domid, 0);
}

u64 later_make(u32 what, u32 first, u32 weight)
{
	u64 domid = later_create(first, weight);

	later_ready(domid, what, 0, first);
	return domid;
}

u64 later_begin_many(u32 what, u32 first, u32 weight, u32 vcpus)
{
	u64 domid = create(first, weight, vcpus);
	s64 answer;

	later_ready(domid, what, 0, first);
	for (u32 i = 1; i < vcpus; i++)
		start_vcpu(domid, i);
	answer = vl_call_domain_unpause(hypercall_page, domid);
	CHECK(answer == 0, "unpause answered %ld", answer);
	return domid;
}

u64 later_begin(u32 what, u32 first, u32 weight)
{
	return later_begin_many(what, first, weight, 1);
}

u32 later_state(u64 domid)
{
	CHECK(guest_ask(domid) == sizeof(guest_info), "domain %lu is not there", domid);
	return guest_info.state;
}

const struct vl_sched_info *later_info(u64 domid)
{
	s64 answer =
		vl_call_domain_sched_info(hypercall_page, domid, ptr_to_pa(&info).v, sizeof(info));

	CHECK(answer == sizeof(info), "domain_sched_info answered %ld", answer);
	return &info;
}

void later_spend(u64 ticks)
{
	u64 begin = rdtsc();

	while (rdtsc() - begin < ticks)
		asm volatile("pause" ::: "memory");
}
