// SPDX-License-Identifier: MIT
/*
 * The p2m's tree. Owns the half of invariant M7 that concerns Vellum: identity
 * gives out no frame of the partition, and its page frames cannot be mapped; and
 * with it that a later domain reaches no frame that was not given to it.
 *
 * An entry is 0 for identity (of a later domain: for nothing), else a kind and a
 * page-aligned number: the va of a table, or the machine address that the
 * entry's block starts at; or of a page that was given away, to whom. A table's
 * entry counts those in it that are away, or lead to some: so what is away is
 * found without a look at what is not. A fresh
 * root is the identity of everything, splitting an identity entry writes
 * nothing, and memory of devices, which no memory map lists, is covered too.
 * There is no table without an entry that is not 0: so a p2m that is as it was
 * has the tables that it had. Pure but for the allocator behind struct
 * p2m_memory.
 */
#include "entry.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "public/errno.h"
#include "public/hypercall.h"

static struct {
	struct range partition;
	ma_t nothing;
} machine;

void p2m_set_machine(struct range partition, ma_t nothing)
{
	machine.partition = partition;
	machine.nothing = nothing;
}

/* ENTRY_GIVEN, domid and page frame, from the lowest bit. */
#define GIVEN_DOMID_SHIFT 2
#define GIVEN_DOMID_MASK  ((u64)0xffff)
#define GIVEN_PFN_SHIFT   24
_Static_assert(PORTIONS_END == (u64)1 << P2M_PFN_BITS, "all is all of the p2m");
_Static_assert(GIVEN_PFN_SHIFT + P2M_PFN_BITS <= 64, "an owner fits into an entry");
_Static_assert(VL_DOMID_MAX <= GIVEN_DOMID_MASK, "an owner fits into an entry");

static bool is_given(u64 entry)
{
	return (entry & ENTRY_KIND) == ENTRY_GIVEN;
}

/* The entry for an address, which is no table. */
static u64 find(const struct p2m *p, u64 address, u32 *level)
{
	u64 entry = p->root[entry_index(address, ROOT_LEVEL)];
	u32 shift = level_shift(ROOT_LEVEL);

	for (*level = ROOT_LEVEL; is_table(entry); --*level) {
		shift -= 9;
		entry = table_of(entry)[address >> shift & (ENTRIES - 1)];
	}
	return entry;
}

void p2m_init(struct p2m *p, const struct p2m_memory *memory)
{
	memset(p, 0, sizeof(*p));
	p->memory = memory;
	p->nothing = machine.nothing;
	portions_set_all(&p->portions);
}

void p2m_init_own(struct p2m *p, const struct p2m_memory *memory, ma_t nothing)
{
	p2m_init(p, memory);
	p->own = true;
	p->nothing = nothing;
}

static bool free_some(struct p2m *p, u64 entry, u32 level, u64 *budget)
{
	u64 *table = table_of(entry);

	for (u32 i = 0; level > 1 && i < ENTRIES; i++) {
		if (!is_table(table[i]))
			continue;
		if (!free_some(p, table[i], level - 1, budget))
			return false;
		table[i] = 0;
	}
	if (*budget == 0)
		return false;
	--*budget;
	p->memory->free(p->memory->context, table);
	p->tables--;
	return true;
}

static void free_table(struct p2m *p, u64 entry, u32 level)
{
	u64 all = ~(u64)0;

	free_some(p, entry, level, &all);
}

bool p2m_destroy_some(struct p2m *p, u64 tables)
{
	for (u32 i = 0; i < P2M_ROOT_ENTRIES; i++) {
		if (is_table(p->root[i]) && !free_some(p, p->root[i], ROOT_LEVEL - 1, &tables))
			return false;
		p->root[i] = 0;
	}
	p->frames = p->moved = p->given = p->foreign = p->foreign_read_only = p->shared = 0;
	portions_set_all(&p->portions);
	return true;
}

