// SPDX-License-Identifier: MIT
/*
 * Vellum's driver of the 82540EM against a small model of the card: frames in
 * both directions around the rings, and a card that is unplugged, full, damaged, hangs, or
 * tells nonsense.
 *
 * shows: I7
 */
#include "tests/unit/check.h"

#include "tests/unit/e1000_card.h"

static void fill(u8 *frame, size_t size, u32 seed)
{
	for (size_t i = 0; i < size; i++)
		frame[i] = (u8)(i * 13 + seed * 7 + 1);
}

static void sends(struct fixture *f, size_t size, u32 seed)
{
	u8 frame[E1000_FRAME_MOST];

	fill(frame, size, seed);
	assert_true(e1000_send(&f->e, frame, size, f->card.now));
	assert_int_equal(f->card.last_size, size);
	assert_memory_equal(f->card.last, frame, size);
}

static bool comes(struct fixture *f, size_t size, u32 seed)
{
	u8 frame[E1000_BUFFER];

	fill(frame, size, seed);
	return arrive(&f->card, frame, (u16)size, 3, 0);
}

static void receives(struct fixture *f, size_t size, u32 seed)
{
	u8 wanted[E1000_FRAME_MOST];
	const u8 *frame;

	fill(wanted, size, seed);
	assert_int_equal(e1000_receive(&f->e, &frame), size);
	assert_memory_equal(frame, wanted, size);
	e1000_received(&f->e);
}

static void receives_nothing(struct fixture *f)
{
	const u8 *frame;

	assert_int_equal(e1000_receive(&f->e, &frame), 0);
}

static void it_starts(void **state)
{
	struct fixture *f = begin();

	(void)state;
	assert_memory_equal(f->e.mac, address, sizeof(address));
	assert_true(f->e.link && f->e.works);
	assert_int_equal(f->card.reg[RCTL] & 0x801a, 0x801a); /* on, and everything that comes */
	assert_int_equal(f->card.reg[IMC], 0xffffffff);
	receives_nothing(f);
	e1000_stop(&f->e);
	assert_int_equal(f->card.reg[RCTL] | f->card.reg[TCTL], 0);
	assert_int_equal(f->card.resets, 2);
	free(f);
}

/* As a driver leaves it that has it on as Vellum does: with a ring of its own, which is not written
 * to any more, and so is the way back. */
static void a_card_that_is_on(void **state)
{
	struct fixture *f = begin();
	struct descriptor *old = (struct descriptor *)f->card.memory;
	u32 rctl = f->card.reg[RCTL], tctl = f->card.reg[TCTL], resets = f->card.resets;

	(void)state;
	for (u32 i = 0; i < 5; i++)
		assert_true(comes(f, 60, i));
	assert_int_equal(start(f), 0);
	assert_true(f->e.works && f->e.link);
	assert_int_equal(f->card.resets, resets);
	assert_int_equal(f->card.reg[RCTL], rctl);
	assert_memory_equal(f->e.mac, address, sizeof(address));
	receives_nothing(f);
	for (u32 i = 0; i < 2 * E1000_RECEIVE; i++) {
		assert_true(comes(f, 100 + i, i));
		receives(f, 100 + i, i);
		sends(f, 200 + i, i);
	}
	e1000_stop(&f->e);
	assert_int_equal(f->card.resets, resets);
	assert_int_equal(f->card.reg[RCTL], rctl);
	assert_int_equal(f->card.reg[TCTL], tctl);
	assert_int_equal(f->card.reg[RX + LOW] | f->card.reg[RX + HIGH] | f->card.reg[RX + LENGTH],
			 0);
	assert_int_equal(f->card.reg[TX + LOW] | f->card.reg[TX + HIGH] | f->card.reg[TX + LENGTH],
			 0);
	memset(f->card.memory, 0xa5, sizeof(f->card.memory));
	assert_false(comes(f, 60, 1));
	assert_int_equal(old->address, 0xa5a5a5a5a5a5a5a5ull);
	free(f);
}

