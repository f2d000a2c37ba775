// SPDX-License-Identifier: MIT
/*
 * Vellum's driver of the 82540EM against a small model of the card: frames in
 * both directions around the rings, and a card that is unplugged, full, damaged, hangs, or
 * tells nonsense. The model refuses each address outside of the driver's memory.
 *
 * shows: I7
 */
#include "tests/unit/check.h"

#include "io/e1000.h"

#define MA     ((u64)0x12345000)
#define SECOND ((u64)1000)
#define SPACE  (0x6000u / 4)

#define CTRL   (0x0000u / 4)
#define STATUS (0x0008u / 4)
#define MDIC   (0x0020u / 4)
#define EERD   (0x0014u / 4)
#define IMS    (0x00d0u / 4)
#define IMC    (0x00d8u / 4)
#define RCTL   (0x0100u / 4)
#define TCTL   (0x0400u / 4)
#define RX     (0x2800u / 4)
#define TX     (0x3800u / 4)
#define LOW    0u /* of a ring */
#define HIGH   1u
#define LENGTH 2u
#define HEAD   4u
#define TAIL   6u
#define MPC    (0x4010u / 4)
#define RAL    (0x5400u / 4)
#define RAH    (0x5404u / 4)
#define RESET  0x04000000u
#define ON     2u
#define LINK   2u

static const u8 address[E1000_MAC_SIZE] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

struct card {
	u32 reg[SPACE];
	u8 memory[E1000_MEMORY] __attribute__((aligned(4096)));
	u64 now;
	u32 resets, pauses, woken;
	u32 keeps;     /* bits of CTRL through a reset, as QEMU's does */
	bool hangs;    /* takes frames and does not send them */
	bool is_stuck; /* does not come out of a reset */
	bool gone;     /* answers ones */
	bool empty;    /* has no address in its registers */
	bool dead_rom;
	bool sleeps; /* its PHY is powered down: no link */
	u8 rom[E1000_MAC_SIZE];
	u8 last[E1000_BUFFER]; /* frame that it sent */
	size_t last_size;
	u32 nr_sent;
};

struct descriptor {
	u64 address;
	u16 length;
	u8 more[6];
};
_Static_assert(sizeof(struct descriptor) == 16, "layout");

#define RX_STATUS  2 /* in `more` */
#define RX_ERRORS  3
#define TX_COMMAND 1
#define TX_STATUS  2

/* What the card reads or writes by DMA. */
static void *dma(struct card *c, u64 ma, u64 size)
{
	assert_true(ma >= MA && size <= E1000_MEMORY && ma - MA <= E1000_MEMORY - size);
	return c->memory + (ma - MA);
}

static struct descriptor *descriptor(struct card *c, u32 ring, u32 i)
{
	u64 base = c->reg[ring + LOW] | (u64)c->reg[ring + HIGH] << 32;

	assert_true(c->reg[ring + LENGTH] % 128 == 0 && i < c->reg[ring + LENGTH] / 16);
	return dma(c, base + i * 16, 16);
}

static u32 next(const struct card *c, u32 ring, u32 i)
{
	return (i + 1) % (c->reg[ring + LENGTH] / 16);
}

static void send_all(struct card *c)
{
	while (!c->hangs && (c->reg[TCTL] & ON) && c->reg[TX + HEAD] != c->reg[TX + TAIL]) {
		struct descriptor *d = descriptor(c, TX, c->reg[TX + HEAD]);

		assert_int_equal(d->more[TX_COMMAND], 0x0b);
		assert_true(d->length <= E1000_FRAME_MOST);
		memcpy(c->last, dma(c, d->address, d->length), d->length);
		c->last_size = d->length;
		c->nr_sent++;
		d->more[TX_STATUS] |= 1;
		c->reg[TX + HEAD] = next(c, TX, c->reg[TX + HEAD]);
	}
}

static void reset_card(struct card *c)
{
	u32 status = c->reg[STATUS];

	memset(c->reg, 0, sizeof(c->reg));
	c->reg[STATUS] = status;
	c->reg[CTRL] = (c->is_stuck ? RESET : 0) | c->keeps;
	c->resets++;
	if (c->empty)
		return;
	memcpy(&c->reg[RAL], address, 4);
	c->reg[RAH] = 0x80000000u | address[4] | (u32)address[5] << 8;
}

