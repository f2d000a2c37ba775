// SPDX-License-Identifier: MIT
/*
 * Making a puppet: its tables map its RAM and what lies right behind to the same
 * virtual addresses, and one page, the window, to whatever it is told to look at.
 */
#include "mini/tests/puppet.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"

_Static_assert(PUPPET_CALL_GRANT_MAP == VL_CALL_GRANT_MAP && PUPPET_CALL_YIELD == VL_CALL_YIELD,
	       "puppet_code.S has numbers of its own");

/* Its pages. */
enum { CODE, TOP, LEVEL3, LEVEL2, LEVEL1, GDT };
_Static_assert(PUPPET_LEVEL2 == LEVEL2, "tests find it");
#define SHARED_PAGE (PUPPET_PAGES + 1) /* behind its RAM */
#define WINDOW      (PUPPET_PAGES + 2)
#define MAPPED      (PUPPET_PAGES + 3)

#define PATIENCE 100000u /* yields; one of them is as long as the puppet has to do */

extern const char puppet_code[], puppet_code_end[];

static u64 pa_of(const struct puppet *p, u32 page_number)
{
	return (p->pfn + page_number) << PAGE_SHIFT;
}

static u64 *fill_table(const struct puppet *p, u32 number)
{
	u64 *table = (u64 *)guests_page(p->own_frame + number);

	memset(table, 0, PAGE_SIZE);
	return table;
}

/* All in one region of 2 MiB. */
static void fill_tables(const struct puppet *p)
{
	u64 start = pa_of(p, 0), flags = PTE_P | PTE_W;
	u64 *leaf = fill_table(p, LEVEL1);

	fill_table(p, TOP)[start >> 39 & 511] = pa_of(p, LEVEL3) | flags;
	fill_table(p, LEVEL3)[start >> 30 & 511] = pa_of(p, LEVEL2) | flags;
	fill_table(p, LEVEL2)[start >> 21 & 511] = pa_of(p, LEVEL1) | flags;
	for (u32 i = 0; i < MAPPED; i++)
		leaf[(start >> 12 & 511) + i] = pa_of(p, i) | flags;
}

static void fill_gdt(const struct puppet *p)
{
	u64 *gdt = fill_table(p, GDT);

	gdt[2] = 0x00af9b000000ffff; /* 0x10: 64-bit code */
	gdt[3] = 0x00cf93000000ffff; /* 0x18: data */
}

static void make_domain(struct puppet *p, const char *name)
{
	s64 domid;

	guest_want(name, PUPPET_PAGES);
	guest_wanted.memory_start = round_up(guest_wanted.memory_start, 2 * MIB);
	p->pfn = guest_wanted.memory_start >> PAGE_SHIFT;
	domid = guest_create();
	CHECK(domid > 0, "create answered %ld", domid);
	p->domid = (u64)domid;
}

static void start_vcpu(const struct puppet *p, u64 ref)
{
	static struct vl_vcpu_start start __attribute__((aligned(64)));
	s64 answer;

	start = (struct vl_vcpu_start){
		.rip = pa_of(p, CODE),
		.rdi = pa_of(p, SHARED_PAGE),
		.rsi = (u64)start_info->domid << 32 | ref,
		.cr3 = pa_of(p, TOP),
		.gdt_base = pa_of(p, GDT),
		.gdt_limit = 4 * 8 - 1,
	};
	answer =
		vl_call_vcpu_start(hypercall_page, p->domid, 0, ptr_to_pa(&start).v, sizeof(start));
	CHECK(answer == 0, "vcpu_start answered %ld", answer);
	answer = vl_call_domain_unpause(hypercall_page, p->domid);
	CHECK(answer == 0, "unpause answered %ld", answer);
}

void puppet_start(struct puppet *p, const char *name, u32 frames)
{
	s64 ref;

	*p = (struct puppet){.own_frame = frames, .shared = frames + PUPPET_PAGES};
	make_domain(p, name);
	fill_tables(p);
	fill_gdt(p);
	memcpy(guests_page(frames + CODE), puppet_code, (size_t)(puppet_code_end - puppet_code));
	memset(guests_page(p->shared), 0, PAGE_SIZE);
	guests_list_frames(frames, PUPPET_PAGES);
	CHECK(guest_give(p->domid, p->pfn, PUPPET_PAGES) == 0, "give failed");
	ref = vl_call_grant_offer(hypercall_page, p->domid, guests_frame[p->shared].v >> PAGE_SHIFT,
				  0);
	CHECK(ref >= 0, "grant_offer answered %ld", ref);
	start_vcpu(p, (u64)ref);
}

static volatile u64 *word_of(const struct puppet *p, u32 offset)
{
	return (volatile u64 *)(guests_page(p->shared) + offset);
}

static bool runs(const struct puppet *p)
{
	return guest_ask(p->domid) == sizeof(guest_info) && guest_info.state == VL_STATE_RUNNING;
}

static bool perform(const struct puppet *p, u64 what)
{
	*word_of(p, PUPPET_WHAT) = what;
	for (u32 i = 0; i < PATIENCE; i++) {
		if (*word_of(p, PUPPET_WHAT) == 0)
			return true;
		if (i % 64 == 63 && !runs(p))
			return false;
		vl_call_yield(hypercall_page);
	}
	test_fail("domain %lu runs and does nothing", p->domid);
}

bool puppet_call(const struct puppet *p, s64 *answer, u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	const u64 args[5] = {nr, a, b, c, d};

	for (u32 i = 0; i < ARRAY_SIZE(args); i++)
		*word_of(p, PUPPET_ARG + i * 8) = args[i];
	if (!perform(p, PUPPET_CALL))
		return false;
	*answer = (s64)*word_of(p, PUPPET_ANSWER);
	return true;
}

/* It writes to its own tables, which are mapped where they are. */
static bool turn_window(const struct puppet *p, u64 pa)
{
	u64 entry = pa_of(p, LEVEL1) + ((pa_of(p, WINDOW) >> 12 & 511) * 8);

	*word_of(p, PUPPET_ARG) = entry;
	*word_of(p, PUPPET_ARG + 8) = (pa & PAGE_MASK) | PTE_P | PTE_W;
	return perform(p, PUPPET_WRITE);
}

bool puppet_read_virtual(const struct puppet *p, u64 va, u64 *word)
{
	*word_of(p, PUPPET_ARG) = va;
	if (!perform(p, PUPPET_READ))
		return false;
	*word = *word_of(p, PUPPET_ANSWER);
	return true;
}

bool puppet_read(const struct puppet *p, u64 pa, u64 *word)
{
	return turn_window(p, pa) &&
	       puppet_read_virtual(p, pa_of(p, WINDOW) + pa % PAGE_SIZE, word);
}

u64 puppet_pa(const struct puppet *p, u32 page_number)
{
	return pa_of(p, page_number);
}

bool puppet_write(const struct puppet *p, u64 pa, u64 word)
{
	if (!turn_window(p, pa))
		return false;
	*word_of(p, PUPPET_ARG) = pa_of(p, WINDOW) + pa % PAGE_SIZE;
	*word_of(p, PUPPET_ARG + 8) = word;
	return perform(p, PUPPET_WRITE);
}
