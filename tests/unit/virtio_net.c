// SPDX-License-Identifier: MIT
/*
 * The network device, as drivers see it that take what is left to be done, and such that do not;
 * and one that breaks the rules.
 */
#include "tests/unit/check.h"
#include "tests/unit/virtio_world.h"

#include "io/virtio_net.h"

#define HEADER WORLD_BUFFERS
#define DATA   (WORLD_BUFFERS + PAGE_SIZE + 100) /* not aligned */

#define LARGE 60000u /* bytes, of a frame that is to be cut */

/* What was sent, and frames that wait. */
struct cable {
	struct {
		u32 size;
		struct offload offload;
		u8 bytes[FRAME_LONGEST];
	} sent[4];
	u32 nr_sent;
	struct frame *waits[4];
	u32 nr_waits, taken; /* pieces of the first one */
};

static u32 cable_send(void *context, const struct frame_source *f)
{
	struct cable *c = context;
	u32 i = c->nr_sent++ % 4;

	c->sent[i].size = f->size;
	c->sent[i].offload = f->offload;
	assert_true(f->copy(f->context, c->sent[i].bytes, f->size));
	assert_memory_equal(c->sent[i].bytes, f->head, FRAME_HEADER);
	return 1;
}

static const struct frame *cable_peek(void *context)
{
	const struct cable *c = context;

	return c->nr_waits > 0 ? c->waits[0] : NULL;
}

static void cable_done(void *context)
{
	struct cable *c = context;

	assert_true(c->nr_waits > 0);
	free(c->waits[0]);
	memmove(c->waits, c->waits + 1, sizeof(c->waits) - sizeof(c->waits[0]));
	c->nr_waits--;
	c->taken = 0;
}

static u32 cable_take(void *context, u8 *to)
{
	struct cable *c = context;
	u32 size = frame_piece(c->waits[0], c->taken++, to);

	if (c->taken == frame_pieces(c->waits[0]))
		cable_done(c);
	return size;
}

struct net {
	struct virtio_net n;
	struct world w;
	struct cable cable;
	struct net_link link;
};

static const u8 mac[] = {2, 0, 0, 0, 0, 7};

#define ALONE (VIRTIO_F_VERSION | VIRTIO_NET_F_MAC)
#define OFFLOAD                                                                                    \
	(VIRTIO_F_VERSION | VIRTIO_NET_F_MAC | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM |       \
	 VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_GUEST_TSO4)

static struct net *begin_net(u64 features)
{
	struct net *t = calloc(1, sizeof(*t));

	virtio_net_init(&t->n, mac);
	world_init(&t->w, &t->n.mmio);
	world_start(&t->w, features, 16);
	assert_int_equal(t->n.mmio.driver_features, features);
	t->link = (struct net_link){cable_send, cable_peek, cable_done, cable_take, &t->cable};
	return t;
}

static void end_net(struct net *t)
{
	while (t->cable.nr_waits > 0)
		cable_done(&t->cable);
	world_end(&t->w);
	free(t);
}

static bool serve(struct net *t)
{
	return virtio_net_serve(&t->n, &t->w.memory, &t->link, false);
}

static struct frame *comes(struct net *t, u32 size)
{
	struct frame *f = malloc(sizeof(*f) + size);

	f->size = size;
	f->offload = (struct offload){0};
	for (u32 i = 0; i < size; i++)
		f->bytes[i] = (u8)(i * 11 + size);
	return t->cable.waits[t->cable.nr_waits++] = f;
}

/* TCP over IPv4, pieces of 1000 bytes of payload; as Linux, with a chain of pages. */
static void make_tcp(u8 *bytes, struct offload *o)
{
	static const u8 ip[10] = {0x45, 0, 0, 0, 0, 0, 0, 0, 0, 6};

	bytes[12] = 8;
	bytes[13] = 0;
	memcpy(bytes + 14, ip, sizeof(ip));
	bytes[34 + 12] = 0x50;
	*o = (struct offload){OFFLOAD_SUM, OFFLOAD_TCP4, 54, 1000, 34, 16};
}

static struct frame *large_comes(struct net *t)
{
	struct frame *f = comes(t, LARGE);

	make_tcp(f->bytes, &f->offload);
	assert_true(frame_is_good(f));
	return f;
}

