// SPDX-License-Identifier: MIT
/*
 * The model of the 8259A pair: each mode of the data sheet by itself, then
 * random programs against a second model that is slow and plain: a list of
 * lines in order of priority, walked from the front.
 */
#include "tests/unit/check.h"

#include "irq/pic.h"

#define MASTER_DATA (PIC_MASTER + 1)
#define SLAVE_DATA  (PIC_SLAVE + 1)
#define VECTOR      0x30

static void init_chip(struct pic *p, u16 port, u8 vector, u8 cascade, u8 icw4)
{
	pic_write(p, port, 0x11);
	pic_write(p, port + 1, vector);
	pic_write(p, port + 1, cascade);
	pic_write(p, port + 1, icw4);
}

/* As a kernel sets it up, everything unmasked. */
static struct pic ready(void)
{
	struct pic p;

	pic_reset(&p);
	init_chip(&p, PIC_MASTER, VECTOR, 4, 0x01);
	init_chip(&p, PIC_SLAVE, VECTOR + 8, 2, 0x01);
	return p;
}

static u8 read_irr(struct pic *p, u16 port)
{
	pic_write(p, port, PIC_OCW3_READ_IRR);
	return pic_read(p, port);
}

static u8 read_isr(struct pic *p, u16 port)
{
	pic_write(p, port, PIC_OCW3_READ_ISR);
	return pic_read(p, port);
}

static void pulse(struct pic *p, u8 line)
{
	pic_set_line(p, line, false);
	pic_set_line(p, line, true);
}

static void assert_interrupt(struct pic *p, u8 line)
{
	assert_true(pic_output(p));
	assert_int_equal(pic_acknowledge(p), VECTOR + line);
}

static void test_reset(void **state)
{
	struct pic p;

	(void)state;
	pic_reset(&p);
	assert_int_equal(pic_read(&p, MASTER_DATA), 0xff);
	assert_int_equal(pic_read(&p, SLAVE_DATA), 0xff);
	pulse(&p, 0);
	pulse(&p, 8);
	assert_false(pic_output(&p));
	assert_int_equal(pic_read(&p, PIC_MASTER), 1);
	pic_write(&p, MASTER_DATA, 0);
	assert_true(pic_output(&p));
	assert_int_equal(pic_acknowledge(&p), 0x08);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	pic_write(&p, SLAVE_DATA, 0);
	assert_int_equal(pic_acknowledge(&p), 0x70);
}

static void test_initialisation(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, MASTER_DATA, 0x5a);
	assert_int_equal(pic_read(&p, MASTER_DATA), 0x5a);
	pulse(&p, 0);
	assert_interrupt(&p, 0);
	pulse(&p, 1);
	pic_write(&p, PIC_MASTER, PIC_OCW3_READ_ISR);
	pic_write(&p, PIC_MASTER, 0x11); /* ICW1 */
	assert_int_equal(pic_read(&p, PIC_MASTER), 0);
	assert_int_equal(read_isr(&p, PIC_MASTER), 0);
	assert_int_equal(pic_read(&p, MASTER_DATA), 0);
	pulse(&p, 3);
	assert_false(pic_output(&p));     /* not before the last ICW */
	pic_write(&p, MASTER_DATA, 0x47); /* bits 2:0 are not part of the vector */
	pic_write(&p, MASTER_DATA, 4);
	pic_write(&p, MASTER_DATA, 1);
	assert_true(pic_output(&p));
	assert_int_equal(pic_acknowledge(&p), 0x43);
	/* single, without ICW4: two words */
	pic_write(&p, PIC_MASTER, 0x12);
	pic_write(&p, MASTER_DATA, 0x50);
	pic_write(&p, MASTER_DATA, 0xaa);
	assert_int_equal(pic_read(&p, MASTER_DATA), 0xaa);
}

