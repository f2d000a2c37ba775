// SPDX-License-Identifier: MIT
/*
 * See damage.h.
 */
#include "tests/fuzz/damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
	abort();
}

static u8 *copy(const u8 *p, size_t size)
{
	u8 *block = malloc(size);

	must(size == 0 || block != NULL);
	if (size > 0)
		memcpy(block, p, size);
	return block;
}

static const u32 extremes[] = {0,          1,          0x7fffffff, 0x80000000,
			       0xffffffff, 0xfffffff8, 0xfffff000, 0x00100000};

/* One change; the kind 255 cuts the end and returns the new size. */
static size_t change(u8 *block, size_t size, const u8 *c)
{
	size_t at = (size_t)(c[0] | c[1] << 8) % size;

	if (c[2] == 255)
		return at + 1;
	if (c[2] < 128 || at + 4 > size)
		block[at] = c[3];
	else
		memcpy(block + at, &extremes[c[3] % 8], 4);
	return size;
}

u8 *damage(const u8 *data, size_t data_size, const u8 *sample, size_t size, size_t *out_size)
{
	u8 *block, *exact;

	if (data_size > 0 && (data[0] & 1)) {
		*out_size = data_size - 1;
		return copy(data + 1, data_size - 1);
	}
	block = copy(sample, size);
	for (size_t at = 1; at + 4 <= data_size; at += 4)
		size = change(block, size, data + at);
	exact = copy(block, size);
	free(block);
	*out_size = size;
	return exact;
}
