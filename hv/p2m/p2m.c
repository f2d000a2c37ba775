// SPDX-License-Identifier: MIT
/*
 * The p2m's tree. Owns the half of invariant M7 that concerns Vellum: identity
 * gives out no frame of the partition, and its page frames cannot be mapped.
 *
 * An entry is 0 for identity, else a kind and a page-aligned number: the va of a
 * table, or the machine address that the entry's block starts at. So a fresh
 * root is the identity of everything, splitting an identity entry writes
 * nothing, and memory of devices, which no memory map lists, is covered too.
 * Pure but for the allocator behind struct p2m_memory.
 */
#include "p2m/p2m.h"

#include "lib/string.h"
#include "public/errno.h"

#define ENTRY_TABLE   ((u64)1)
#define ENTRY_FRAMES  ((u64)2)
#define ENTRY_KIND    ((u64)3)
#define ENTRIES       512u
#define ROOT_LEVEL    5
#define LARGEST_LEVEL 3 /* of an entry that p2m_set() makes: 1 GiB */

static struct {
	struct range partition;
	ma_t nothing;
} machine;

void p2m_set_machine(struct range partition, ma_t nothing)
{
	machine.partition = partition;
	machine.nothing = nothing;
}

/* log2 of the bytes that an entry of a table of this level covers; 1 is the lowest. */
static u32 level_shift(u32 level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static u32 entry_index(u64 address, u32 level)
{
	return (u32)(address >> level_shift(level)) %
	       (level == ROOT_LEVEL ? P2M_ROOT_ENTRIES : ENTRIES);
}

static bool is_table(u64 entry)
{
	return (entry & ENTRY_KIND) == ENTRY_TABLE;
}

static u64 *table_of(u64 entry)
{
	return (u64 *)(uintptr_t)(entry & ~ENTRY_KIND);
}

/* The entry for an address, which is no table. */
static u64 find(const struct p2m *p, u64 address, u32 *level)
{
	u64 entry = p->root[entry_index(address, ROOT_LEVEL)];

	for (*level = ROOT_LEVEL; is_table(entry);
	     entry = table_of(entry)[entry_index(address, *level)])
		--*level;
	return entry;
}

void p2m_init(struct p2m *p, const struct p2m_memory *memory)
{
	memset(p, 0, sizeof(*p));
	p->memory = memory;
}

static void free_table(struct p2m *p, u64 entry, u32 level)
{
	u64 *table = table_of(entry);

	for (u32 i = 0; level > 1 && i < ENTRIES; i++)
		if (is_table(table[i]))
			free_table(p, table[i], level - 1);
	p->memory->free(p->memory->context, table);
	p->tables--;
}

void p2m_destroy(struct p2m *p)
{
	for (u32 i = 0; i < P2M_ROOT_ENTRIES; i++) {
		if (is_table(p->root[i]))
			free_table(p, p->root[i], ROOT_LEVEL - 1);
		p->root[i] = 0;
	}
	p->moved = 0;
}

static ma_t identity(u64 pa, u32 *shift)
{
	for (;; *shift -= 9) {
		u64 size = (u64)1 << *shift;
		struct range block = {round_down(pa, size), round_down(pa, size) + size};

		if (!range_overlaps(block, machine.partition))
			return (ma_t){pa};
		if (*shift == PAGE_SHIFT)
			return machine.nothing;
	}
}

ma_t p2m_translate(void *context, pa_t pa, u32 *shift)
{
	const struct p2m *p = context;
	u32 level;
	u64 entry = find(p, pa.v, &level);
	u64 inside = pa.v & (((u64)1 << level_shift(level)) - 1);

	*shift = (u32)min_u64(*shift, level_shift(level));
	if (entry == 0)
		return identity(pa.v, shift);
	return (ma_t){(entry & ~ENTRY_KIND) + inside};
}

ma_t p2m_translate_unmapped(void *context, pa_t pa, u32 *shift)
{
	(void)context;
	return identity(pa.v, shift);
}

mfn_t p2m_lookup(const struct p2m *p, pfn_t pfn)
{
	u64 address = pfn.v << PAGE_SHIFT;
	u32 level;
	u64 entry = find(p, address, &level);

	if (entry == 0)
		return (mfn_t){pfn.v};
	return (mfn_t){((entry & ~ENTRY_KIND) + (address & (((u64)1 << level_shift(level)) - 1))) >>
		       PAGE_SHIFT};
}

/* --- change --- */

/* What slot `i` below an entry says before the entry is split. */
static u64 part_of(u64 entry, u32 level, u32 i)
{
	return entry == 0 ? 0 : entry + ((u64)i << level_shift(level));
}

/* Frames of a block of this level, not a table, that are not at home. */
static u64 moved_in_block(u64 entry, u32 level)
{
	return entry == 0 ? 0 : (u64)1 << (level_shift(level) - PAGE_SHIFT);
}

static u64 moved_below(u64 entry, u32 level)
{
	u64 moved = 0;

	if (!is_table(entry))
		return moved_in_block(entry, level);
	for (u32 i = 0; i < ENTRIES; i++)
		moved += moved_below(table_of(entry)[i], level - 1);
	return moved;
}

static void free_pages(struct p2m *p, void **page, u32 count)
{
	while (count > 0)
		p->memory->free(p->memory->context, page[--count]);
}

static bool alloc_pages(struct p2m *p, void **page, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		page[i] = p->memory->alloc(p->memory->context);
		if (page[i] == NULL) {
			free_pages(p, page, i);
			return false;
		}
	}
	return true;
}

