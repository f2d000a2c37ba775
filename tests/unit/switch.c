// SPDX-License-Identifier: MIT
/*
 * The switch: who gets what, what a port may not send, what is learned and
 * forgotten, and that a full queue costs its owner alone. At the end, random
 * frames against a model that keeps lists of everything.
 */
#include "tests/unit/check.h"

#include "io/switch.h"

#define AGE 1000u

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

static u32 send(struct fixture *f, u32 port, u64 from, u64 to, size_t size)
{
	u8 frame[SWITCH_FRAME_MOST + 1];

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (u8)(i * 7 + size);
	set_mac(frame, to);
	set_mac(frame + MAC_SIZE, from);
	return switch_send(&f->s, port, frame, size, f->now);
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
	u8 frame[SWITCH_FRAME_MOST + 1], expected[SWITCH_FRAME_MOST];

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	for (size_t size = SWITCH_FRAME_LEAST; size <= SWITCH_FRAME_MOST; size += 47) {
		assert_int_equal(send(f, 0, A, B, size), 1 << 1);
		assert_int_equal(switch_take(&f->s, 1, frame), size);
		for (size_t i = 0; i < size; i++)
			expected[i] = (u8)(i * 7 + size);
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
	assert_int_equal(send(f, 0, A, B, SWITCH_FRAME_LEAST - 1), 0);
	assert_int_equal(send(f, 0, A, B, SWITCH_FRAME_MOST + 1), 0);
	assert_int_equal(send(f, 0, B, B, 60), 0);
	assert_int_equal(send(f, 0, X, B, 60), 0);
	assert_int_equal(f->s.port[0].counts.refused, 4);
	assert_int_equal(f->s.port[0].counts.sent, 0);
	assert_int_equal(send(f, 1, A, ALL, 60), 0); /* any address, but for others' own */
	assert_int_equal(send(f, 1, GROUP, A, 60), 0);
	assert_int_equal(send(f, 1, X, A, 60), 1 << 0);
	assert_int_equal(f->s.port[1].counts.refused, 2);
	assert_int_equal(f->s.port[0].queue->end, 1);
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
	u8 frame[SWITCH_FRAME_MOST];

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
	u8 frame[SWITCH_FRAME_MOST];

	(void)state;
	attach(f, A, "one", false);
	attach(f, B, "one", false);
	attach(f, C, "one", false);
	for (u32 i = 0; i < SWITCH_QUEUE / 2; i++)
		assert_int_equal(send(f, 0, A, B, 60 + i), 1 << 1);
	assert_int_equal(send(f, 0, A, B, 60), 0);
	assert_int_equal(send(f, 0, A, ALL, 60), 1 << 2);
	assert_int_equal(f->s.port[1].counts.dropped, 2);
	assert_int_equal(f->s.port[0].counts.sent, SWITCH_QUEUE / 2 + 2);
	for (u32 i = 0; i < SWITCH_QUEUE / 4; i++)
		assert_int_equal(send(f, 2, C, B, 200), 1 << 1);
	assert_int_equal(send(f, 2, C, B, 200), 0);
	assert_int_equal(switch_take(&f->s, 1, frame), 60);
	assert_int_equal(send(f, 0, A, B, 99), 0);
	for (u32 i = 1; i < SWITCH_QUEUE / 2; i++)
		assert_int_equal(switch_take(&f->s, 1, frame), 60 + i);
	for (u32 i = 0; i < SWITCH_QUEUE / 4; i++)
		assert_int_equal(switch_take(&f->s, 1, frame), 200);
	assert_int_equal(switch_take(&f->s, 1, frame), 0);
	assert_int_equal(f->s.port[1].counts.got, SWITCH_QUEUE * 3 / 4);
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
			u8 frame[SWITCH_FRAME_MOST];

			if (rng_below(&r, 3) == 0) {
				got[port] += switch_take(&f->s, port, frame) != 0;
				continue;
			}
			u32 mask = send(f, port, A + (rng_below(&r, 8) == 0 ? 3 : port),
					to == 5 ? ALL : A + to, 14 + rng_below(&r, 1505));

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
		cmocka_unit_test(test_addresses),  cmocka_unit_test(test_uplink),
		cmocka_unit_test(test_stations),   cmocka_unit_test(test_contents),
		cmocka_unit_test(test_refused),    cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_learning),   cmocka_unit_test(test_flood),
		cmocka_unit_test(test_full_queue), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