/* Nor is one left on that has something to send, or whose driver has tags taken out. */
static void a_card_that_is_not_as_it_should_be(void **state)
{
	struct fixture *f = begin();
	u32 resets = f->card.resets;
	u8 frame[60] = {0};

	(void)state;
	f->card.reg[CTRL] |= 0x40000000;
	assert_int_equal(start(f), 0);
	assert_int_equal(f->card.resets, ++resets);
	f->card.hangs = true;
	assert_true(e1000_send(&f->e, frame, sizeof(frame), f->card.now));
	f->card.hangs = false;
	assert_int_equal(start(f), 0);
	assert_int_equal(f->card.resets, ++resets);
	assert_int_equal(start(f), 0);
	assert_int_equal(f->card.resets, resets);
	f->card.hangs = true;
	assert_true(e1000_send(&f->e, frame, sizeof(frame), f->card.now));
	e1000_stop(&f->e);
	assert_int_equal(f->card.resets, ++resets);
	assert_int_equal(f->card.reg[RCTL] | f->card.reg[TCTL], 0);
	free(f);
}

/* One that hangs is reset nevertheless. */
static void a_card_that_is_on_and_hangs(void **state)
{
	struct fixture *f = begin();
	u32 resets = f->card.resets;
	u8 frame[60] = {0};

	(void)state;
	assert_int_equal(start(f), 0);
	f->card.hangs = true;
	assert_true(e1000_send(&f->e, frame, sizeof(frame), f->card.now));
	f->card.now += SECOND;
	e1000_check(&f->e, f->card.now);
	assert_int_equal(f->card.resets, resets + 1);
	f->card.hangs = false;
	sends(f, 80, 1);
	e1000_stop(&f->e);
	assert_int_equal(f->card.reg[RCTL] | f->card.reg[TCTL], 0);
	free(f);
}

/* As a driver leaves it that put it to sleep, and had tags taken out. */
static void a_card_that_sleeps(void **state)
{
	struct fixture *f = begin();

	(void)state;
	f->card.sleeps = true;
	f->card.reg[STATUS] = 0;
	f->card.keeps = 0x40000000;
	assert_int_equal(start(f), 0);
	assert_false(f->card.sleeps);
	assert_int_equal(f->card.woken, 1); /* not when it was awake */
	assert_true(f->e.link);
	assert_int_equal(f->card.reg[CTRL], 0x60);
	free(f);
}

static void its_address(void **state)
{
	struct fixture *f = begin();

	(void)state;
	f->card.empty = true;
	memcpy(f->card.rom, "\x02\x11\x22\x33\x44\x55", E1000_MAC_SIZE);
	assert_int_equal(start_off(f), 0);
	assert_memory_equal(f->e.mac, f->card.rom, E1000_MAC_SIZE);
	f->card.rom[0] = 1; /* a group */
	assert_int_equal(start_off(f), -VL_EIO);
	assert_false(f->e.works);
	assert_int_equal(f->card.reg[RCTL], 0);
	memset(f->card.rom, 0, sizeof(f->card.rom));
	assert_int_equal(start_off(f), -VL_EIO);
	f->card.dead_rom = true;
	assert_int_equal(start_off(f), -VL_EIO);
	free(f);
}

static void a_card_that_does_not_answer(void **state)
{
	struct fixture *f = begin();

	(void)state;
	f->card.is_stuck = true;
	assert_int_equal(start_off(f), -VL_EIO);
	assert_true(f->card.pauses > 1000);
	f->card.is_stuck = false;
	f->card.gone = true;
	assert_int_equal(start_off(f), -VL_EIO);
	assert_false(f->e.works);
	assert_false(e1000_send(&f->e, address, 60, 0));
	receives_nothing(f);
	free(f);
}

static void frames_of_all_sizes(void **state)
{
	struct fixture *f = begin();
	u64 bytes = 0;
	u32 n = 0;

	(void)state;
	for (size_t size = E1000_FRAME_LEAST; size <= E1000_FRAME_MOST; size += 7, n++) {
		sends(f, size, n);
		assert_true(comes(f, size, n + 1));
		receives(f, size, n + 1);
		receives_nothing(f);
		bytes += size;
	}
	assert_int_equal(f->card.nr_sent, n);
	assert_int_equal(f->e.counts.sent, n);
	assert_int_equal(f->e.counts.sent_bytes, bytes);
	assert_int_equal(f->e.counts.received, n);
	assert_int_equal(f->e.counts.received_bytes, bytes);
	assert_int_equal(f->e.counts.dropped + f->e.counts.errors, 0);
	assert_int_equal(f->card.resets, 1);
	free(f);
}