static void test_nesting(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 5);
	assert_interrupt(&p, 5);
	pulse(&p, 6);
	assert_false(pic_output(&p));
	pulse(&p, 3);
	assert_interrupt(&p, 3);
	assert_int_equal(read_isr(&p, PIC_MASTER), 0x28);
	assert_int_equal(read_irr(&p, PIC_MASTER), 0x40);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_int_equal(read_isr(&p, PIC_MASTER), 0x20);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI_LINE | 4); /* another line's: nothing */
	assert_false(pic_output(&p));
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI_LINE | 5);
	assert_interrupt(&p, 6);
	pic_write(&p, PIC_MASTER, 0x40); /* no operation */
	assert_int_equal(read_isr(&p, PIC_MASTER), 0x40);
}

static void test_cascade(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set_line(&p, PIC_CASCADE, true); /* nobody's */
	assert_false(pic_output(&p));
	pulse(&p, 12);
	assert_int_equal(read_irr(&p, PIC_MASTER), 4);
	assert_int_equal(read_irr(&p, PIC_SLAVE), 0x10);
	assert_interrupt(&p, 12);
	assert_int_equal(read_isr(&p, PIC_MASTER), 4);
	assert_int_equal(read_isr(&p, PIC_SLAVE), 0x10);
	assert_int_equal(read_irr(&p, PIC_MASTER), 0);
	pulse(&p, 1);
	assert_interrupt(&p, 1);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	/* a higher one of the slave waits for the master's EOI, unless specially fully nested */
	pulse(&p, 8);
	assert_false(pic_output(&p));
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_interrupt(&p, 8);

	p = ready();
	init_chip(&p, PIC_MASTER, VECTOR, 4, 0x11);
	pulse(&p, 12);
	assert_interrupt(&p, 12);
	pulse(&p, 13);
	assert_false(pic_output(&p));
	pulse(&p, 8);
	assert_interrupt(&p, 8);
}

static void test_edge_and_level(void **state)
{
	struct pic p = ready();

	(void)state;
	/* an edge counts once */
	pulse(&p, 3);
	assert_interrupt(&p, 3);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_false(pic_output(&p));
	/* and is gone when the line falls before the acknowledge */
	pulse(&p, 3);
	pic_set_line(&p, 3, false);
	assert_false(pic_output(&p));
	/* a level lasts */
	pic_write(&p, PIC_ELCR, 0xff);
	pic_write(&p, PIC_ELCR + 1, 0xff);
	assert_int_equal(pic_read(&p, PIC_ELCR), 0xf8);
	assert_int_equal(pic_read(&p, PIC_ELCR + 1), 0xde);
	pic_set_line(&p, 3, true);
	assert_interrupt(&p, 3);
	assert_int_equal(read_irr(&p, PIC_MASTER), 8);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_interrupt(&p, 3);
	pic_set_line(&p, 3, false);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_false(pic_output(&p));
	/* ICW1's bit is for all lines of the chip */
	pic_write(&p, PIC_MASTER, 0x19);
	pic_write(&p, MASTER_DATA, VECTOR);
	pic_write(&p, MASTER_DATA, 4);
	pic_write(&p, MASTER_DATA, 1);
	pulse(&p, 0);
	assert_interrupt(&p, 0);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_interrupt(&p, 0);
}

static void test_masks(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, MASTER_DATA, 0x08);
	pulse(&p, 3);
	assert_false(pic_output(&p));
	assert_int_equal(read_irr(&p, PIC_MASTER), 8); /* the mask hides nothing */
	pic_write(&p, MASTER_DATA, 0);
	assert_interrupt(&p, 3);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	pulse(&p, 9);
	pic_write(&p, SLAVE_DATA, 0x02);
	assert_false(pic_output(&p));
	assert_int_equal(read_irr(&p, PIC_MASTER), 0);
}

static void test_automatic_eoi(void **state)
{
	struct pic p = ready();

	(void)state;
	init_chip(&p, PIC_MASTER, VECTOR, 4, 0x03);
	pulse(&p, 0);
	pulse(&p, 1);
	assert_interrupt(&p, 0);
	assert_int_equal(read_isr(&p, PIC_MASTER), 0);
	assert_interrupt(&p, 1);
	pic_write(&p, PIC_MASTER, 0x80); /* rotate in automatic EOI mode */
	pulse(&p, 0);
	assert_interrupt(&p, 0);
	pulse(&p, 0);
	pulse(&p, 7);
	assert_interrupt(&p, 7);
	assert_interrupt(&p, 0);
	pic_write(&p, PIC_MASTER, 0x00);
	pulse(&p, 1);
	assert_interrupt(&p, 1);
	pulse(&p, 0);
	pulse(&p, 1);
	assert_interrupt(&p, 1); /* the order stays as it was: 0 is the lowest */
}

