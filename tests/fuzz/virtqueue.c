// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the queue walker: descriptors, rings and the driver's indexes are
 * the input's, in memory with holes. Each access is judged by the memory itself,
 * which knows where pages end; what is handed out must be memory, and within bounds.
 */
#include "tests/fuzz/damage.h"

#include <stdlib.h>
#include <string.h>

#include "io/virtqueue.h"
#include "tests/fuzz/input.h"

#define BASE  ((u64)0x7000)
#define PAGES 6u

static u8 pages[PAGES][PAGE_SIZE];
static u32 holes;

static void *find(void *context, u64 pa, u64 size)
{
	u64 at = pa - BASE;

	(void)context;
	must(size > 0 && pa % PAGE_SIZE + size <= PAGE_SIZE);
	if (at >= PAGES * PAGE_SIZE || (holes >> at / PAGE_SIZE & 1))
		return NULL;
	return pages[at / PAGE_SIZE] + at % PAGE_SIZE;
}

static const struct guest_memory memory = {find, NULL};

/* Mostly near what makes sense. */
static u64 address(struct input *in)
{
	u8 kind = input_byte(in);

	if (kind < 200)
		return BASE + (u64)(kind % 7) * PAGE_SIZE + input_byte(in) * 16u;
	if (kind < 230)
		return BASE + (u64)(kind % 7) * PAGE_SIZE - input_byte(in);
	return ~(u64)0 - (u64)input_byte(in) * kind;
}

static void describe(struct input *in, u32 entries)
{
	struct {
		u64 pa;
		u32 size;
		u16 flags, next;
	} d;
	u8 kind = input_byte(in);

	d.pa = address(in);
	d.size = (u32)input_byte(in) << (kind & 24);
	d.flags = kind < 240 ? kind & 3 : kind;
	d.next = input_byte(in) % (entries + 2);
	memcpy(pages[0] + input_byte(in) % entries * 16u, &d, sizeof(d));
}

static void check_chain(const struct virtqueue_chain *c)
{
	static u8 buffer[VIRTQUEUE_CHAIN_BYTES];
	u32 bytes = 0;

	must(c->nr_parts >= 1 && c->nr_parts <= VIRTQUEUE_PARTS);
	must(c->nr_readable <= c->nr_parts);
	for (u32 i = 0; i < c->nr_parts; i++) {
		must(c->part[i].size > 0);
		bytes += c->part[i].size;
	}
	must(bytes == c->readable + c->writable && bytes <= VIRTQUEUE_CHAIN_BYTES);
	must(virtqueue_read(c, &memory, 0, buffer, c->readable));
	must(!virtqueue_read(c, &memory, 0, buffer, c->readable + 1));
	must(virtqueue_write(c, &memory, 0, buffer, c->writable));
	must(c->writable == 0 || !virtqueue_write(c, &memory, 1, buffer, c->writable));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};
	u32 entries = 1u << input_byte(&in) % 8;
	struct virtqueue q = {.size = entries,
			      .descriptors = BASE,
			      .driver = BASE + PAGE_SIZE,
			      .device = BASE + 2 * PAGE_SIZE + input_byte(&in) * 16u};
	struct virtqueue_chain c;
	u16 idx = 0;

	holes = 0;
	memset(pages, 0, sizeof(pages));
	if (!virtqueue_start(&q, &memory))
		return 0;
	holes = input_byte(&in) & 0x38;
	while (in.left > 0) {
		describe(&in, entries);
		idx = (u16)(idx + (input_byte(&in) < 230) + (input_byte(&in) == 3) * 99);
		memcpy(pages[1] + 2, &idx, sizeof(idx));
		pages[1][4 + (idx - 1) % entries * 2] = input_byte(&in) % (u8)(entries + 1);
		u32 needed = input_byte(&in) < 200 ? VIRTQUEUE_ALL : 1 + input_byte(&in) * 64u;

		if (virtqueue_take(&q, &memory, needed, &c) != VIRTQUEUE_CHAIN)
			continue;
		check_chain(&c);
		must(virtqueue_give(&q, &memory, c.head, 1) != VIRTQUEUE_BROKEN || holes != 0);
	}
	return 0;
}
