// SPDX-License-Identifier: MIT
#include "tests/unit/virtio_world.h"

#include <stdlib.h>
#include <string.h>

/* Reaching over a page's end is an error of the caller's, which the sanitizer would not see. */
static void *find(void *context, u64 pa, u64 size)
{
	struct world *w = context;
	u64 at = pa - WORLD_BASE;

	if (size == 0 || pa % PAGE_SIZE + size > PAGE_SIZE)
		abort();
	if (at >= WORLD_PAGES * PAGE_SIZE || w->page[at / PAGE_SIZE] == NULL)
		return NULL;
	return w->page[at / PAGE_SIZE] + at % PAGE_SIZE;
}

void world_init(struct world *w, struct virtio_mmio *device)
{
	memset(w, 0, sizeof(*w));
	w->memory = (struct guest_memory){find, w};
	w->device = device;
	for (u32 i = 0; i < WORLD_PAGES; i++)
		w->page[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	for (u32 i = 0; i < WORLD_PAGES; i++)
		memset(w->page[i], 0, PAGE_SIZE);
}

void world_end(struct world *w)
{
	for (u32 i = 0; i < WORLD_PAGES; i++)
		free(w->page[i]);
}

void world_put(struct world *w, u64 pa, const void *from, size_t size)
{
	const u8 *in = from;

	for (size_t i = 0; i < size; i++)
		*(u8 *)find(w, pa + i, 1) = in[i];
}

void world_get(struct world *w, u64 pa, void *to, size_t size)
{
	u8 *out = to;

	for (size_t i = 0; i < size; i++)
		out[i] = *(u8 *)find(w, pa + i, 1);
}

u32 world_read(struct world *w, u32 offset)
{
	return virtio_mmio_read(w->device, offset, 4);
}

int world_write(struct world *w, u32 offset, u32 value)
{
	return virtio_mmio_write(w->device, &w->memory, offset, 4, value);
}

static void write_address(struct world *w, u32 offset, u64 pa)
{
	world_write(w, offset, (u32)pa);
	world_write(w, offset + 4, (u32)(pa >> 32));
}

static void start_queue(struct world *w, u32 n, u32 entries)
{
	static const u16 nothing[2];

	world_put(w, WORLD_DRIVER(n), nothing, sizeof(nothing));
	world_put(w, WORLD_DEVICE(n), nothing, sizeof(nothing));
	w->next[n] = w->seen[n] = 0;
	world_write(w, VIRTIO_REG_QUEUE_SELECT, n);
	world_write(w, VIRTIO_REG_QUEUE_SIZE, entries);
	write_address(w, VIRTIO_REG_DESCRIPTORS, WORLD_DESCRIPTORS(n));
	write_address(w, VIRTIO_REG_DRIVER, WORLD_DRIVER(n));
	write_address(w, VIRTIO_REG_DEVICE, WORLD_DEVICE(n));
	world_write(w, VIRTIO_REG_QUEUE_READY, 1);
}

void world_start(struct world *w, u64 features, u32 entries)
{
	world_write(w, VIRTIO_REG_STATUS, 0);
	world_write(w, VIRTIO_REG_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (u32 i = 0; i < 2; i++) {
		world_write(w, VIRTIO_REG_DRIVER_FEATURES_SELECT, i);
		world_write(w, VIRTIO_REG_DRIVER_FEATURES, (u32)(features >> 32 * i));
	}
	world_write(w, VIRTIO_REG_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	for (u32 i = 0; i < w->device->nr_queues; i++)
		start_queue(w, i, entries);
	world_write(w, VIRTIO_REG_STATUS,
		    VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void world_describe(struct world *w, u32 queue, u16 index, u64 pa, u32 size, u16 flags, u16 next)
{
	struct {
		u64 pa;
		u32 size;
		u16 flags, next;
	} d = {pa, size, flags, next};

	world_put(w, WORLD_DESCRIPTORS(queue) + index * 16u, &d, sizeof(d));
}

int world_offer(struct world *w, u32 queue, u16 head)
{
	u32 entries = w->device->queue[queue].size;
	u16 idx = (u16)(w->next[queue] + 1);

	world_put(w, WORLD_DRIVER(queue) + 4 + w->next[queue] % entries * 2, &head, sizeof(head));
	world_put(w, WORLD_DRIVER(queue) + 2, &idx, sizeof(idx));
	w->next[queue] = idx;
	return world_write(w, VIRTIO_REG_NOTIFY, queue);
}

int world_used(struct world *w, u32 queue, u32 *written)
{
	u32 entries = w->device->queue[queue].size, entry[2];
	u16 idx;

	world_get(w, WORLD_DEVICE(queue) + 2, &idx, sizeof(idx));
	if (idx == w->seen[queue])
		return -1;
	world_get(w, WORLD_DEVICE(queue) + 4 + w->seen[queue] % entries * 8, entry, sizeof(entry));
	w->seen[queue]++;
	*written = entry[1];
	return (int)entry[0];
}
