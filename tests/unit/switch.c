// SPDX-License-Identifier: MIT
/*
 * The switch: who gets what, what a port may not send, what is learned and
 * forgotten, and that a full queue costs its owner alone. At the end, random
 * frames against a model that keeps lists of everything.
 */
#include "tests/unit/check.h"

#include "io/switch.h"

#define AGE        1000u
#define UNREADABLE 1517u /* bytes: the sender's memory has gone */

struct fixture {
	struct net_switch s;
	struct switch_queue queue[SWITCH_PORTS];
	u64 now;
};

static struct fixture *begin(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->s.age = AGE;
	f->now = 5;
	return f;
}

static void set_mac(u8 *to, u64 mac)
{
	for (u32 i = 0; i < MAC_SIZE; i++)
		to[i] = (u8)(mac >> 8 * (MAC_SIZE - 1 - i));
}

static int attach(struct fixture *f, u64 mac, const char *bridge, bool any)
{
	char name[SWITCH_NAME_SIZE] = {0};
	u8 bytes[MAC_SIZE];
	struct switch_wish wish = {bytes, name, any, f, NULL};

	for (u32 i = 0; i < SWITCH_PORTS && wish.queue == NULL; i++)
		wish.queue = f->s.port[i].queue == NULL ? &f->queue[i] : NULL;
	strcpy(name, bridge);
	set_mac(bytes, mac);
	return switch_attach(&f->s, &wish);
}

/* The sender's own memory, in which the addresses may be others by now. */
static bool copy(void *context, u8 *to, u32 size)
{
	(void)context;
	for (u32 i = 0; i < size; i++)
		to[i] = (u8)(i * 7 + size);
	return size != UNREADABLE;
}

static struct frame_source source(u64 from, u64 to, u32 size)
{
	struct frame_source f = {.size = size, .copy = copy};

	memset(f.head, 0, sizeof(f.head));
	set_mac(f.head, to);
	set_mac(f.head + MAC_SIZE, from);
	return f;
}

static u32 send(struct fixture *f, u32 port, u64 from, u64 to, size_t size)
{
	struct frame_source s = source(from, to, (u32)size);

	return switch_send(&f->s, port, &s, f->now);
}

#define A     ((u64)0x020000000001)
#define B     ((u64)0x020000000002)
#define C     ((u64)0x020000000003)
#define X     ((u64)0x020000000099)
#define ALL   ((u64)0xffffffffffff)
#define GROUP ((u64)0x01005e000001)

static void test_addresses(void **state)
{
	u8 mac[MAC_SIZE];

	(void)state;
	set_mac(mac, A);
	assert_true(switch_mac_is_good(mac));
	set_mac(mac, ALL);
	assert_false(switch_mac_is_good(mac));
	set_mac(mac, GROUP);
	assert_false(switch_mac_is_good(mac));
	set_mac(mac, 0);
	assert_false(switch_mac_is_good(mac));
}

/* A port without an address of its own, as an uplink is, takes none from others; and nobody sends
 * from none. */
static void test_uplink(void **state)
{
	struct fixture *f = begin();
	u32 up, a;

	(void)state;
	up = (u32)attach(f, 0, "net0", true);
	a = (u32)attach(f, A, "net0", false);
	assert_int_equal(send(f, a, A, X, 60), 1u << up);
	assert_int_equal(send(f, up, X, A, 60), 1u << a);
	assert_int_equal(send(f, up, 0, A, 60), 0);
	assert_int_equal(send(f, up, A, ALL, 60), 0);
	assert_int_equal(f->s.port[up].counts.refused, 2);
	free(f);
}

static void test_stations(void **state)
{
	struct fixture *f = begin();

	(void)state;
	assert_int_equal(attach(f, A, "one", false), 0);
	assert_int_equal(attach(f, B, "one", false), 1);
	assert_int_equal(attach(f, C, "one", false), 2);
	assert_int_equal(send(f, 0, A, B, 60), 1 << 1);
	assert_int_equal(send(f, 2, C, A, 60), 1 << 0);
	assert_int_equal(send(f, 0, A, ALL, 60), 1 << 1 | 1 << 2);
	assert_int_equal(send(f, 1, B, GROUP, 60), 1 << 0 | 1 << 2);
	assert_int_equal(send(f, 0, A, X, 60),
			 0); /* nobody's: no station gets what is not its own */
	assert_int_equal(send(f, 0, A, A, 60), 0);
	free(f);
}