void p2m_destroy(struct p2m *p)
{
	p2m_destroy_some(p, ~(u64)0);
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
	if (entry == 0 && !p->own)
		return identity(pa.v, shift);
	if (entry == 0 || is_given(entry)) {
		*shift = PAGE_SHIFT;
		return (ma_t){p->nothing.v + pa.v % PAGE_SIZE};
	}
	return (ma_t){(entry & ENTRY_NUMBER) + inside};
}

ma_t p2m_translate_unmapped(void *context, pa_t pa, u32 *shift)
{
	(void)context;
	return identity(pa.v, shift);
}

bool p2m_is_partition(pa_t pa)
{
	return range_overlaps((struct range){pa.v, pa.v + PAGE_SIZE}, machine.partition);
}

bool p2m_is_nothing(const struct p2m *p, ma_t ma)
{
	u64 page = round_down(ma.v, PAGE_SIZE);

	return page == machine.nothing.v || (p->own && page == p->nothing.v);
}

mfn_t p2m_lookup(const struct p2m *p, pfn_t pfn)
{
	u64 address = pfn.v << PAGE_SHIFT;
	u32 level;
	u64 entry = find(p, address, &level);

	if (entry == 0 && !p->own)
		return (mfn_t){pfn.v};
	if (entry == 0 || is_given(entry))
		return (mfn_t){P2M_NOTHING};
	return (mfn_t){
		((entry & ENTRY_NUMBER) + (address & (((u64)1 << level_shift(level)) - 1))) >>
		PAGE_SHIFT};
}

/* --- change --- */

/* What slot `i` below an entry says before the entry is split. */
static u64 part_of(u64 entry, u32 level, u32 i)
{
	return entry == 0 ? 0 : entry + ((u64)i << level_shift(level));
}

/* Add what an entry for `pa` stands for, `sign` times. */
static void count(struct p2m *p, u64 entry, u64 pa, u32 level, u64 sign)
{
	u64 frames = sign << (level_shift(level) - PAGE_SHIFT);

	if (entry == 0)
		return;
	if (is_given(entry)) {
		p->given += sign;
	} else if (is_foreign(entry)) {
		p->foreign += sign;
		p->foreign_read_only += entry & ENTRY_READ_ONLY ? sign : 0;
	} else if (!is_table(entry)) {
		p->frames += frames;
		p->moved += (entry & ENTRY_NUMBER) != pa ? frames : 0;
		p->shared += entry & ENTRY_SHARED ? frames : 0;
	} else {
		for (u64 i = 0; i < ENTRIES; i++)
			count(p, table_of(entry)[i], pa + (i << level_shift(level - 1)), level - 1,
			      sign);
	}
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
			*entry = (u64)(uintptr_t)table | ENTRY_TABLE |
				 (is_away(*entry, round_down(address, (u64)1 << level_shift(l)))
					  ? ENTRIES * ENTRY_AWAY_ONE
					  : 0);
			p->tables++;
		}
		entry = &table_of(*entry)[entry_index(address, l - 1)];
	}
	return entry;
}

static bool is_empty(const u64 *table)
{
	for (u32 i = 0; i < ENTRIES; i++)
		if (table[i] != 0)
			return false;
	return true;
}

/* Give back the tables on the way to an address that have become empty. */
static void prune(struct p2m *p, u64 address)
{
	u64 *entry[ROOT_LEVEL];
	u32 tables = 0;

	entry[0] = &p->root[entry_index(address, ROOT_LEVEL)];
	while (is_table(*entry[tables])) {
		entry[tables + 1] =
			&table_of(*entry[tables])[entry_index(address, ROOT_LEVEL - 1 - tables)];
		tables++;
	}
	for (; tables > 0 && is_empty(table_of(*entry[tables - 1])); tables--) {
		free_table(p, *entry[tables - 1], 1);
		*entry[tables - 1] = 0;
	}
}

