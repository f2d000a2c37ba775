// SPDX-License-Identifier: MIT
/*
 * Finds the function of an address for backtraces.
 */
#include "cpu/symbols.h"

#include "mem/layout.h"

const char *symbol_find(u64 va, u64 *offset)
{
	u32 low = 0, high = symbol_count;

	if (va < IMAGE_BASE || va >= (u64)image_text_end || symbol_count == 0)
		return NULL;
	va -= IMAGE_BASE;
	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (symbol_table[middle].offset <= va)
			low = middle;
		else
			high = middle;
	}
	*offset = va - symbol_table[low].offset;
	return symbol_names + symbol_table[low].name;
}