static u32 card_read(void *context, u32 offset)
{
	struct card *c = context;
	u32 i = offset / 4, value;

	assert_true(offset % 4 == 0 && i < SPACE);
	value = c->gone ? 0xffffffff : c->reg[i];
	if (i == MPC)
		c->reg[i] = 0;
	return value;
}

static void card_write(void *context, u32 offset, u32 value)
{
	struct card *c = context;
	u32 i = offset / 4;

	assert_true(offset % 4 == 0 && i < SPACE && i != STATUS && i != IMS);
	c->reg[i] = value;
	if (i == CTRL && (value & RESET))
		reset_card(c);
	if (i == MDIC && (value >> 16) == 0x0820)
		c->reg[i] |= 0x10001000 | (c->sleeps ? 0x0800 : 0);
	if (i == MDIC && (value >> 16) == 0x0420) {
		c->woken++;
		c->reg[i] |= 0x10000000;
		c->sleeps = value & 0x0800;
		c->reg[STATUS] = c->sleeps || !(value & 0x0200) ? 0 : LINK;
	}
	if (i == EERD && !c->dead_rom)
		c->reg[i] = 0x10 | (u32)c->rom[2 * (value >> 8 & 3)] << 16 |
			    (u32)c->rom[2 * (value >> 8 & 3) + 1] << 24;
	if (i == TX + TAIL)
		send_all(c);
}

static void card_pause(void *context)
{
	((struct card *)context)->pauses++;
}

/* A frame comes; false: the card has no room. */
static bool arrive(struct card *c, const u8 *frame, u16 size, u8 status, u8 errors)
{
	u32 head = c->reg[RX + HEAD];
	struct descriptor *d;

	if (!(c->reg[RCTL] & ON) || head == c->reg[RX + TAIL]) {
		c->reg[MPC]++;
		return false;
	}
	d = descriptor(c, RX, head);
	if (size <= E1000_BUFFER)
		memcpy(dma(c, d->address, size), frame, size);
	d->length = size;
	d->more[RX_ERRORS] = errors;
	d->more[RX_STATUS] = status;
	c->reg[RX + HEAD] = next(c, RX, head);
	return true;
}

struct fixture {
	struct card card;
	struct e1000 e;
};

static int start(struct fixture *f)
{
	const struct e1000_access access = {card_read, card_write, card_pause, &f->card};

	return e1000_start(&f->e, &access, f->card.memory, MA, SECOND, f->card.now);
}

static struct fixture *begin(void)
{
	struct fixture *f = aligned_alloc(4096, (sizeof(*f) + 4095) / 4096 * 4096);

	memset(f, 0, sizeof(*f));
	memset(f->card.memory, 0xa5, sizeof(f->card.memory));
	f->card.reg[STATUS] = LINK;
	assert_int_equal(start(f), 0);
	return f;
}

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
	assert_int_equal(start(f), 0);
	assert_memory_equal(f->e.mac, f->card.rom, E1000_MAC_SIZE);
	f->card.rom[0] = 1; /* a group */
	assert_int_equal(start(f), -VL_EIO);
	assert_false(f->e.works);
	assert_int_equal(f->card.reg[RCTL], 0);
	memset(f->card.rom, 0, sizeof(f->card.rom));
	assert_int_equal(start(f), -VL_EIO);
	f->card.dead_rom = true;
	assert_int_equal(start(f), -VL_EIO);
	free(f);
}

static void a_card_that_does_not_answer(void **state)
{
	struct fixture *f = begin();

	(void)state;
	f->card.is_stuck = true;
	assert_int_equal(start(f), -VL_EIO);
	assert_true(f->card.pauses > 1000);
	f->card.is_stuck = false;
	f->card.gone = true;
	assert_int_equal(start(f), -VL_EIO);
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
	f->card.now = SECOND;
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
		cmocka_unit_test(a_card_that_sleeps),
		cmocka_unit_test(its_address),
		cmocka_unit_test(a_card_that_does_not_answer),
		cmocka_unit_test(frames_of_all_sizes),
		cmocka_unit_test(sizes_that_no_frame_has),
		cmocka_unit_test(a_ring_that_is_full),
		cmocka_unit_test(more_than_there_are_buffers),
		cmocka_unit_test(a_link_that_comes_and_goes),
		cmocka_unit_test(a_card_that_hangs),
		cmocka_unit_test(nonsense_from_the_card),
		cmocka_unit_test(all_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