void p2m_note_away(struct p2m *p, u64 address, u32 level, bool away)
{
	u64 *above[ROOT_LEVEL], *entry = &p->root[entry_index(address, ROOT_LEVEL)];
	u32 n = 0;

	for (u32 l = ROOT_LEVEL; l > level; l--) {
		above[n++] = entry;
		entry = &table_of(*entry)[entry_index(address, l - 1)];
	}
	while (n-- > 0) {
		bool was = (*above[n] & ENTRY_AWAY) != 0;

		*above[n] += away ? ENTRY_AWAY_ONE : -ENTRY_AWAY_ONE;
		if (was == ((*above[n] & ENTRY_AWAY) != 0))
			break;
	}
}

static struct range frames_of(u64 pa, u32 level)
{
	u64 first = pa >> PAGE_SHIFT;

	return (struct range){first, first + ((u64)1 << (level_shift(level) - PAGE_SHIFT))};
}

/* Make the entry of `level` for an address, with nothing else changed. */
static int put(struct p2m *p, u64 pa, u32 level, u64 value)
{
	void *page[ROOT_LEVEL];
	u32 there;
	u64 *entry, old = find(p, pa, &there);

	if (!portions_have(&p->portions, frames_of(pa, level)))
		return -VL_EOPNOTSUPP;
	if (there >= level && old == 0 && value == 0)
		return 0;
	if (there > level && !alloc_pages(p, page, there - level))
		return -VL_ENOMEM;
	entry = split_to(p, pa, level, page);
	old = *entry;
	count(p, old, pa, level, ~(u64)0);
	count(p, value, pa, level, 1);
	*entry = value;
	if (is_away(old, pa) != is_away(value, pa))
		p2m_note_away(p, pa, level, is_away(value, pa));
	if (is_table(old))
		free_table(p, old, level - 1);
	if (value == 0)
		prune(p, pa);
	return 0;
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
	u64 value = pa == ma && !p->own ? 0 : ma | ENTRY_FRAMES;

	if ((pfn.v | mfn.v) >> P2M_PFN_BITS != 0 || !can_set(pa, ma, shift))
		return -VL_EINVAL;
	return put(p, pa, (shift - PAGE_SHIFT) / 9 + 1, value);
}

static u64 given_to(struct p2m_owner to)
{
	return to.pfn << GIVEN_PFN_SHIFT | (u64)to.domid << GIVEN_DOMID_SHIFT | ENTRY_GIVEN;
}

int p2m_give(struct p2m *p, pfn_t pfn, struct p2m_owner to)
{
	assert(!p->own && p2m_lookup(p, pfn).v == pfn.v);
	return put(p, pfn.v << PAGE_SHIFT, 1, given_to(to));
}

void p2m_give_again(struct p2m *p, pfn_t pfn, struct p2m_owner to)
{
	struct p2m_owner was;
	int err;

	assert(p2m_is_given(p, pfn, &was));
	err = put(p, pfn.v << PAGE_SHIFT, 1, given_to(to));
	assert(err == 0); /* its entry exists */
}

bool p2m_is_given(const struct p2m *p, pfn_t pfn, struct p2m_owner *to)
{
	u32 level;
	u64 entry = find(p, pfn.v << PAGE_SHIFT, &level);

	if (!is_given(entry))
		return false;
	to->domid = (u32)(entry >> GIVEN_DOMID_SHIFT & GIVEN_DOMID_MASK);
	to->pfn = entry >> GIVEN_PFN_SHIFT;
	return true;
}

int p2m_map_foreign(struct p2m *p, pfn_t pfn, mfn_t mfn, bool read_only)
{
	u64 pa = pfn.v << PAGE_SHIFT, ma = mfn.v << PAGE_SHIFT;

	if ((pfn.v | mfn.v) >> P2M_PFN_BITS != 0 || !can_set(pa, ma, PAGE_SHIFT))
		return -VL_EINVAL;
	return put(p, pa, 1, ma | ENTRY_FRAMES | ENTRY_FOREIGN | (read_only ? ENTRY_READ_ONLY : 0));
}

