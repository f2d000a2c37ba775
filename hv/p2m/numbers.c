// SPDX-License-Identifier: MIT
/*
 * Numbers by machine frame: a tree whose leaves are pages of 512, as high as
 * the highest frame needs. Pages come when a number is stored first, and go all
 * together.
 */
#include "numbers.h"

/* A page more above the root. */
static bool grow(struct frame_numbers *n, const struct p2m_memory *memory)
{
	u64 *root = memory->alloc(memory->context);

	if (root == NULL)
		return false;
	root[0] = (u64)(uintptr_t)n->root;
	n->root = root;
	n->level++;
	n->pages++;
	return true;
}

static u64 *below(struct frame_numbers *n, u64 *entry, const struct p2m_memory *memory)
{
	if (*entry == 0 && memory != NULL) {
		*entry = (u64)(uintptr_t)memory->alloc(memory->context);
		n->pages += *entry != 0;
	}
	return (u64 *)(uintptr_t)*entry;
}

u64 *numbers_make(struct frame_numbers *n, u64 frame, const struct p2m_memory *memory)
{
	u64 *table;

	while (n->root == NULL || !numbers_reach(n->level, frame))
		if (!grow(n, memory))
			return NULL;
	table = n->root;
	for (u32 level = n->level; level > 1; level--) {
		table = below(n, &table[numbers_index(frame, level)], memory);
		if (table == NULL)
			return NULL;
	}
	return &table[numbers_index(frame, 1)];
}

u64 *numbers_find_far(struct frame_numbers *n, u64 frame)
{
	u64 *table = n->root;

	if (table == NULL || !numbers_reach(n->level, frame))
		return NULL;
	for (u32 level = n->level; level > 1; level--) {
		if (level == 2) {
			n->near = (u64 **)(uintptr_t)table;
			n->near_first =
				round_down(frame, (u64)1 << (2 * NUMBERS_BITS)) >> NUMBERS_BITS;
		}
		table = (u64 *)(uintptr_t)table[numbers_index(frame, level)];
		if (table == NULL)
			return NULL;
	}
	return &table[numbers_index(frame, 1)];
}

static bool free_below(u64 *table, u32 level, const struct p2m_memory *memory, u64 *budget)
{
	for (u32 i = 0; level > 1 && i < NUMBERS_A_PAGE; i++) {
		if (table[i] == 0)
			continue;
		if (!free_below((u64 *)(uintptr_t)table[i], level - 1, memory, budget))
			return false;
		table[i] = 0;
	}
	if (*budget == 0)
		return false;
	--*budget;
	memory->free(memory->context, table);
	return true;
}

bool numbers_end(struct frame_numbers *n, const struct p2m_memory *memory, u64 *budget)
{
	n->near_first = NUMBERS_NOT_NEAR;
	if (n->root != NULL && !free_below(n->root, n->level, memory, budget))
		return false;
	*n = (struct frame_numbers){.near_first = NUMBERS_NOT_NEAR};
	return true;
}