/* Chain at descriptor `head` with room, or bytes, for header and `size`, a page in each. */
static void describe(struct net *t, u32 queue, u16 head, u64 pa, u32 size)
{
	u16 write = queue == VIRTIO_NET_RECEIVE ? D_WRITE : 0;

	size += VIRTIO_NET_HEADER;
	for (; size > PAGE_SIZE; size -= (u32)PAGE_SIZE, pa += PAGE_SIZE, head++)
		world_describe(&t->w, queue, head, pa, PAGE_SIZE, D_NEXT | write, (u16)(head + 1));
	world_describe(&t->w, queue, head, pa, size, write, 0);
}

static void test_net_config(void **state)
{
	struct net *t = begin_net(ALONE);

	(void)state;
	assert_int_equal(world_read(&t->w, VIRTIO_REG_DEVICE_ID), 1);
	for (u32 i = 0; i < sizeof(mac); i++)
		assert_int_equal(virtio_mmio_read(&t->n.mmio, VIRTIO_REG_CONFIG + i, 1), mac[i]);
	end_net(t);
}

static void test_net_transmit(void **state)
{
	struct net *t = begin_net(ALONE);
	u8 frame[FRAME_MOST];
	u32 written;

	(void)state;
	for (u32 i = 0; i < sizeof(frame); i++)
		frame[i] = (u8)(i * 11);
	world_put(&t->w, DATA, frame, sizeof(frame));
	/* A header of its own, and one chain for both. */
	world_describe(&t->w, 1, 0, HEADER, VIRTIO_NET_HEADER, D_NEXT, 1);
	world_describe(&t->w, 1, 1, DATA, 60, 0, 0);
	world_describe(&t->w, 1, 2, DATA - VIRTIO_NET_HEADER, sizeof(frame) + VIRTIO_NET_HEADER, 0,
		       0);
	assert_int_equal(world_offer(&t->w, 1, 0), 1);
	world_offer(&t->w, 1, 2);
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_sent, 2);
	assert_int_equal(t->cable.sent[0].size, 60);
	assert_memory_equal(t->cable.sent[0].bytes, frame, 60);
	assert_int_equal(t->cable.sent[1].size, sizeof(frame));
	assert_memory_equal(t->cable.sent[1].bytes, frame, sizeof(frame));
	assert_int_equal(world_used(&t->w, 1, &written), 0);
	assert_int_equal(world_used(&t->w, 1, &written), 2);
	assert_true(virtio_mmio_line(&t->n.mmio));
	end_net(t);
}

/* Of a driver that has not said that it does, nothing in the header is a wish. */
static void test_net_no_wishes(void **state)
{
	struct net *t = begin_net(ALONE);
	struct offload wishes = {OFFLOAD_SUM, OFFLOAD_TCP4, 1, 2, 3, 4}, none = {0};

	(void)state;
	world_put(&t->w, HEADER, &wishes, sizeof(wishes));
	describe(t, 1, 0, HEADER, 60);
	world_offer(&t->w, 1, 0);
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_sent, 1);
	assert_memory_equal(&t->cable.sent[0].offload, &none, sizeof(none));
	end_net(t);
}

static void test_net_no_frame(void **state)
{
	static const u32 sizes[] = {1, VIRTIO_NET_HEADER - 1, VIRTIO_NET_HEADER + FRAME_HEADER - 1,
				    VIRTIO_NET_HEADER + FRAME_MOST + 1, 65536};
	struct net *t = begin_net(ALONE);
	u32 written;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		world_describe(&t->w, 1, (u16)i, DATA, sizes[i], 0, 0);
		world_offer(&t->w, 1, (u16)i);
	}
	world_describe(&t->w, 1, 8, DATA, 100, D_WRITE, 0);
	world_offer(&t->w, 1, 8);
	for (u32 i = 0; i < 8; i++)
		serve(t);
	assert_int_equal(t->cable.nr_sent, 0);
	assert_int_equal(t->n.refused, ARRAY_SIZE(sizes) + 1);
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_int_equal(world_used(&t->w, 1, &written), i);
	assert_int_equal(world_used(&t->w, 1, &written), 8);
	assert_int_equal(t->n.mmio.faults, 0);
	end_net(t);
}

