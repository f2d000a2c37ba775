// SPDX-License-Identifier: MIT
/*
 * The registers of virtio-mmio, see io/virtio_mmio.h.
 */
#include "io/virtio_mmio.h"

#include "lib/string.h"

#define REGISTER_SIZE  4u
#define ALL_INTERRUPTS (VIRTIO_INTERRUPT_USED | VIRTIO_INTERRUPT_CONFIG)
#define RUNS           (VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK)

void virtio_mmio_reset(struct virtio_mmio *v)
{
	v->resets++;
	v->driver_features = 0;
	v->features_select = v->driver_features_select = v->queue_select = 0;
	v->status = v->interrupt = 0;
	memset(v->queue, 0, sizeof(v->queue));
}

bool virtio_mmio_runs(const struct virtio_mmio *v, u32 queue)
{
	return queue < v->nr_queues && v->queue[queue].ready && (v->status & RUNS) == RUNS &&
	       !(v->status & (VIRTIO_NEEDS_RESET | VIRTIO_FAILED));
}

bool virtio_mmio_line(const struct virtio_mmio *v)
{
	return v->interrupt != 0;
}

void virtio_mmio_break(struct virtio_mmio *v)
{
	if (v->status & VIRTIO_NEEDS_RESET)
		return;
	v->faults++;
	v->status |= VIRTIO_NEEDS_RESET;
	if (v->status & VIRTIO_DRIVER_OK)
		v->interrupt |= VIRTIO_INTERRUPT_CONFIG;
}

/* --- reading --- */

static u32 half(u64 value, u32 select)
{
	return select < 2 ? (u32)(value >> 32 * select) : 0;
}

/* As long as it does not exist, a queue reads as 0. */
static const struct virtqueue *selected(const struct virtio_mmio *v)
{
	return v->queue_select < v->nr_queues ? &v->queue[v->queue_select] : NULL;
}

static u32 read_config(const struct virtio_mmio *v, u32 offset, u8 size)
{
	u32 value = 0;

	for (u32 i = 0; i < size && offset + i < v->config_size; i++)
		value |= (u32)v->config[offset + i] << 8 * i;
	return value;
}

u32 virtio_mmio_read(const struct virtio_mmio *v, u32 offset, u8 size)
{
	const struct virtqueue *q = selected(v);

	if (offset >= VIRTIO_REG_CONFIG)
		return read_config(v, offset - VIRTIO_REG_CONFIG, size);
	if (size != REGISTER_SIZE)
		return 0;
	switch (offset) {
	case VIRTIO_REG_MAGIC:
		return VIRTIO_MAGIC;
	case VIRTIO_REG_VERSION:
		return VIRTIO_VERSION;
	case VIRTIO_REG_DEVICE_ID:
		return v->id;
	case VIRTIO_REG_VENDOR:
		return VIRTIO_VENDOR;
	case VIRTIO_REG_FEATURES:
		return half(v->features, v->features_select);
	case VIRTIO_REG_QUEUE_MOST:
		return q != NULL ? VIRTQUEUE_MOST : 0;
	case VIRTIO_REG_QUEUE_READY:
		return q != NULL && q->ready;
	case VIRTIO_REG_INTERRUPT:
		return v->interrupt;
	case VIRTIO_REG_STATUS:
		return v->status;
	case VIRTIO_REG_GENERATION:
		return v->generation;
	default:
		return 0;
	}
}

/* --- writing --- */

static void write_features(struct virtio_mmio *v, u32 value)
{
	u32 shift = 32 * v->driver_features_select;

	if (v->driver_features_select >= 2 || (v->status & VIRTIO_FEATURES_OK))
		return;
	v->driver_features &= ~((u64)0xffffffff << shift);
	v->driver_features |= (u64)value << shift;
}

/* FEATURES_OK stays clear if the driver wants what was not offered, or is older than virtio 1;
 * NEEDS_RESET goes with a reset alone. */