static void test_rotation(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 3);
	assert_interrupt(&p, 3);
	pic_write(&p, PIC_MASTER, 0xa0); /* rotate on EOI */
	pulse(&p, 3);
	pulse(&p, 4);
	assert_interrupt(&p, 4);
	pic_write(&p, PIC_MASTER, 0xe4); /* rotate on specific EOI */
	pulse(&p, 5);
	pulse(&p, 4);
	assert_interrupt(&p, 5);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_interrupt(&p, 3);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_interrupt(&p, 4);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	pic_write(&p, PIC_MASTER, PIC_OCW2_SET_LOWEST | 5);
	pulse(&p, 5);
	pulse(&p, 6);
	assert_interrupt(&p, 6);
	pulse(&p, 5);
	assert_false(pic_output(&p));
}

static void test_special_mask(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 3);
	assert_interrupt(&p, 3);
	pulse(&p, 5);
	pic_write(&p, MASTER_DATA, 0x08);
	assert_false(pic_output(&p));
	pic_write(&p, PIC_MASTER, PIC_OCW3_SPECIAL_MASK);
	assert_interrupt(&p, 5);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI); /* does not see the masked one */
	assert_int_equal(read_isr(&p, PIC_MASTER), 8);
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_int_equal(read_isr(&p, PIC_MASTER), 8);
	pic_write(&p, PIC_MASTER, 0x48);
	pulse(&p, 5);
	assert_false(pic_output(&p));
	pic_write(&p, PIC_MASTER, PIC_OCW2_EOI);
	assert_interrupt(&p, 5);
}

static void test_poll(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_MASTER, PIC_OCW3_POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER) & PIC_POLL_REQUEST, 0);
	pulse(&p, 14);
	pic_write(&p, PIC_MASTER, PIC_OCW3_POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER), PIC_POLL_REQUEST | PIC_CASCADE);
	pic_write(&p, PIC_SLAVE, PIC_OCW3_POLL);
	assert_int_equal(pic_read(&p, SLAVE_DATA), PIC_POLL_REQUEST | 6); /* any read does */
	assert_false(pic_output(&p));
	assert_int_equal(read_isr(&p, PIC_MASTER), 4);
	assert_int_equal(read_isr(&p, PIC_SLAVE), 0x40);
	pulse(&p, 1);
	pic_write(&p, PIC_MASTER, PIC_OCW3_POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER), PIC_POLL_REQUEST | 1);
	assert_int_equal(pic_read(&p, PIC_MASTER), 6); /* ISR was selected */
}

static void test_spurious(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 3);
	assert_true(pic_output(&p));
	pic_set_line(&p, 3, false);
	assert_int_equal(pic_acknowledge(&p), VECTOR + 7);
	assert_int_equal(read_isr(&p, PIC_MASTER), 0);
	/* of the slave: the master's line 2 is in service */
	p.chip[0].line |= 4;
	p.chip[0].edge |= 4;
	assert_int_equal(pic_acknowledge(&p), VECTOR + 15);
	assert_int_equal(read_isr(&p, PIC_MASTER), 4);
	assert_int_equal(read_isr(&p, PIC_SLAVE), 0);
}

/* --- the plain model --- */

struct line {
	bool high, latched, serving, masked, by_level;
};

struct plain {
	struct line line[8];
	u32 order[8]; /* line numbers, the first priority first */
	u8 vector;
	bool special, automatic, rotating, nested, show_isr, polled;
};

struct plain_pair {
	struct plain chip[2];
};

static void plain_rotate_below(struct plain *c, u32 line)
{
	for (u32 i = 0; i < 8; i++)
		c->order[i] = (line + 1 + i) % 8;
}