static void test_contents(void **state)
{
	struct fixture *f = begin();
	u8 frame[FRAME_MOST], expected[FRAME_MOST];

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	for (size_t size = FRAME_HEADER; size <= FRAME_MOST; size += 47) {
		assert_int_equal(send(f, 0, A, B, size), 1 << 1);
		assert_int_equal(switch_take(&f->s, 1, frame), size);
		for (size_t i = 0; i < size; i++)
			expected[i] = (u8)(i * 7 + size);
		memset(expected, 0, FRAME_HEADER);
		set_mac(expected, B);
		set_mac(expected + MAC_SIZE, A);
		assert_memory_equal(frame, expected, size);
		assert_int_equal(switch_take(&f->s, 1, frame), 0);
	}
	free(f);
}

static void test_refused(void **state)
{
	struct fixture *f = begin();

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", true);
	assert_int_equal(send(f, 0, A, B, FRAME_HEADER - 1), 0);
	assert_int_equal(send(f, 0, A, B, FRAME_MOST + 1), 0);
	assert_int_equal(send(f, 0, B, B, 60), 0);
	assert_int_equal(send(f, 0, X, B, 60), 0);
	assert_int_equal(send(f, 0, A, B, UNREADABLE), 0);
	assert_int_equal(f->s.port[0].counts.refused, 5);
	assert_int_equal(f->s.port[0].counts.sent, 0);
	assert_int_equal(send(f, 1, A, ALL, 60), 0); /* any address, but for others' own */
	assert_int_equal(send(f, 1, GROUP, A, 60), 0);
	assert_int_equal(send(f, 1, X, A, 60), 1 << 0);
	assert_int_equal(f->s.port[1].counts.refused, 2);
	assert_int_equal(f->s.port[0].queue->end, 1);
	free(f);
}

/* --- what is to be cut --- */

/* TCP over IPv4 of zeros, as frame_is_good() wants it: the unit test of frames has others. */
static bool copy_tcp(void *context, u8 *to, u32 size)
{
	(void)context;
	memset(to, 0, size);
	memcpy(to + 14, "\x45\0\0\0\0\0\0\0\0\x06", 10);
	to[34 + 12] = 0x50;
	return true;
}

static struct frame_source large(u64 from, u64 to, u32 payload)
{
	struct frame_source s = source(from, to, 54 + payload);

	s.head[12] = 8;
	s.copy = copy_tcp;
	s.offload = (struct offload){OFFLOAD_SUM, OFFLOAD_TCP4, 54, 1000, 34, 16};
	return s;
}

static u32 send_large(struct fixture *f, u32 port, u64 from, u64 to, u32 payload)
{
	struct frame_source s = large(from, to, payload);

	return switch_send(&f->s, port, &s, f->now);
}

static void test_large(void **state)
{
	struct fixture *f = begin();
	u8 piece[FRAME_MOST];

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", true);
	attach(f, C, "one", true);
	assert_int_equal(send_large(f, 0, A, ALL, 5000), 0); /* for one alone */
	assert_int_equal(send_large(f, 0, A, X, 5000), 0);
	assert_int_equal(f->s.port[0].counts.refused, 2);
	assert_int_equal(send_large(f, 0, A, B, 65000), 1 << 1);
	assert_int_equal(send(f, 0, A, B, 60), 1 << 1);
	assert_int_equal(switch_peek(f->s.port[1].queue)->size, 65054);
	for (u32 i = 0; i < 65; i++)
		assert_int_equal(switch_take(&f->s, 1, piece), 1054);
	assert_int_equal(f->s.port[1].counts.got, 1);
	assert_int_equal(f->s.port[1].counts.got_bytes, 65054);
	assert_int_equal(switch_take(&f->s, 1, piece), 60);
	assert_int_equal(switch_take(&f->s, 1, piece), 0);
	assert_null(switch_peek(f->s.port[1].queue));
	free(f);
}

/* Pieces cost who gets them, so they take room, however short the frame. */
static void test_tiny_segments(void **state)
{
	struct fixture *f = begin();
	u8 piece[FRAME_MOST];
	u32 pieces = 0;

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	for (u32 i = 0; i < SWITCH_BLOCKS; i++) {
		struct frame_source s = large(A, B, 128);

		s.offload.segment = 1;
		switch_send(&f->s, 0, &s, f->now);
	}
	while (switch_take(&f->s, 1, piece) != 0)
		pieces++;
	assert_in_range(pieces, 128, SWITCH_PIECES * SWITCH_BLOCKS / 2);
	free(f);
}

/* Whose memory says something else at each look: all get the same. */
static bool copy_other(void *context, u8 *to, u32 size)
{
	memset(to, (*(u8 *)context)++, size);
	return true;
}