/* What the features say that a sender may ask for; and how much a round does. */
static void test_net_transmit_large(void **state)
{
	struct net *t = begin_net(OFFLOAD);
	struct offload o;
	u8 *bytes = calloc(1, LARGE);

	(void)state;
	make_tcp(bytes, &o);
	world_put(&t->w, HEADER, &o, sizeof(o));
	world_put(&t->w, HEADER + VIRTIO_NET_HEADER, bytes, LARGE);
	describe(t, 1, 0, HEADER, LARGE);
	for (u32 i = 0; i < 3; i++)
		world_offer(&t->w, 1, 0);
	for (u32 i = 1; i <= 3; i++) {
		assert_int_equal(serve(t), i < 3);
		assert_int_equal(t->cable.nr_sent, i);
	}
	assert_int_equal(t->cable.sent[0].size, LARGE);
	assert_memory_equal(t->cable.sent[0].bytes, bytes, LARGE);
	assert_memory_equal(&t->cable.sent[0].offload, &o, sizeof(o));
	world_start(&t->w, OFFLOAD & ~VIRTIO_NET_F_HOST_TSO4, 16);
	world_put(&t->w, HEADER, &o, sizeof(o));
	describe(t, 1, 0, HEADER, LARGE);
	world_offer(&t->w, 1, 0);
	describe(t, 1, 15, HEADER, 100);
	world_offer(&t->w, 1, 15);
	assert_true(serve(t));
	assert_false(serve(t));
	assert_int_equal(t->n.refused, 2);
	assert_int_equal(t->cable.nr_sent, 3);
	free(bytes);
	end_net(t);
}

static void test_net_receive(void **state)
{
	struct net *t = begin_net(ALONE);
	u8 header[VIRTIO_NET_HEADER], byte;
	u32 written;

	(void)state;
	comes(t, FRAME_MOST);
	comes(t, 700);
	comes(t, 60);
	assert_false(serve(t)); /* no buffers */
	assert_int_equal(t->cable.nr_waits, 3);
	for (u16 i = 0; i < 2; i++) {
		u16 d = (u16)(2 * i);

		world_describe(&t->w, 0, d, HEADER + i * 64u, VIRTIO_NET_HEADER, D_NEXT | D_WRITE,
			       (u16)(d + 1));
		world_describe(&t->w, 0, (u16)(d + 1), DATA + i * PAGE_SIZE, FRAME_MOST, D_WRITE,
			       0);
		world_offer(&t->w, 0, d);
	}
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_waits, 1);
	assert_int_equal(world_used(&t->w, 0, &written), 0);
	assert_int_equal(written, VIRTIO_NET_HEADER + FRAME_MOST);
	assert_int_equal(world_used(&t->w, 0, &written), 2);
	assert_int_equal(written, VIRTIO_NET_HEADER + 700);
	world_get(&t->w, HEADER, header, sizeof(header));
	assert_int_equal(header[0], 0);
	assert_int_equal(header[10], 1);
	world_get(&t->w, DATA + PAGE_SIZE + 699, &byte, 1);
	assert_int_equal(byte, (u8)(699 * 11 + 700));
	end_net(t);
}

/* Whole, with what is left to be done, to who takes it; and nothing behind what is needed is looked
 * at: the last descriptor is no memory's. */
static void test_net_receive_large(void **state)
{
	struct net *t = begin_net(OFFLOAD);
	struct frame *f = large_comes(t);
	u8 *expected = malloc(LARGE), *got = malloc(LARGE);
	struct offload o = f->offload, header;
	u32 written;

	(void)state;
	memcpy(expected, f->bytes, LARGE);
	describe(t, 0, 0, HEADER, 15 * PAGE_SIZE - VIRTIO_NET_HEADER);
	world_describe(&t->w, 0, 14, HEADER + 14 * PAGE_SIZE, PAGE_SIZE, D_NEXT | D_WRITE, 15);
	world_describe(&t->w, 0, 15, 0, PAGE_SIZE, D_WRITE, 0);
	world_offer(&t->w, 0, 0);
	assert_false(serve(t));
	assert_int_equal(t->n.mmio.faults, 0);
	assert_int_equal(world_used(&t->w, 0, &written), 0);
	assert_int_equal(written, VIRTIO_NET_HEADER + LARGE);
	world_get(&t->w, HEADER, &header, sizeof(header));
	assert_memory_equal(&header, &o, sizeof(o));
	world_get(&t->w, HEADER + VIRTIO_NET_HEADER, got, LARGE);
	assert_memory_equal(got, expected, LARGE);
	free(expected);
	free(got);
	end_net(t);
}

