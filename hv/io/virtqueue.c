// SPDX-License-Identifier: MIT
/*
 * Split virtqueues, see io/virtqueue.h.
 */
#include "io/virtqueue.h"

#include "lib/string.h"

#define DESCRIPTOR_SIZE    16u
#define DESCRIPTOR_NEXT    1u /* flags */
#define DESCRIPTOR_WRITE   2u
#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY     1u
#define RING_HEADER        4u /* flags and idx, u16 each */
#define USED_SIZE          8u /* id and len, u32 each */

struct descriptor {
	u64 pa;
	u32 size;
	u16 flags;
	u16 next;
};
_Static_assert(sizeof(struct descriptor) == DESCRIPTOR_SIZE, "as virtio has it");

/* Aligned words do not cross pages, so that find() is right about each. */
static const volatile u16 *word16(const struct guest_memory *m, u64 pa)
{
	return m->find(m->context, pa, sizeof(u16));
}

static bool store32(const struct guest_memory *m, u64 pa, u32 value)
{
	volatile u32 *at = m->find(m->context, pa, sizeof(*at));

	if (at != NULL)
		*at = value;
	return at != NULL;
}

static u64 in_page(u64 pa, u64 size)
{
	return min_u64(size, PAGE_SIZE - pa % PAGE_SIZE);
}

/* Without wrapping, and memory all of it. */
static bool is_memory(const struct guest_memory *m, u64 pa, u64 size)
{
	if (size == 0 || pa + size < pa)
		return false;
	while (size > 0) {
		u64 n = in_page(pa, size);

		if (m->find(m->context, pa, n) == NULL)
			return false;
		pa += n;
		size -= n;
	}
	return true;
}

bool virtqueue_start(struct virtqueue *q, const struct guest_memory *m)
{
	u32 n = q->size;

	if (n == 0 || n > VIRTQUEUE_MOST || (n & (n - 1)) != 0)
		return false;
	if (q->descriptors % DESCRIPTOR_SIZE != 0 || q->driver % 2 != 0 || q->device % 4 != 0)
		return false;
	if (!is_memory(m, q->descriptors, (u64)n * DESCRIPTOR_SIZE) ||
	    !is_memory(m, q->driver, RING_HEADER + (u64)n * sizeof(u16)) ||
	    !is_memory(m, q->device, RING_HEADER + (u64)n * USED_SIZE))
		return false;
	q->next = q->used = 0;
	q->quiet = true; /* or whatever is there */
	virtqueue_set_quiet(q, m, false);
	q->ready = true;
	return true;
}

/* --- what is available --- */

/* Chains that the driver has made available; more than there are entries is none of its rights. */
static bool count_available(const struct virtqueue *q, const struct guest_memory *m, u16 *count)
{
	const volatile u16 *idx = word16(m, q->driver + 2);

	if (idx == NULL)
		return false;
	*count = (u16)(*idx - q->next);
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* what it names was written before */
	return *count <= q->size;
}

bool virtqueue_has_more(const struct virtqueue *q, const struct guest_memory *m)
{
	u16 count;

	return !count_available(q, m, &count) || count != 0;
}

static bool read_descriptor(const struct virtqueue *q, const struct guest_memory *m, u16 index,
			    struct descriptor *d)
{
	const void *at;

	if (index >= q->size)
		return false;
	at = m->find(m->context, q->descriptors + (u64)index * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE);
	if (at == NULL)
		return false;
	memcpy(d, at, sizeof(*d));
	__asm__ volatile("" : "+m"(*d)); /* it is not read again */
	return true;
}

/* Any flag but the two asks for what was not offered; and what is read from comes first. */
static bool add_part(struct virtqueue_chain *c, const struct guest_memory *m,
		     const struct descriptor *d)
{
	bool write = (d->flags & DESCRIPTOR_WRITE) != 0;

	if ((d->flags & ~(DESCRIPTOR_NEXT | DESCRIPTOR_WRITE)) != 0)
		return false;
	if (c->nr_parts == VIRTQUEUE_PARTS || (!write && c->nr_parts != c->nr_readable))
		return false;
	if (d->size > VIRTQUEUE_CHAIN_BYTES - c->readable - c->writable ||
	    !is_memory(m, d->pa, d->size))
		return false;
	c->part[c->nr_parts++] = (struct virtqueue_part){d->pa, d->size};
	c->nr_readable += !write;
	*(write ? &c->writable : &c->readable) += d->size;
	return true;
}