static void write_status(struct virtio_mmio *v, u32 value)
{
	bool good = (v->driver_features & ~v->features) == 0 &&
		    (v->driver_features & VIRTIO_F_VERSION) != 0;

	value &= 0xff;
	if (value == 0) {
		virtio_mmio_reset(v);
		return;
	}
	if (!good)
		value &= ~VIRTIO_FEATURES_OK;
	v->status = (value & ~VIRTIO_NEEDS_RESET) | (v->status & VIRTIO_NEEDS_RESET);
}

static void write_ready(struct virtio_mmio *v, const struct guest_memory *m, struct virtqueue *q,
			u32 value)
{
	if (!(value & 1))
		q->ready = false;
	else if (!q->ready && !virtqueue_start(q, m))
		virtio_mmio_break(v);
}

static void set_half(u64 *to, bool high, u32 value)
{
	u32 shift = high ? 32 : 0;

	*to = (*to & ~((u64)0xffffffff << shift)) | (u64)value << shift;
}

/* Of a queue that is ready nothing changes but that. */
static void write_queue(struct virtio_mmio *v, const struct guest_memory *m, u32 offset, u32 value)
{
	struct virtqueue *q = v->queue_select < v->nr_queues ? &v->queue[v->queue_select] : NULL;
	bool high = (offset & REGISTER_SIZE) != 0;

	if (q == NULL)
		return;
	if (offset == VIRTIO_REG_QUEUE_READY)
		write_ready(v, m, q, value);
	else if (q->ready)
		return;
	else if (offset == VIRTIO_REG_QUEUE_SIZE)
		q->size = value;
	else if ((offset & ~REGISTER_SIZE) == VIRTIO_REG_DESCRIPTORS)
		set_half(&q->descriptors, high, value);
	else if ((offset & ~REGISTER_SIZE) == VIRTIO_REG_DRIVER)
		set_half(&q->driver, high, value);
	else if ((offset & ~REGISTER_SIZE) == VIRTIO_REG_DEVICE)
		set_half(&q->device, high, value);
}

int virtio_mmio_write(struct virtio_mmio *v, const struct guest_memory *m, u32 offset, u8 size,
		      u32 value)
{
	if (size != REGISTER_SIZE)
		return VIRTIO_NOTHING;
	switch (offset) {
	case VIRTIO_REG_FEATURES_SELECT:
		v->features_select = value;
		break;
	case VIRTIO_REG_DRIVER_FEATURES:
		write_features(v, value);
		break;
	case VIRTIO_REG_DRIVER_FEATURES_SELECT:
		v->driver_features_select = value;
		break;
	case VIRTIO_REG_QUEUE_SELECT:
		v->queue_select = value;
		break;
	case VIRTIO_REG_NOTIFY:
		return virtio_mmio_runs(v, value) ? (int)value : VIRTIO_NOTHING;
	case VIRTIO_REG_INTERRUPT_ACK:
		v->interrupt &= ~(value & ALL_INTERRUPTS);
		break;
	case VIRTIO_REG_STATUS:
		write_status(v, value);
		break;
	default:
		write_queue(v, m, offset, value);
		break;
	}
	return VIRTIO_NOTHING;
}

/* --- for the device --- */

bool virtio_mmio_take(struct virtio_mmio *v, const struct guest_memory *m, u32 queue, u32 needed,
		      struct virtqueue_chain *chain)
{
	enum virtqueue_answer answer = VIRTQUEUE_EMPTY;

	if (virtio_mmio_runs(v, queue))
		answer = virtqueue_take(&v->queue[queue], m, needed, chain);
	if (answer == VIRTQUEUE_BROKEN)
		virtio_mmio_break(v);
	return answer == VIRTQUEUE_CHAIN;
}

void virtio_mmio_interrupt(struct virtio_mmio *v)
{
	v->interrupt |= VIRTIO_INTERRUPT_USED;
}

bool virtio_mmio_give(struct virtio_mmio *v, const struct guest_memory *m, u32 queue, u16 head,
		      u32 written)
{
	enum virtqueue_answer answer = virtqueue_give(&v->queue[queue], m, head, written);

	if (answer == VIRTQUEUE_BROKEN)
		virtio_mmio_break(v);
	return answer == VIRTQUEUE_CHAIN;
}