static bool plain_requests(const struct line *l)
{
	return l->by_level ? l->high : l->latched;
}

static int plain_candidate(const struct plain *c, bool is_master)
{
	for (u32 i = 0; i < 8; i++) {
		const struct line *l = &c->line[c->order[i]];

		if (l->serving && !(c->special && l->masked) &&
		    !(is_master && c->nested && c->order[i] == 2))
			return -1;
		if (plain_requests(l) && !l->masked)
			return (int)c->order[i];
	}
	return -1;
}

static void plain_drive(struct line *l, bool high)
{
	if (high && !l->high)
		l->latched = true;
	if (!high)
		l->latched = false;
	l->high = high;
}

static void plain_update(struct plain_pair *p)
{
	plain_drive(&p->chip[0].line[2], plain_candidate(&p->chip[1], false) >= 0);
}

static void plain_serve(struct plain *c, u32 line)
{
	c->line[line].latched = false;
	if (!c->automatic)
		c->line[line].serving = true;
	else if (c->rotating)
		plain_rotate_below(c, line);
}

static u8 plain_acknowledge(struct plain_pair *p)
{
	int line = plain_candidate(&p->chip[0], true);
	u8 vector = (u8)(p->chip[0].vector + (line < 0 ? 7 : line));

	if (line >= 0)
		plain_serve(&p->chip[0], (u32)line);
	if (line == 2) {
		int behind = plain_candidate(&p->chip[1], false);

		plain_drive(&p->chip[0].line[2], false);
		vector = (u8)(p->chip[1].vector + (behind < 0 ? 7 : behind));
		if (behind >= 0)
			plain_serve(&p->chip[1], (u32)behind);
	}
	plain_update(p);
	return vector;
}

static u8 plain_byte(const struct plain *c, bool (*bit)(const struct line *))
{
	u8 value = 0;

	for (u32 i = 0; i < 8; i++)
		value |= (u8)(bit(&c->line[i]) << i);
	return value;
}

static bool is_serving(const struct line *l)
{
	return l->serving;
}

static bool is_masked(const struct line *l)
{
	return l->masked;
}

static void plain_eoi(struct plain *c, int line, bool rotate)
{
	for (u32 i = 0; i < 8 && line < 0; i++) {
		const struct line *l = &c->line[c->order[i]];

		if (l->serving && !(c->special && l->masked))
			line = (int)c->order[i];
	}
	if (line < 0)
		return;
	c->line[line].serving = false;
	if (rotate)
		plain_rotate_below(c, (u32)line);
}

static void plain_command(struct plain *c, u8 value)
{
	u32 line = value & 7;

	if ((value & 0x18) == 0x08) {
		if ((value & 0x60) == 0x60)
			c->special = true;
		if ((value & 0x60) == 0x40)
			c->special = false;
		if (value & 4)
			c->polled = true;
		else if (value & 2)
			c->show_isr = value & 1;
	} else if (value >> 5 == 1 || value >> 5 == 5) {
		plain_eoi(c, -1, value >> 5 == 5);
	} else if (value >> 5 == 3 || value >> 5 == 7) {
		plain_eoi(c, (int)line, value >> 5 == 7);
	} else if (value >> 5 == 6) {
		plain_rotate_below(c, line);
	} else if (value >> 5 != 2) {
		c->rotating = value >> 5 == 4;
	}
}

static u8 plain_read(struct plain_pair *p, u32 n, bool data)
{
	struct plain *c = &p->chip[n];

	if (c->polled) {
		int line = plain_candidate(c, n == 0);

		c->polled = false;
		if (line >= 0)
			plain_serve(c, (u32)line);
		if (n == 1)
			plain_drive(&p->chip[0].line[2], false);
		plain_update(p);
		return line < 0 ? 0 : (u8)(0x80 | line);
	}
	if (data)
		return plain_byte(c, is_masked);
	return plain_byte(c, c->show_isr ? is_serving : plain_requests);
}

