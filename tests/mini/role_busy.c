// SPDX-License-Identifier: MIT
#include "mini/role_busy.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tests/random.h"
#include "mini/virtio.h"
#include "public/calls.h"

#define HEADER     12u /* of a network device's chains */
#define FRAME_MOST 1518u
#define SECTOR     512u
#define PIECE      8u /* sectors of a request */
#define REQUESTS   5u /* at a time, of three descriptors each */
#define BLK_IN     0u
#define WINDOWS    3u /* that it looks at */

static struct vl_event_page events __attribute__((aligned(sizeof(struct vl_event_page))));
static struct vl_device told __attribute__((aligned(128)));

struct request {
	struct {
		u32 type, reserved;
		u64 sector;
	} head;
	u8 status;
	u8 data[PIECE * SECTOR];
} __attribute__((aligned(16)));

static struct busy {
	struct virtio *v;
	u32 kind;  /* that is driven; 0: none */
	u32 under; /* heads that are with the device, a bit each */
	struct request request[REQUESTS];
	u8 frame[VIRTIO_ENTRIES + 1][HEADER + FRAME_MOST]; /* the last one is sent */
} busy[WINDOWS];

static u64 state = 17;
static bool zeros; /* may be in disks, too */

static u32 index_of(const struct busy *b)
{
	return (u32)(b - busy);
}

/* --- network: frames that nobody else is to get --- */

static void begin_net(struct busy *b)
{
	for (u16 i = 0; i < VIRTIO_ENTRIES; i++) {
		virtio_describe(b->v, 0, i, b->frame[i], sizeof(b->frame[i]), D_WRITE, 0);
		virtio_offer(b->v, 0, i);
	}
	virtio_kick(b->v, 0);
}

/* From its own address to everybody. */
static void send(struct busy *b, u16 i)
{
	u8 *frame = b->frame[VIRTIO_ENTRIES];

	memset(frame, 0, HEADER);
	memset(frame + HEADER, 0xff, 6);
	for (u32 k = 0; k < 6; k++)
		frame[HEADER + 6 + k] = b->v->window[VR_CONFIG + k];
	virtio_describe(b->v, 1, i, frame, HEADER + FRAME_MOST, 0, 0);
	virtio_offer(b->v, 1, i);
	b->under |= 1u << i;
}

static void drive_net(struct busy *b)
{
	u32 size;
	int i;

	while ((i = virtio_used(b->v, 1, &size)) >= 0)
		b->under &= ~(1u << i);
	for (u16 n = 0; n < VIRTIO_ENTRIES; n++)
		if (!(b->under >> n & 1))
			send(b, n);
	while ((i = virtio_used(b->v, 0, &size)) >= 0)
		virtio_offer(b->v, 0, (u16)i);
}

/* --- disks --- */

static void check_answer(struct busy *b, u32 i)
{
	struct request *r = &b->request[i];

	if (r->status != 0)
		panic("device %u: sector %lu: status %u", index_of(b), r->head.sector, r->status);
	for (u32 k = 0; k < sizeof(r->data); k++)
		if (r->data[k] != BUSY_BYTE(r->head.sector + k / SECTOR) &&
		    !(zeros && r->data[k] == 0))
			panic("device %u: sector %lu, byte %u: %#x", index_of(b), r->head.sector, k,
			      r->data[k]);
}

static void ask(struct busy *b, u32 i)
{
	u16 head = (u16)(3 * i);
	struct request *r = &b->request[i];

	r->head.type = BLK_IN;
	r->head.sector = random_below(&state, virtio_get(b->v, VR_CONFIG) / PIECE + 1) * PIECE;
	if (r->head.sector != 0)
		r->head.sector -= PIECE;
	r->status = 0xee;
	virtio_describe(b->v, 0, head, &r->head, 16, D_NEXT, (u16)(head + 1));
	virtio_describe(b->v, 0, (u16)(head + 1), r->data, sizeof(r->data), D_NEXT | D_WRITE,
			(u16)(head + 2));
	virtio_describe(b->v, 0, (u16)(head + 2), &r->status, 1, D_WRITE, 0);
	virtio_offer(b->v, 0, head);
	b->under |= 1u << i;
}

static void drive_disk(struct busy *b)
{
	u32 size;
	int head;

	while ((head = virtio_used(b->v, 0, &size)) >= 0) {
		check_answer(b, (u32)head / 3);
		b->under &= ~(1u << head / 3);
	}
	for (u32 i = 0; i < REQUESTS; i++)
		if (!(b->under >> i & 1))
			ask(b, i);
}

/* --- both --- */

static void forget(struct busy *b, const char *why)
{
	print("device %u %s\n", index_of(b), why);
	b->kind = 0;
}

static void begin(struct busy *b)
{
	static const u32 feature[] = {[VL_DEVICE_NET] = 1u << 5, [VL_DEVICE_BLOCK] = 1u << 9};
	u32 kind = virtio_get(b->v, VR_DEVICE);

	if (kind != VL_DEVICE_NET && kind != VL_DEVICE_BLOCK)
		return;
	b->under = 0;
	if (!virtio_try(b->v, feature[kind]))
		return;
	b->kind = kind;
	if (kind == VL_DEVICE_NET)
		begin_net(b);
	print("device %u begun\n", index_of(b));
}

static void drive(struct busy *b)
{
	if (virtio_get(b->v, VR_STATUS) & VS_NEEDS_RESET)
		panic("device %u has status %#x", index_of(b), virtio_get(b->v, VR_STATUS));
	if (b->kind == VL_DEVICE_NET)
		drive_net(b);
	else
		drive_disk(b);
	for (u64 kicks = 1 + random_below(&state, 40); kicks > 0; kicks--)
		virtio_kick(b->v, (u32)random_below(&state, b->kind == VL_DEVICE_NET ? 2 : 1));
	/* What is gone, and what has come at its place, has not been begun. */
	if (virtio_get(b->v, VR_STATUS) == 0)
		forget(b, "is gone");
}

static bool is_to_go(u32 index)
{
	s64 answer = vl_call_device_info(hypercall_page, VL_DOMID_SELF, index, ptr_to_pa(&told).v,
					 sizeof(told));

	return answer > 0 && (told.flags & VL_DEVICE_LEAVING);
}

/* It cannot have it back. */
static void let_go(struct busy *b)
{
	virtio_set(b->v, VR_STATUS, 0);
	virtio_set(b->v, VR_STATUS, 1);
	if (virtio_get(b->v, VR_DEVICE) != 0 || virtio_get(b->v, VR_MAGIC) != 0x74726976)
		panic("device %u is there still", index_of(b));
	forget(b, "let go");
}

static void heed(void)
{
	for (u32 i = 0; i < WINDOWS; i++)
		if (busy[i].kind != 0 && is_to_go(i))
			let_go(&busy[i]);
}

void role_busy(void)
{
	const u64 bit = (u64)1 << VL_EVENT_VELLUM;
	char word[2];

	if (vl_call_event_setup(hypercall_page, ptr_to_pa(&events).v, 0) != 0)
		panic("it gets no events");
	zeros = cmdline_get("zeros", word, sizeof(word));
	for (u32 i = 0; i < WINDOWS; i++)
		busy[i].v = virtio_at(i);
	print("busy\n");
	for (;;) {
		if (__atomic_fetch_and(&events.pending[0], ~bit, __ATOMIC_SEQ_CST) & bit)
			heed();
		for (u32 i = 0; i < WINDOWS; i++)
			if (busy[i].kind != 0)
				drive(&busy[i]);
			else
				begin(&busy[i]);
		interrupts_on();
		interrupts_off();
	}
}