/* The entry of `level` for an address, larger ones split on the way, for which `page` has enough
 * pages. */
static u64 *split_to(struct p2m *p, u64 address, u32 level, void **page)
{
	u64 *entry = &p->root[entry_index(address, ROOT_LEVEL)];

	for (u32 l = ROOT_LEVEL; l > level; l--) {
		if (!is_table(*entry)) {
			u64 *table = *page++;

			for (u32 i = 0; *entry != 0 && i < ENTRIES; i++)
				table[i] = part_of(*entry, l - 1, i);
			*entry = (u64)(uintptr_t)table | ENTRY_TABLE;
			p->tables++;
		}
		entry = &table_of(*entry)[entry_index(address, l - 1)];
	}
	return entry;
}

static bool can_set(u64 pa, u64 ma, u32 shift)
{
	u64 size = (u64)1 << shift;
	u64 limit = (u64)1 << (P2M_PFN_BITS + PAGE_SHIFT);

	if (shift != level_shift(1) && shift != level_shift(2) &&
	    shift != level_shift(LARGEST_LEVEL))
		return false;
	if (((pa | ma) & (size - 1)) != 0 || pa >= limit || ma >= limit)
		return false;
	return !range_overlaps((struct range){pa, pa + size}, machine.partition);
}

int p2m_set(struct p2m *p, pfn_t pfn, mfn_t mfn, u32 shift)
{
	u64 pa = pfn.v << PAGE_SHIFT, ma = mfn.v << PAGE_SHIFT;
	u64 value = pa == ma ? 0 : ma | ENTRY_FRAMES;
	u32 level = (shift - PAGE_SHIFT) / 9 + 1, there;
	void *page[ROOT_LEVEL];
	u64 *entry, old = find(p, pa, &there);

	if ((pfn.v | mfn.v) >> P2M_PFN_BITS != 0 || !can_set(pa, ma, shift))
		return -VL_EINVAL;
	if (there >= level && old == 0 && value == 0)
		return 0;
	if (there > level && !alloc_pages(p, page, there - level))
		return -VL_ENOMEM;
	entry = split_to(p, pa, level, page);
	old = *entry;
	p->moved += moved_in_block(value, level) - moved_below(old, level);
	*entry = value;
	if (is_table(old))
		free_table(p, old, level - 1);
	return 0;
}

/* --- iteration --- */

struct p2m_range p2m_run(const struct p2m *p, u64 pfn, u64 end, u32 *steps)
{
	struct p2m_range r = {.pfn = pfn, .mfn = p2m_lookup(p, (pfn_t){pfn}).v};

	for (u64 next = pfn; next<end && * steps> 0; --*steps) {
		u32 level;
		u64 frames;

		find(p, next << PAGE_SHIFT, &level);
		if (p2m_lookup(p, (pfn_t){next}).v - next != r.mfn - pfn)
			break;
		frames = (u64)1 << (level_shift(level) - PAGE_SHIFT);
		next = min_u64(end, round_down(next, frames) + frames);
		r.count = next - pfn;
	}
	return r;
}

/* The same below a table; `address` is where to start, and where the found one is. */
static bool next_moved_below(const u64 *table, u32 entries, u32 level, u64 *address)
{
	u64 size = (u64)1 << level_shift(level);

	for (u32 i = entry_index(*address, level); i < entries; i++) {
		if (is_table(table[i])) {
			if (next_moved_below(table_of(table[i]), ENTRIES, level - 1, address))
				return true;
		} else if (table[i] != 0) {
			return true;
		}
		*address = round_down(*address, size) + size;
	}
	/* The caller goes to its next entry by itself: leave it in the one that it had. */
	*address -= 1;
	return false;
}

bool p2m_next_moved(const struct p2m *p, u64 *pfn)
{
	u64 address = *pfn << PAGE_SHIFT;

	if (*pfn >> P2M_PFN_BITS != 0 ||
	    !next_moved_below(p->root, P2M_ROOT_ENTRIES, ROOT_LEVEL, &address))
		return false;
	*pfn = address >> PAGE_SHIFT;
	return true;
}
