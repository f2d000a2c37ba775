// SPDX-License-Identifier: MIT
/*
 * Finds the function of an address for backtraces.
 */
#include "cpu/symbols.h"

#include "mem/layout.h"

/* As scripts/gen-symbols has them. */
static const char letters[] = "\0abcdefghijklmnopqrstuvwxyz0123456789_.";

#define LETTER_BITS 6

static char letter_at(u32 index)
{
	u32 bit = index * LETTER_BITS;
	u32 two = symbol_names[bit / 8] | (u32)symbol_names[bit / 8 + 1] << 8;

	return letters[(two >> bit % 8 & 63) % sizeof(letters)];
}

/* From that letter on; which one is behind its end. */
static u32 read_name(u32 at, char name[static SYMBOL_NAME])
{
	u32 n = 0;
	char c;

	while ((c = letter_at(at++)) != 0)
		if (n < SYMBOL_NAME - 1)
			name[n++] = c;
	name[n] = 0;
	return at;
}

bool symbol_find(u64 va, char name[static SYMBOL_NAME], u64 *offset)
{
	u64 start = IMAGE_BASE;
	u32 at;

	if (va < IMAGE_BASE || va >= (u64)image_text_end || symbol_count == 0)
		return false;
	start += symbol_steps[0];
	at = read_name(0, name);
	for (u32 i = 1; i < symbol_count && start + symbol_steps[i] <= va; i++) {
		start += symbol_steps[i];
		at = read_name(at, name);
	}
	*offset = va - start;
	return true;
}
