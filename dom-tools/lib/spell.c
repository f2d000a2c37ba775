// SPDX-License-Identifier: MIT
/*
 * Levenshtein distance row by row, see spell.h.
 */
#include "dom-tools/lib/spell.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t spell_distance(const char *a, const char *b)
{
	enum { LONGEST = 32 };
	size_t row[LONGEST + 1];
	size_t n = strlen(b);

	if (n > LONGEST || strlen(a) > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t replace = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = least(replace, least(row[j], row[j + 1]) + 1);
		}
	}
	return row[n];
}