bool p2m_is_foreign(const struct p2m *p, pfn_t pfn)
{
	u32 level;

	return is_foreign(find(p, pfn.v << PAGE_SHIFT, &level));
}

bool p2m_is_read_only(const struct p2m *p, pfn_t pfn)
{
	u32 level;
	u64 entry = find(p, pfn.v << PAGE_SHIFT, &level);

	return is_foreign(entry) && (entry & ENTRY_READ_ONLY);
}

void p2m_share(struct p2m *p, pfn_t pfn, mfn_t mfn)
{
	int err = put(p, pfn.v << PAGE_SHIFT, 1, mfn.v << PAGE_SHIFT | ENTRY_FRAMES | ENTRY_SHARED);

	assert(err == 0); /* its entry exists */
}

bool p2m_is_shared(const struct p2m *p, pfn_t pfn)
{
	u32 level;
	u64 entry = find(p, pfn.v << PAGE_SHIFT, &level);

	return (entry & ENTRY_KIND) == ENTRY_FRAMES && (entry & ENTRY_SHARED);
}

void p2m_clear(struct p2m *p, pfn_t pfn)
{
	int err = put(p, pfn.v << PAGE_SHIFT, 1, 0);

	assert(err == 0);
}

/* --- iteration --- */

static bool continues(struct p2m_range r, u64 pfn, mfn_t mfn)
{
	if (r.mfn == P2M_NOTHING || mfn.v == P2M_NOTHING)
		return r.mfn == mfn.v;
	return mfn.v - pfn == r.mfn - r.pfn;
}

struct p2m_range p2m_run(const struct p2m *p, u64 pfn, u64 end, u32 *steps)
{
	struct p2m_range r = {.pfn = pfn, .mfn = p2m_lookup(p, (pfn_t){pfn}).v};

	for (u64 next = pfn; next<end && * steps> 0; --*steps) {
		u32 level;
		u64 frames;

		find(p, next << PAGE_SHIFT, &level);
		if (!continues(r, next, p2m_lookup(p, (pfn_t){next})))
			break;
		frames = (u64)1 << (level_shift(level) - PAGE_SHIFT);
		next = min_u64(end, round_down(next, frames) + frames);
		r.count = next - pfn;
	}
	return r;
}

/* The first entry of a kind below a table; `address` is where to start, and where the found one
 * is. */
static bool next_below(const u64 *table, u32 entries, u32 level, u64 kind, u64 *address)
{
	u64 size = (u64)1 << level_shift(level);

	for (u32 i = entry_index(*address, level); i < entries; i++) {
		if (is_table(table[i])) {
			if (next_below(table_of(table[i]), ENTRIES, level - 1, kind, address))
				return true;
		} else if ((table[i] & ENTRY_KIND) == kind && !is_foreign(table[i])) {
			return true;
		}
		*address = round_down(*address, size) + size;
	}
	/* The caller goes to its next entry by itself: leave it in the one that it had. */
	*address -= 1;
	return false;
}

static bool next(const struct p2m *p, u64 kind, u64 *pfn)
{
	u64 address = *pfn << PAGE_SHIFT;

	if (*pfn >> P2M_PFN_BITS != 0 ||
	    !next_below(p->root, P2M_ROOT_ENTRIES, ROOT_LEVEL, kind, &address))
		return false;
	*pfn = address >> PAGE_SHIFT;
	return true;
}

bool p2m_next_moved(const struct p2m *p, u64 *pfn)
{
	return next(p, ENTRY_FRAMES, pfn);
}

bool p2m_next_given(const struct p2m *p, u64 *pfn)
{
	return next(p, ENTRY_GIVEN, pfn);
}