static void sizes_that_no_frame_has(void **state)
{
	struct fixture *f = begin();
	u8 frame[E1000_BUFFER] = {2};

	(void)state;
	assert_false(e1000_send(&f->e, frame, 0, 0));
	assert_false(e1000_send(&f->e, frame, E1000_FRAME_LEAST - 1, 0));
	assert_false(e1000_send(&f->e, frame, E1000_FRAME_MOST + 1, 0));
	assert_int_equal(f->e.counts.dropped, 3);
	assert_int_equal(f->card.nr_sent, 0);
	free(f);
}

static void a_ring_that_is_full(void **state)
{
	struct fixture *f = begin();
	u8 frame[60] = {2};

	(void)state;
	f->card.hangs = true;
	for (u32 i = 0; i < E1000_TRANSMIT - 1; i++) {
		assert_true(e1000_has_room(&f->e, 0));
		assert_true(e1000_send(&f->e, frame, sizeof(frame), 0));
	}
	assert_false(e1000_has_room(&f->e, 0));
	assert_false(e1000_send(&f->e, frame, sizeof(frame), 0));
	assert_int_equal(f->e.counts.dropped, 1);
	f->card.hangs = false;
	send_all(&f->card);
	assert_int_equal(f->card.nr_sent, E1000_TRANSMIT - 1);
	sends(f, 100, 3);
	free(f);
}

/* What comes while nobody looks: all but one of the buffers, then the card counts. */
static void more_than_there_are_buffers(void **state)
{
	struct fixture *f = begin();

	(void)state;
	for (u32 round = 0; round < 3; round++) {
		u32 n = 0;

		while (comes(f, 64 + n, n))
			n++;
		assert_int_equal(n, E1000_RECEIVE - 1);
		for (u32 i = 0; i < n; i++)
			receives(f, 64 + i, i);
		receives_nothing(f);
	}
	for (u32 i = 1; i < 3; i++) {
		f->card.now = i * SECOND;
		e1000_check(&f->e, f->card.now);
		assert_int_equal(f->e.counts.missed, 3);
	}
	free(f);
}

static void a_card_that_counts_on(void **state)
{
	struct fixture *f = begin();

	(void)state;
	f->card.counts_on = true;
	f->card.reg[MPC] = 7; /* of whoever had it before */
	assert_int_equal(start(f), 0);
	for (u32 i = 0; i < E1000_RECEIVE + 1; i++)
		comes(f, 64, i);
	for (u32 i = 1; i < 3; i++) {
		f->card.now = i * SECOND;
		e1000_check(&f->e, f->card.now);
		assert_int_equal(f->e.counts.missed, 2);
	}
	assert_false(comes(f, 64, 0));
	f->card.now = 3 * SECOND;
	e1000_check(&f->e, f->card.now);
	assert_int_equal(f->e.counts.missed, 3);
	free(f);
}

static void a_link_that_comes_and_goes(void **state)
{
	struct fixture *f = begin();
	u8 frame[60] = {2};

	(void)state;
	f->card.hangs = true;
	assert_true(e1000_send(&f->e, frame, sizeof(frame), 0));
	f->card.reg[STATUS] = 0;
	f->card.now = SECOND / 2;
	e1000_check(&f->e, f->card.now);
	assert_false(f->e.link);
	assert_false(e1000_send(&f->e, frame, sizeof(frame), f->card.now));
	assert_int_equal(f->e.counts.dropped, 1);
	f->card.now = 10 * SECOND; /* without a cable nothing is late */
	e1000_check(&f->e, f->card.now);
	assert_int_equal(f->e.counts.timeouts, 0);
	f->card.reg[STATUS] = LINK;
	f->card.now += SECOND;
	e1000_check(&f->e, f->card.now);
	assert_true(f->e.link);
	assert_int_equal(f->e.counts.timeouts, 0);
	f->card.hangs = false;
	send_all(&f->card);
	sends(f, 60, 1);
	free(f);
}

