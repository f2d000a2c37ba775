// SPDX-License-Identifier: MIT
/*
 * Numbers by machine frame: a tree whose leaves are pages of 512, as high as
 * the highest frame needs. Pages come when a number is stored first, and go all
 * together.
 */
#include "numbers.h"

#define ENTRIES 512u
#define BITS    9

static u32 index_at(u64 frame, u32 level)
{
	return (u32)(frame >> (BITS * (level - 1))) % ENTRIES;
}

/* Whether a tree with a root of this level has a place for the frame. */
static bool reaches(u32 level, u64 frame)
{
	return frame >> (BITS * level) == 0;
}

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

	while (n->root == NULL || !reaches(n->level, frame))
		if (!grow(n, memory))
			return NULL;
	table = n->root;
	for (u32 level = n->level; level > 1; level--) {
		table = below(n, &table[index_at(frame, level)], memory);
		if (table == NULL)
			return NULL;
	}
	return &table[index_at(frame, 1)];
}

u64 *numbers_find(const struct frame_numbers *n, u64 frame)
{
	u64 *table = n->root;

	if (table == NULL || !reaches(n->level, frame))
		return NULL;
	for (u32 level = n->level; level > 1; level--) {
		table = (u64 *)(uintptr_t)table[index_at(frame, level)];
		if (table == NULL)
			return NULL;
	}
	return &table[index_at(frame, 1)];
}

static void free_below(u64 *table, u32 level, const struct p2m_memory *memory)
{
	for (u32 i = 0; level > 1 && i < ENTRIES; i++)
		if (table[i] != 0)
			free_below((u64 *)(uintptr_t)table[i], level - 1, memory);
	memory->free(memory->context, table);
}

void numbers_end(struct frame_numbers *n, const struct p2m_memory *memory)
{
	if (n->root != NULL)
		free_below(n->root, n->level, memory);
	*n = (struct frame_numbers){0};
}
