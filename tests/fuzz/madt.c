// SPDX-License-Identifier: MIT
/*
 * Firmware's tables, all of them the fuzzer's: the input is root pointer and memory. Memory begins
 * at address 0x1000, and each piece that is asked for lies on the heap alone, so that a read beyond
 * it is seen. Checksums are made right as tables are opened, or nothing would be read behind them.
 */
#include "boot/madt.h"

#include <stdlib.h>
#include <string.h>

#include "lib/load.h"
#include "tests/fuzz/damage.h"

#define BASE 0x1000u

static const u8 *memory;
static size_t memory_size;

/* What was given out stays until the end of the run. */
struct piece {
	struct piece *next;
	u8 *bytes;
};

static struct piece *pieces;

static void forget(void)
{
	while (pieces != NULL) {
		struct piece *p = pieces;

		pieces = p->next;
		free(p->bytes);
		free(p);
	}
}

static const u8 *map(u64 ma, u32 size)
{
	struct piece *p;
	u8 sum = 0;

	if (ma < BASE || ma - BASE > memory_size || size > memory_size - (ma - BASE))
		return NULL;
	p = malloc(sizeof(*p));
	*p = (struct piece){pieces, malloc(size)};
	pieces = p;
	memcpy(p->bytes, memory + (ma - BASE), size);
	for (u32 i = 0; i < size; i++)
		sum = (u8)(sum + p->bytes[i]);
	if (size > 9)
		p->bytes[9] = (u8)(p->bytes[9] - sum);
	return p->bytes;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 rsdp[36];
	u32 rsdp_size = size > 0 && (data[0] & 1) ? 36 : 20;

	if (size < 1 + rsdp_size)
		return 0;
	memcpy(rsdp, data + 1, rsdp_size);
	memory = data + 1 + rsdp_size;
	memory_size = size - 1 - rsdp_size;
	must(madt_count_cpus(rsdp, rsdp_size, map) <= memory_size / 8);
	forget();
	return 0;
}