static void plain_init(struct plain_pair *p, u32 n, u8 vector, u8 icw4)
{
	struct plain *c = &p->chip[n];

	for (u32 i = 0; i < 8; i++) {
		c->line[i].latched = false;
		c->line[i].serving = false;
		c->line[i].masked = false;
	}
	if (n == 1) /* no INT until it is ready */
		plain_drive(&p->chip[0].line[2], false);
	plain_rotate_below(c, 7);
	c->vector = vector;
	c->automatic = icw4 & 2;
	c->nested = icw4 & 0x10;
	c->special = c->rotating = c->show_isr = c->polled = false;
}

/* One random step of both; returns what the guest or CPU saw of it. */
static void random_step(struct rng *r, struct pic *p, struct plain_pair *q)
{
	static const u8 commands[] = {0x20, 0x20, 0x20, 0x60, 0xa0, 0xe0, 0xc0, 0x80,
				      0x00, 0x40, 0x0a, 0x0b, 0x0c, 0x68, 0x48, 0x08};
	u32 n = rng_below(r, 2), line = rng_below(r, 16), what = rng_below(r, 64);
	u16 port = n ? PIC_SLAVE : PIC_MASTER;
	u8 value = (u8)rng_next(r), icw4 = (u8)(1 | (rng_below(r, 4) == 0 ? value & 0x12 : 0));

	if (what < 24) {
		pic_set_line(p, (u8)line, value & 1);
		if (line != 2)
			plain_drive(&q->chip[line / 8].line[line % 8], value & 1);
	} else if (what < 38) {
		assert_int_equal(pic_acknowledge(p), plain_acknowledge(q));
	} else if (what < 50) {
		value = commands[rng_below(r, sizeof(commands))];
		value |= (value & 0x18) == 0 ? line & 7 : 0;
		pic_write(p, port, value);
		plain_command(&q->chip[n], value);
	} else if (what < 54) {
		assert_int_equal(pic_read(p, port + (value & 1)), plain_read(q, n, value & 1));
	} else if (what < 58) {
		value &= (u8)rng_next(r);
		pic_write(p, port + 1, value);
		for (u32 i = 0; i < 8; i++)
			q->chip[n].line[i].masked = value >> i & 1;
	} else if (what < 59) {
		value &= n ? 0xde : 0xf8;
		pic_write(p, (u16)(PIC_ELCR + n), value);
		for (u32 i = 0; i < 8; i++)
			q->chip[n].line[i].by_level = value >> i & 1;
	} else if (what == 63 && rng_below(r, 8) == 0) {
		init_chip(p, port, value & 0xf8, n ? 2 : 4, icw4);
		plain_init(q, n, value & 0xf8, icw4);
	}
	plain_update(q);
	assert_int_equal(pic_output(p), plain_candidate(&q->chip[0], true) >= 0);
}

static void assert_same(struct pic *p, struct plain_pair *q)
{
	for (u32 n = 0; n < 2; n++) {
		assert_int_equal(p->chip[n].isr, plain_byte(&q->chip[n], is_serving));
		assert_int_equal(p->chip[n].imr, plain_byte(&q->chip[n], is_masked));
		assert_int_equal(pic_irr(&p->chip[n]), plain_byte(&q->chip[n], plain_requests));
	}
}

static void test_random_programs(void **state)
{
	struct rng r = {8259};
	u32 cases = random_cases(2000), interrupts = 0;

	(void)state;
	for (u32 i = 0; i < cases; i++) {
		struct plain_pair q = {0};
		struct pic p = ready();

		plain_init(&q, 0, VECTOR, 1);
		plain_init(&q, 1, VECTOR + 8, 1);
		for (u32 step = 0; step < 500; step++) {
			random_step(&r, &p, &q);
			assert_same(&p, &q);
			interrupts += pic_output(&p);
		}
	}
	assert_true(interrupts > cases * 20); /* it did test something */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),          cmocka_unit_test(test_initialisation),
		cmocka_unit_test(test_nesting),        cmocka_unit_test(test_cascade),
		cmocka_unit_test(test_edge_and_level), cmocka_unit_test(test_masks),
		cmocka_unit_test(test_automatic_eoi),  cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_special_mask),   cmocka_unit_test(test_poll),
		cmocka_unit_test(test_spurious),       cmocka_unit_test(test_random_programs),
	};

	return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