/* Buffers of 65,562 bytes, as section 5.1.6.3.1 has them, are enough for the longest. */
static void test_net_receive_longest(void **state)
{
	struct net *t = begin_net(OFFLOAD);
	struct frame *f = comes(t, FRAME_LONGEST);
	u32 written;

	(void)state;
	make_tcp(f->bytes, &f->offload);
	assert_true(frame_is_good(f));
	world_start(&t->w, OFFLOAD, 32);
	describe(t, 0, 0, HEADER, 65562 - VIRTIO_NET_HEADER);
	world_offer(&t->w, 0, 0);
	assert_false(serve(t));
	assert_int_equal(t->n.mmio.faults, 0);
	assert_int_equal(world_used(&t->w, 0, &written), 0);
	assert_int_equal(written, VIRTIO_NET_HEADER + FRAME_LONGEST);
	end_net(t);
}

/* Not behind others in a round, but in one of its own; and it gets one. */
static void test_net_long_round(void **state)
{
	struct net *t = begin_net(OFFLOAD);
	u32 written;

	(void)state;
	describe(t, 1, 0, HEADER, 60);
	describe(t, 0, 0, HEADER, LARGE);
	world_offer(&t->w, 1, 0);
	world_offer(&t->w, 0, 0);
	large_comes(t);
	assert_true(serve(t)); /* the short one is sent first */
	assert_int_equal(t->cable.nr_sent, 1);
	assert_int_equal(t->cable.nr_waits, 1);
	world_offer(&t->w, 1, 0);
	assert_true(serve(t));
	assert_int_equal(t->cable.nr_waits, 0);
	assert_int_equal(t->cable.nr_sent, 1);
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_sent, 2);
	describe(t, 1, 1, HEADER, LARGE);
	world_offer(&t->w, 1, 0);
	world_offer(&t->w, 1, 1);
	assert_true(serve(t));
	assert_int_equal(t->cable.nr_sent, 3);
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_sent, 4);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(world_used(&t->w, 1, &written), i == 3);
	end_net(t);
}

/* In pieces to who does not. */
static void test_net_receive_pieces(void **state)
{
	struct net *t = begin_net(ALONE);
	u32 pieces = frame_pieces(large_comes(t)), written;

	(void)state;
	for (u32 i = 0; i < pieces; i++) {
		describe(t, 0, 0, HEADER, FRAME_MOST);
		world_offer(&t->w, 0, 0);
		assert_int_equal(t->cable.nr_waits, 1);
		assert_false(serve(t));
		assert_int_equal(world_used(&t->w, 0, &written), 0);
		assert_int_equal(written,
				 VIRTIO_NET_HEADER + (i + 1 < pieces ? 1054 : LARGE - 59 * 1000));
	}
	assert_int_equal(t->cable.nr_waits, 0);
	end_net(t);
}

/* It would have to be cut: the frame stays, and the device stops. */
static void test_net_small_buffer(void **state)
{
	struct net *t = begin_net(ALONE);

	(void)state;
	comes(t, 60);
	world_describe(&t->w, 0, 0, DATA, VIRTIO_NET_HEADER + FRAME_MOST - 1, D_WRITE, 0);
	world_offer(&t->w, 0, 0);
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_waits, 1);
	assert_int_equal(t->n.mmio.faults, 1);
	world_start(&t->w, OFFLOAD, 16);
	describe(t, 0, 0, HEADER, LARGE - 1);
	world_offer(&t->w, 0, 0);
	cable_done(&t->cable);
	large_comes(t);
	assert_false(serve(t));
	assert_int_equal(t->cable.nr_waits, 1);
	assert_int_equal(t->n.mmio.faults, 2);
	end_net(t);
}

static u16 used_flags(struct net *t, u32 queue)
{
	u16 flags;

	world_get(&t->w, WORLD_DEVICE(queue), &flags, sizeof(flags));
	return flags;
}

/* New buffers are of interest as long as a frame waits for one; and a queue that is set up again
 * begins with the driver telling of them. */
