// SPDX-License-Identifier: MIT
/*
 * Finds the function of an address for backtraces.
 */
#include "cpu/symbols.h"

#include "lib/string.h"
#include "mem/layout.h"

const char *symbol_find(u64 va, u64 *offset)
{
	const char *name = symbol_names;
	u64 start = IMAGE_BASE;

	if (va < IMAGE_BASE || va >= (u64)image_text_end || symbol_count == 0)
		return NULL;
	start += symbol_steps[0];
	for (u32 i = 1; i < symbol_count && start + symbol_steps[i] <= va; i++) {
		start += symbol_steps[i];
		name += strlen(name) + 1;
	}
	*offset = va - start;
	return name;
}