static void test_copied_once(void **state)
{
	struct fixture *f = begin();
	struct frame_source s = source(A, ALL, 100);
	u8 looks = 1, first[FRAME_MOST], other[FRAME_MOST];

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	attach(f, C, "one", false);
	s.copy = copy_other;
	s.context = &looks;
	assert_int_equal(switch_send(&f->s, 0, &s, f->now), 1 << 1 | 1 << 2);
	assert_int_equal(looks, 2);
	assert_int_equal(switch_take(&f->s, 1, first), 100);
	assert_int_equal(switch_take(&f->s, 2, other), 100);
	assert_memory_equal(first, other, 100);
	free(f);
}

/* Large and small ones in turn, as often as it takes to begin at each block: each is found
 * undivided, and no block is lost. */
static void test_round(void **state)
{
	struct fixture *f = begin();
	struct rng r = {0x2c0de};
	u32 waiting[SWITCH_BLOCKS], first = 0, last = 0;

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	for (u32 i = 0; i < 20000; i++) {
		u32 size = rng_below(&r, 3) == 0 ? 54 + 1 + rng_below(&r, 65000) : 60;
		bool is_large = size > 60;

		if ((is_large ? send_large(f, 0, A, B, size - 54) : send(f, 0, A, B, size)) != 0)
			waiting[last++ % SWITCH_BLOCKS] = size;
		if (first == last || rng_below(&r, 2) == 0)
			continue;
		assert_int_equal(switch_peek(f->s.port[1].queue)->size,
				 waiting[first++ % SWITCH_BLOCKS]);
		switch_done(&f->s, 1);
	}
	for (; first != last; first++) {
		assert_int_equal(switch_peek(f->s.port[1].queue)->size,
				 waiting[first % SWITCH_BLOCKS]);
		switch_done(&f->s, 1);
	}
	assert_null(switch_peek(f->s.port[1].queue));
	assert_int_equal(f->s.port[1].queue->held[0], 0);
	assert_int_equal(f->s.port[1].counts.got, last);
	free(f);
}

static void test_bridges(void **state)
{
	struct fixture *f = begin();

	(void)state;
	assert_int_equal(attach(f, A, "one", false), 0);
	assert_int_equal(attach(f, A, "one", false), -VL_EEXIST);
	assert_int_equal(attach(f, A, "two", false), 1);
	assert_int_equal(attach(f, B, "two", true), 2);
	assert_int_equal(send(f, 0, A, ALL, 60), 0);
	assert_int_equal(send(f, 0, A, B, 60), 0);
	assert_int_equal(send(f, 1, A, B, 60), 1 << 2);
	/* A bridge is over with its last port, and its name begins another one. */
	switch_detach(&f->s, 1);
	switch_detach(&f->s, 2);
	assert_int_equal(attach(f, C, "three", true), 1);
	assert_int_equal(attach(f, B, "two", true), 2);
	assert_int_equal(send(f, 1, C, ALL, 60), 0);
	for (u32 i = 3; i < SWITCH_PORTS; i++)
		assert_int_equal(attach(f, X + i, "one", false), i);
	assert_int_equal(attach(f, X + 100, "one", false), -VL_ENOSPC);
	free(f);
}

static void test_learning(void **state)
{
	struct fixture *f = begin();

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", true);
	attach(f, C, "one", true);
	assert_int_equal(send(f, 0, A, X, 60), 1 << 1 | 1 << 2); /* unknown */
	assert_int_equal(send(f, 1, X, A, 60), 1 << 0);
	assert_int_equal(send(f, 0, A, X, 60), 1 << 1);
	assert_int_equal(send(f, 1, B, X, 60), 0);      /* it is behind the sender itself */
	assert_int_equal(send(f, 2, X, A, 60), 1 << 0); /* moved */
	assert_int_equal(send(f, 0, A, X, 60), 1 << 2);
	f->now += AGE;
	assert_int_equal(send(f, 0, A, X, 60), 1 << 1 | 1 << 2);
	assert_int_equal(send(f, 2, X, A, 60), 1 << 0);
	assert_int_equal(send(f, 0, A, X, 60), 1 << 2);
	switch_detach(&f->s, 2);
	assert_int_equal(send(f, 0, A, X, 60), 1 << 1);
	/* An address that becomes a port's own is behind no other. */
	assert_int_equal(send(f, 1, X, A, 60), 1 << 0);
	assert_int_equal(attach(f, X, "one", false), 2);
	assert_int_equal(send(f, 0, A, X, 60), 1 << 2);
	assert_int_equal(send(f, 1, X, A, 60), 0);
	free(f);
}

