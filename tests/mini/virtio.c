// SPDX-License-Identifier: MIT
#include "mini/virtio.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/irq.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/timer.h"
#include "public/hypercall.h"

#define MAGIC       0x74726976u
#define HZ          100u
#define F_VERSION_1 1u /* of the upper 32 */

static struct virtio devices[VL_MAX_DEVICES];
static struct virtio_rings rings[VL_MAX_DEVICES][VIRTIO_QUEUES];
static volatile u32 arrived[VL_MAX_DEVICES], waited[VL_MAX_DEVICES];

u32 virtio_get(const struct virtio *v, u32 offset)
{
	return *(volatile u32 *)(v->window + offset);
}

void virtio_set(const struct virtio *v, u32 offset, u32 value)
{
	*(volatile u32 *)(v->window + offset) = value;
}

struct virtio *virtio_at(u32 index)
{
	struct virtio *v = &devices[index];

	if (v->window == NULL)
		v->window = mmio_map((pa_t){VL_DEVICE_ADDRESS(index)}, VL_DEVICE_SIZE);
	v->index = index;
	v->queue = rings[index];
	return v;
}

struct virtio *virtio_find(u32 index, u32 kind)
{
	struct virtio *v = virtio_at(index);

	if (virtio_get(v, VR_MAGIC) != MAGIC || virtio_get(v, VR_DEVICE) != kind)
		return NULL;
	return v;
}

static void acknowledge(struct virtio *v)
{
	u32 what = virtio_get(v, VR_INTERRUPT);

	if (what == 0)
		return;
	virtio_set(v, VR_INTERRUPT_ACK, what);
	arrived[v->index]++;
}

static void interrupt(const struct trap_frame *frame)
{
	(void)frame;
	for (u32 i = 0; i < VL_MAX_DEVICES; i++)
		if (devices[i].queue != NULL)
			acknowledge(&devices[i]);
}

static void set_area(const struct virtio *v, u32 offset, const volatile void *at)
{
	u64 pa = ptr_to_pa(at).v;

	virtio_set(v, offset, (u32)pa);
	virtio_set(v, offset + 4, (u32)(pa >> 32));
}

static void start_queue(struct virtio *v, u32 n)
{
	struct virtio_rings *q = &v->queue[n];

	memset(q, 0, sizeof(*q));
	q->avail.flags = v->polled;
	v->seen[n] = 0;
	virtio_set(v, VR_QUEUE_SELECT, n);
	if (virtio_get(v, VR_QUEUE_MOST) < VIRTIO_ENTRIES)
		return;
	virtio_set(v, VR_QUEUE_SIZE, VIRTIO_ENTRIES);
	set_area(v, VR_DESCRIPTORS, q->descriptor);
	set_area(v, VR_DRIVER_AREA, &q->avail);
	set_area(v, VR_DEVICE_AREA, &q->used);
	virtio_set(v, VR_QUEUE_READY, 1);
}

bool virtio_try(struct virtio *v, u32 features)
{
	virtio_set(v, VR_STATUS, 0);
	virtio_set(v, VR_STATUS, 3);
	virtio_set(v, VR_DRIVER_FEATURES_SELECT, 0);
	virtio_set(v, VR_DRIVER_FEATURES, features);
	virtio_set(v, VR_DRIVER_FEATURES_SELECT, 1);
	virtio_set(v, VR_DRIVER_FEATURES, F_VERSION_1);
	virtio_set(v, VR_STATUS, 11);
	for (u32 i = 0; i < VIRTIO_QUEUES; i++)
		start_queue(v, i);
	virtio_set(v, VR_STATUS, VS_RUNNING);
	irq_set_handler((u8)VL_DEVICE_LINE(v->index), interrupt);
	return virtio_get(v, VR_STATUS) == VS_RUNNING;
}

void virtio_start(struct virtio *v, u32 features)
{
	if (!virtio_try(v, features))
		panic("device %u has status %#x", v->index, virtio_get(v, VR_STATUS));
}

void virtio_describe(struct virtio *v, u32 queue, u16 index, const volatile void *at, u32 size,
		     u16 flags, u16 next)
{
	v->queue[queue].descriptor[index] =
		(struct virtio_descriptor){ptr_to_pa(at).v, size, flags, next};
}

void virtio_offer(struct virtio *v, u32 queue, u16 head)
{
	struct virtio_rings *q = &v->queue[queue];

	q->avail.ring[q->avail.idx % VIRTIO_ENTRIES] = head;
	__atomic_store_n(&q->avail.idx, (u16)(q->avail.idx + 1), __ATOMIC_SEQ_CST);
}

void virtio_kick(const struct virtio *v, u32 queue)
{
	virtio_set(v, VR_NOTIFY, queue);
}

int virtio_used(struct virtio *v, u32 queue, u32 *size)
{
	struct virtio_rings *q = &v->queue[queue];
	u16 i = v->seen[queue] % VIRTIO_ENTRIES;

	if (__atomic_load_n(&q->used.idx, __ATOMIC_ACQUIRE) == v->seen[queue])
		return -1;
	v->seen[queue]++;
	*size = q->used.ring[i].size;
	return (int)q->used.ring[i].id;
}

bool virtio_wait(struct virtio *v, u32 ms)
{
	u64 ticks = ms * HZ / 1000 + 2;

	timer_start(HZ);
	while (arrived[v->index] == waited[v->index] && timer_ticks() < ticks) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	timer_stop();
	if (arrived[v->index] == waited[v->index])
		return false;
	waited[v->index] = arrived[v->index];
	return true;
}