static void a_card_that_hangs(void **state)
{
	struct fixture *f = begin();
	u8 frame[60] = {2};

	(void)state;
	f->card.hangs = true;
	assert_true(e1000_send(&f->e, frame, sizeof(frame), 0));
	assert_true(e1000_send(&f->e, frame, sizeof(frame), 0));
	e1000_check(&f->e, SECOND - 1);
	assert_int_equal(f->e.counts.timeouts, 0);
	e1000_check(&f->e, 2 * SECOND);
	assert_int_equal(f->e.counts.timeouts, 1);
	assert_int_equal(f->e.counts.sent, 0);
	assert_int_equal(f->e.counts.sent_bytes, 0);
	assert_int_equal(f->e.counts.dropped, 2);
	assert_int_equal(f->card.resets, 2);
	f->card.hangs = false;
	sends(f, 60, 1);
	assert_true(comes(f, 60, 2));
	receives(f, 60, 2);
	/* And one that does not recover is left alone. */
	f->card.hangs = f->card.is_stuck = true;
	assert_true(e1000_send(&f->e, frame, sizeof(frame), 3 * SECOND));
	e1000_check(&f->e, 5 * SECOND);
	assert_int_equal(f->e.counts.timeouts, 2);
	assert_false(f->e.works || f->e.link);
	assert_false(e1000_send(&f->e, frame, sizeof(frame), 6 * SECOND));
	e1000_check(&f->e, 9 * SECOND);
	assert_int_equal(f->card.resets, 3);
	free(f);
}

static void arrives(struct fixture *f, u16 size, u8 status, u8 errors)
{
	static const u8 junk[E1000_BUFFER];

	assert_true(arrive(&f->card, junk, size, status, errors));
}

static void nonsense_from_the_card(void **state)
{
	struct fixture *f = begin();

	(void)state;
	arrives(f, 0, 3, 0);
	arrives(f, 13, 3, 0);
	arrives(f, 1519, 3, 0);
	arrives(f, 0xffff, 3, 0);
	arrives(f, 100, 3, 0x01); /* a wrong checksum */
	arrives(f, 2048, 1, 0);   /* in three pieces */
	arrives(f, 2048, 1, 0);
	arrives(f, 60, 3, 0);
	assert_true(comes(f, 77, 5));
	receives(f, 77, 5);
	receives_nothing(f);
	assert_int_equal(f->e.counts.errors, 8);
	assert_int_equal(f->e.counts.received, 1);
	/* Addresses that it overwrote are put right; so are all of the next round. */
	descriptor(&f->card, RX, f->card.reg[RX + HEAD])->more[RX_STATUS] = 0;
	for (u32 i = 0; i < 3 * E1000_RECEIVE; i++) {
		u32 used = f->card.reg[RX + HEAD];

		assert_true(comes(f, 90, i));
		descriptor(&f->card, RX, used)->address = 0xdead000;
		receives(f, 90, i);
	}
	free(f);
}

/* A card that is done with everything at once, for ever: one call ends. */
static void all_is_bad(void **state)
{
	struct fixture *f = begin();

	(void)state;
	for (u32 i = 0; i < E1000_RECEIVE; i++)
		descriptor(&f->card, RX, i)->more[RX_STATUS] = 3;
	receives_nothing(f);
	assert_int_equal(f->e.counts.errors, E1000_RECEIVE);
	receives_nothing(f);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_starts),
		cmocka_unit_test(a_card_that_is_on),
		cmocka_unit_test(a_card_that_is_on_and_hangs),
		cmocka_unit_test(a_card_that_is_not_as_it_should_be),
		cmocka_unit_test(a_card_that_sleeps),
		cmocka_unit_test(its_address),
		cmocka_unit_test(a_card_that_does_not_answer),
		cmocka_unit_test(frames_of_all_sizes),
		cmocka_unit_test(sizes_that_no_frame_has),
		cmocka_unit_test(a_ring_that_is_full),
		cmocka_unit_test(more_than_there_are_buffers),
		cmocka_unit_test(a_card_that_counts_on),
		cmocka_unit_test(a_link_that_comes_and_goes),
		cmocka_unit_test(a_card_that_hangs),
		cmocka_unit_test(nonsense_from_the_card),
		cmocka_unit_test(all_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
