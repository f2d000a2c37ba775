// SPDX-License-Identifier: MIT
/*
 * The start protocol: is the CPU at the kernel's first instruction in exactly
 * the state that hv/include/public/start.h promises?
 */
#include "mini/entry_state.h"

#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "public/hypercall.h"

#define CPUID_NX  0x100000u /* leaf 0x80000001 EDX */
#define ENTRY_CS  0x10
#define ENTRY_DS  0x18
#define RPL       0x3u
#define NO_MATTER 0x2008d5u /* CF PF AF ZF SF OF, and ID, which changes nothing */

/* Where ring 3 shows itself, and nothing can be said about what Vellum has there. */
static bool began_virtualized(void)
{
	return (start_info->flags & VL_START_VIRTUALIZED) != 0;
}

static bool is_reserved(u64 start, u64 size)
{
	return range_contains(memory_reserved(), (struct range){start, start + size});
}

TEST(entry_control_registers, "M1 I1")
{
	const struct entry_state *e = &entry_state;
	u64 nxe = cpuid(0x80000001).edx & CPUID_NX ? EFER_NXE : 0;
	u64 shown = began_virtualized() ? RFLAGS_IF : 0;

	CHECK((e->cr0 & ~(u64)CR0_ET) == (CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG),
	      "CR0 is %#lx", e->cr0);
	CHECK(e->cr4 == CR4_PAE, "CR4 is %#lx", e->cr4);
	CHECK(e->efer == (EFER_LME | EFER_LMA | nxe), "EFER is %#lx", e->efer);
	CHECK((e->rflags & ~(u64)NO_MATTER) == (RFLAGS_FIXED | shown), "RFLAGS is %#lx", e->rflags);
}

TEST(entry_segments, "M1 I1")
{
	const struct entry_state *e = &entry_state;

	if (began_virtualized()) {
		CHECK((e->cs & RPL) == 3 && (e->ss & RPL) == 3, "CS %#x SS %#x", e->cs, e->ss);
		CHECK(e->ds == 0 && e->es == 0, "DS %#x ES %#x", e->ds, e->es);
		return;
	}
	CHECK((e->cs & RPL) == 0, "entered at CPL %u", e->cs & RPL);
	CHECK(e->cs == ENTRY_CS, "CS is %#x", e->cs);
	CHECK(e->ds == ENTRY_DS && e->es == ENTRY_DS && e->ss == ENTRY_DS, "DS %#x ES %#x SS %#x",
	      e->ds, e->es, e->ss);
	CHECK(e->idtr.limit == 0, "IDT limit is %#x", e->idtr.limit);
	CHECK(e->gdtr.limit >= ENTRY_DS + 7, "GDT limit is %#x", e->gdtr.limit);
	CHECK(is_reserved(e->gdtr.base, (u64)e->gdtr.limit + 1),
	      "the GDT at %#lx is not in the reserved range", e->gdtr.base);
}

TEST(entry_registers, "M1 U3")
{
	const struct entry_state *e = &entry_state;

	CHECK(e->rsp == 0, "RSP is %#lx", e->rsp);
	CHECK(is_reserved(e->rdi, start_info->size), "the start info at %#lx is not reserved",
	      e->rdi);
	CHECK(e->rsi == start_info->boot_params, "RSI is %#lx, the start info says %#lx", e->rsi,
	      start_info->boot_params);
}

static void check_identity(const struct space *space, u64 start, u64 end)
{
	struct mapping to;

	for (u64 at = start; at < end; at = round_down(at, to.size) + to.size) {
		CHECK(space_translate(space, (va_t){at}, &to), "%#lx is not mapped at entry", at);
		CHECK(to.pa.v == at, "%#lx is mapped to %#lx at entry", at, to.pa.v);
		CHECK(to.rights & PTE_W && !(to.rights & PTE_NX), "%#lx has rights %#lx at entry",
		      at, to.rights);
	}
}

TEST(entry_page_tables, "M1 I1 M10")
{
	struct space space = {{entry_state.cr3}};
	const u64 *root = pa_to_ptr(space.root);

	CHECK(is_reserved(entry_state.cr3, PAGE_SIZE), "the root at %#lx is not reserved",
	      entry_state.cr3);
	check_identity(&space, 0, 4 * GIB);
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		if (memory_range(i)->type == VL_MEMORY_RAM)
			check_identity(&space, memory_bounds(i).start, memory_bounds(i).end);
	}
	for (size_t i = VL_FIRST_SLOT; i < NR_ENTRIES; i++)
		CHECK(root[i] == 0, "slot %zu of the root is %#lx at entry", i, root[i]);
}