static void drain(struct fixture *f, u32 port)
{
	u8 frame[FRAME_MOST];

	while (switch_take(&f->s, port, frame) != 0)
		;
}

/* A port that makes addresses up forgets its own, the oldest first. */
static void test_flood(void **state)
{
	struct fixture *f = begin();

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", true);
	attach(f, C, "one", true);
	send(f, 2, X, A, 60);
	for (u64 i = 0; i < 1000; i++, f->now++) {
		send(f, 1, X + 1 + i, B, 60);
		if (i >= SWITCH_LEARNED)
			assert_int_equal(send(f, 0, A, X + 1 + i - SWITCH_LEARNED, 60),
					 1 << 1 | 1 << 2);
		switch_detach(&f->s, 0);
		attach(f, A, "one", false);
		drain(f, 1);
		drain(f, 2);
	}
	f->now = 5;
	assert_int_equal(send(f, 0, A, X, 60), 1 << 2);
	free(f);
}

/* Who floods has half of it; the next one half of the rest. */
static void test_full_queue(void **state)
{
	struct fixture *f = begin();
	u8 frame[FRAME_MOST];

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	attach(f, C, "one", false);
	for (u32 i = 0; i < SWITCH_BLOCKS / 2; i++)
		assert_int_equal(send(f, 0, A, B, 60 + i), 1 << 1);
	assert_int_equal(send(f, 0, A, B, 60), 0);
	assert_int_equal(send(f, 0, A, ALL, 60), 1 << 2);
	assert_int_equal(f->s.port[1].counts.dropped, 2);
	assert_int_equal(f->s.port[0].counts.sent, SWITCH_BLOCKS / 2 + 2);
	for (u32 i = 0; i < SWITCH_BLOCKS / 4; i++)
		assert_int_equal(send(f, 2, C, B, 200), 1 << 1);
	assert_int_equal(send(f, 2, C, B, 200), 0);
	assert_int_equal(switch_take(&f->s, 1, frame), 60);
	assert_int_equal(send(f, 0, A, B, 99), 0);
	for (u32 i = 1; i < SWITCH_BLOCKS / 2; i++)
		assert_int_equal(switch_take(&f->s, 1, frame), 60 + i);
	for (u32 i = 0; i < SWITCH_BLOCKS / 4; i++)
		assert_int_equal(switch_take(&f->s, 1, frame), 200);
	assert_int_equal(switch_take(&f->s, 1, frame), 0);
	assert_int_equal(f->s.port[1].counts.got, SWITCH_BLOCKS * 3 / 4);
	assert_int_equal(send(f, 0, A, B, 99), 1 << 1);
	free(f);
}

/* Each frame is taken once by each who got it, in order, whatever comes between. */
static void test_random(void **state)
{
	struct rng r = {0x51713};

	(void)state;
	for (u32 n = random_cases(200); n > 0; n--) {
		struct fixture *f = begin();
		u64 put[4] = {0}, got[4] = {0};

		for (u32 i = 0; i < 4; i++)
			attach(f, A + i, i < 3 ? "one" : "two", i == 2);
		for (u32 step = 0; step < 300; step++, f->now++) {
			u32 port = rng_below(&r, 4), to = rng_below(&r, 6);
			u8 frame[FRAME_MOST];

			if (rng_below(&r, 3) == 0) {
				got[port] += switch_take(&f->s, port, frame) != 0;
				continue;
			}
			u32 mask = send(f, port, A + (rng_below(&r, 8) == 0 ? 3 : port),
					to == 5 ? ALL : A + to, 14 + rng_below(&r, 1500));

			assert_int_equal(mask & 1u << port, 0);
			assert_true(port == 3 ? mask == 0 : (mask & 8) == 0);
			for (u32 i = 0; i < 4; i++)
				put[i] += mask >> i & 1;
		}
		for (u32 i = 0; i < 4; i++) {
			assert_int_equal(f->queue[i].end - f->queue[i].start, put[i] - got[i]);
			assert_int_equal(f->s.port[i].counts.got, got[i]);
		}
		free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),   cmocka_unit_test(test_uplink),
		cmocka_unit_test(test_stations),    cmocka_unit_test(test_contents),
		cmocka_unit_test(test_refused),     cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_learning),    cmocka_unit_test(test_flood),
		cmocka_unit_test(test_full_queue),  cmocka_unit_test(test_random),
		cmocka_unit_test(test_large),       cmocka_unit_test(test_tiny_segments),
		cmocka_unit_test(test_copied_once), cmocka_unit_test(test_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