static void test_net_quiet(void **state)
{
	struct net *t = begin_net(ALONE);

	(void)state;
	assert_int_equal(used_flags(t, 0), 0);
	serve(t);
	assert_int_equal(used_flags(t, 0), 1);
	comes(t, 60);
	serve(t);
	assert_int_equal(used_flags(t, 0), 0);
	describe(t, 0, 0, HEADER, FRAME_MOST);
	world_offer(&t->w, 0, 0);
	serve(t);
	assert_int_equal(t->cable.nr_waits, 0);
	assert_int_equal(used_flags(t, 0), 1);
	assert_int_equal(used_flags(t, 1), 0);
	world_write(&t->w, VIRTIO_REG_QUEUE_SELECT, 0);
	world_write(&t->w, VIRTIO_REG_QUEUE_READY, 0);
	world_write(&t->w, VIRTIO_REG_QUEUE_READY, 1); /* with what the memory said before */
	assert_int_equal(used_flags(t, 0), 0);
	serve(t);
	assert_int_equal(used_flags(t, 0), 1);
	end_net(t);
}

static void send_one(struct net *t)
{
	describe(t, 1, 0, HEADER, 60);
	world_offer(&t->w, 1, 0);
	assert_false(virtio_net_serve(&t->n, &t->w.memory, &t->link, true));
}

/* Of what was sent the driver hears later: with what comes, when it is much, or when asked for. */
static void test_net_owed(void **state)
{
	struct net *t = begin_net(ALONE);
	u16 no_interrupt = 1;

	(void)state;
	send_one(t);
	assert_int_equal(t->n.owed, 1);
	assert_false(virtio_mmio_line(&t->n.mmio));
	virtio_net_say(&t->n);
	assert_int_equal(t->n.owed, 0);
	assert_true(virtio_mmio_line(&t->n.mmio));
	world_write(&t->w, VIRTIO_REG_INTERRUPT_ACK, 1);
	virtio_net_say(&t->n); /* nothing */
	assert_false(virtio_mmio_line(&t->n.mmio));
	describe(t, 0, 0, HEADER, FRAME_MOST);
	world_offer(&t->w, 0, 0);
	comes(t, 60);
	send_one(t);
	assert_int_equal(t->n.owed, 0);
	assert_true(virtio_mmio_line(&t->n.mmio));
	world_write(&t->w, VIRTIO_REG_INTERRUPT_ACK, 1);
	for (u32 i = 0; i < VIRTIO_NET_OWED; i++) {
		assert_false(virtio_mmio_line(&t->n.mmio));
		send_one(t);
	}
	assert_true(virtio_mmio_line(&t->n.mmio));
	world_write(&t->w, VIRTIO_REG_INTERRUPT_ACK, 1);
	send_one(t);
	world_write(&t->w, VIRTIO_REG_STATUS, 0);
	virtio_net_say(&t->n); /* its driver has gone */
	assert_false(virtio_mmio_line(&t->n.mmio));
	world_start(&t->w, ALONE, 16);
	world_put(&t->w, WORLD_DRIVER(1), &no_interrupt, sizeof(no_interrupt));
	send_one(t);
	assert_int_equal(t->n.owed, 0);
	end_net(t);
}

/* A driver that sends without end gets what comes for it none the less. */
static void test_net_turns(void **state)
{
	struct net *t = begin_net(ALONE);

	(void)state;
	describe(t, 0, 0, HEADER, FRAME_MOST);
	world_offer(&t->w, 0, 0);
	comes(t, 60);
	describe(t, 1, 0, HEADER, 60);
	for (u32 i = 0; i < 3 && t->cable.nr_waits > 0; i++) {
		for (u32 k = 0; k < VIRTIO_NET_ROUND; k++)
			world_offer(&t->w, 1, 0);
		serve(t);
	}
	assert_int_equal(t->cable.nr_waits, 0);
	end_net(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_net_config),
		cmocka_unit_test(test_net_transmit),
		cmocka_unit_test(test_net_no_wishes),
		cmocka_unit_test(test_net_no_frame),
		cmocka_unit_test(test_net_transmit_large),
		cmocka_unit_test(test_net_receive),
		cmocka_unit_test(test_net_receive_large),
		cmocka_unit_test(test_net_receive_longest),
		cmocka_unit_test(test_net_long_round),
		cmocka_unit_test(test_net_receive_pieces),
		cmocka_unit_test(test_net_small_buffer),
		cmocka_unit_test(test_net_quiet),
		cmocka_unit_test(test_net_owed),
		cmocka_unit_test(test_net_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
