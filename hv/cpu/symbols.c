// SPDX-License-Identifier: MIT
/*
 * Finds the function of an address for backtraces.
 */
#include "cpu/symbols.h"

#include "mem/layout.h"

#define SYMBOL_DEPTH 16u
#define SYMBOL_LOW   ((u8)'.' - 1u) /* codes from 1 on; the others begin at SYMBOL_HIGH */
#define SYMBOL_HIGH  0x80u

/* What is still to be unpacked; the next byte is the last one. */
struct unpacker {
	const u8 *next;
	u32 depth;
	u8 waits[SYMBOL_DEPTH + 1];
};

static bool is_pair(u8 c)
{
	return c >= SYMBOL_HIGH || (c != 0 && c <= SYMBOL_LOW);
}

static u8 unpack(struct unpacker *u)
{
	u8 c = u->depth > 0 ? u->waits[--u->depth] : *u->next++;

	while (is_pair(c)) {
		const u8 *pair =
			symbol_pairs[c >= SYMBOL_HIGH ? c - SYMBOL_HIGH + SYMBOL_LOW : c - 1u];

		u->waits[u->depth++] = pair[1];
		c = pair[0];
	}
	return c;
}

/* Which one it is, and where it starts. */
static u32 find(u64 va, u64 *start)
{
	u32 i = 0;

	*start = IMAGE_BASE + symbol_steps[0];
	for (; i + 1 < symbol_count && *start + symbol_steps[i + 1] <= va; i++)
		*start += symbol_steps[i + 1];
	return i;
}

bool symbol_find(u64 va, char name[SYMBOL_SIZE], u64 *offset)
{
	struct unpacker u = {.next = symbol_names};
	u32 length = 0;
	u64 start;
	u8 c;

	if (va < IMAGE_BASE || va >= (u64)image_text_end || symbol_count == 0)
		return false;
	for (u32 before = find(va, &start); before > 0;)
		before -= unpack(&u) == 0;
	while ((c = unpack(&u)) != 0 && length < SYMBOL_SIZE - 1)
		name[length++] = (char)c;
	name[length] = 0;
	*offset = va - start;
	return true;
}