/* A loop ends where a chain has more parts than it may have. */
static bool collect(const struct virtqueue *q, const struct guest_memory *m, u32 needed,
		    struct virtqueue_chain *c)
{
	struct descriptor d = {.next = c->head, .flags = DESCRIPTOR_NEXT};

	while ((d.flags & DESCRIPTOR_NEXT) && c->writable < needed)
		if (!read_descriptor(q, m, d.next, &d) || !add_part(c, m, &d))
			return false;
	return true;
}

enum virtqueue_answer virtqueue_take(struct virtqueue *q, const struct guest_memory *m, u32 needed,
				     struct virtqueue_chain *chain)
{
	const volatile u16 *entry;
	u16 count;

	if (!q->ready || !count_available(q, m, &count))
		return VIRTQUEUE_BROKEN;
	if (count == 0)
		return VIRTQUEUE_EMPTY;
	entry = word16(m, q->driver + RING_HEADER + (u64)(q->next % q->size) * sizeof(u16));
	if (entry == NULL)
		return VIRTQUEUE_BROKEN;
	chain->head = *entry;
	chain->nr_parts = chain->nr_readable = chain->readable = chain->writable = 0;
	if (!collect(q, m, needed, chain))
		return VIRTQUEUE_BROKEN;
	q->next++;
	return VIRTQUEUE_CHAIN;
}

/* --- what was used --- */

enum virtqueue_answer virtqueue_give(struct virtqueue *q, const struct guest_memory *m, u16 head,
				     u32 written)
{
	u64 entry = q->device + RING_HEADER + (u64)(q->used % q->size) * USED_SIZE;
	const volatile u16 *flags = word16(m, q->driver);
	volatile u16 *idx = m->find(m->context, q->device + 2, sizeof(*idx));

	if (!q->ready || flags == NULL || idx == NULL || !store32(m, entry, head) ||
	    !store32(m, entry + sizeof(u32), written))
		return VIRTQUEUE_BROKEN;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*idx = ++q->used;
	/* A driver that wants interrupts again writes the flag, then looks at the index. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return *flags & AVAIL_NO_INTERRUPT ? VIRTQUEUE_EMPTY : VIRTQUEUE_CHAIN;
}

void virtqueue_set_quiet(struct virtqueue *q, const struct guest_memory *m, bool quiet)
{
	volatile u16 *flags;

	if (q->quiet == quiet)
		return;
	flags = m->find(m->context, q->device, sizeof(*flags));
	if (flags == NULL)
		return;
	*flags = quiet ? USED_NO_NOTIFY : 0;
	q->quiet = quiet;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* --- what is in a chain --- */

static bool copy_part(const struct guest_memory *m, u64 pa, u8 *buffer, u32 size, bool write)
{
	while (size > 0) {
		u32 n = (u32)in_page(pa, size);
		u8 *at = m->find(m->context, pa, n);

		if (at == NULL)
			return false;
		if (write)
			memcpy(at, buffer, n);
		else
			memcpy(buffer, at, n);
		pa += n;
		buffer += n;
		size -= n;
	}
	return true;
}

static bool copy(const struct virtqueue_part *part, u32 count, const struct guest_memory *m,
		 u32 offset, u8 *buffer, u32 size, bool write)
{
	for (u32 i = 0; i < count && size > 0; i++) {
		u32 n;

		if (offset >= part[i].size) {
			offset -= part[i].size;
			continue;
		}
		n = (u32)min_u64(size, part[i].size - offset);
		if (!copy_part(m, part[i].pa + offset, buffer, n, write))
			return false;
		offset = 0;
		buffer += n;
		size -= n;
	}
	return size == 0;
}

bool virtqueue_read(const struct virtqueue_chain *chain, const struct guest_memory *m, u32 offset,
		    void *to, u32 size)
{
	return copy(chain->part, chain->nr_readable, m, offset, to, size, false);
}

bool virtqueue_write(const struct virtqueue_chain *chain, const struct guest_memory *m, u32 offset,
		     const void *from, u32 size)
{
	return copy(chain->part + chain->nr_readable, chain->nr_parts - chain->nr_readable, m,
		    offset, (u8 *)(uintptr_t)from, size, true);
}
