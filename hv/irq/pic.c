// SPDX-License-Identifier: MIT
/*
 * The 8259A pair. The slave's INT output is the master's line 2 like any other
 * line: update() carries it over after every change, so nothing else in here
 * knows of the cascade but the acknowledge, in which the slave gives the vector.
 */
#include "irq/pic.h"

#include "lib/string.h"

#define ALL_LINES   0xff
#define BIT(n)      ((u8)(1u << (n)))
#define NO_LINE     (-1)
#define SPURIOUS    7
#define ELCR_MASTER 0xf8 /* timer, keyboard and cascade cannot be level-triggered */
#define ELCR_SLAVE  0xde /* nor can the RTC and the FPU */

#define ICW1        0x10
#define ICW1_ICW4   0x01
#define ICW1_SINGLE 0x02
#define ICW1_LEVEL  0x08
#define ICW2_BASE   0xf8
#define ICW4_AUTO   0x02
#define ICW4_NESTED 0x10
#define OCW3_RIS    0x01
#define OCW3_RR     0x02
#define OCW3_P      0x04
#define OCW3_SMM    0x20

/* OCW2's R, SL and EOI bits. */
enum ocw2 {
	CLEAR_AUTO_ROTATE,
	EOI,
	NO_OPERATION,
	EOI_LINE,
	SET_AUTO_ROTATE,
	ROTATE_EOI,
	SET_LOWEST,
	ROTATE_EOI_LINE,
};

static u8 level_lines(const struct pic_chip *c)
{
	return c->level ? ALL_LINES : c->elcr;
}

u8 pic_irr(const struct pic_chip *c)
{
	return c->line & (c->edge | level_lines(c));
}

/* The line of `set` that comes first in the present order of priorities. */
static int first_of(const struct pic_chip *c, u8 set)
{
	u32 first = (c->lowest + 1u) % PIC_LINES_A_CHIP;
	u32 turned = (set | (u32)set << PIC_LINES_A_CHIP) >> first;

	return set != 0 ? (int)((first + (u32)__builtin_ctz(turned)) % PIC_LINES_A_CHIP) : NO_LINE;
}

/* Lines in service that hold back their own and lower priorities. */
static u8 blocking(const struct pic_chip *c)
{
	u8 set = c->isr;

	if (c->special_mask)
		set &= (u8)~c->imr;
	if (c->fully_nested && c->cascaded)
		set &= (u8)~BIT(PIC_CASCADE);
	return set;
}

static u32 rank(const struct pic_chip *c, int line)
{
	return (u32)(line - c->lowest - 1) % PIC_LINES_A_CHIP;
}

int pic_request(const struct pic_chip *c)
{
	int line = first_of(c, pic_irr(c) & (u8)~c->imr), held;

	if (c->next_icw != 0 || line == NO_LINE)
		return NO_LINE;
	held = first_of(c, blocking(c));
	return held == NO_LINE || rank(c, line) < rank(c, held) ? line : NO_LINE;
}

static void set_input(struct pic_chip *c, u8 line, bool high)
{
	if (!high) {
		c->line &= (u8)~BIT(line);
		c->edge &= (u8)~BIT(line);
	} else if (!(c->line & BIT(line))) {
		c->line |= BIT(line);
		c->edge |= BIT(line);
	}
}

static void update(struct pic *pic)
{
	set_input(&pic->chip[0], PIC_CASCADE, pic_request(&pic->chip[1]) != NO_LINE);
}

void pic_reset(struct pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	for (u32 i = 0; i < ARRAY_SIZE(pic->chip); i++) {
		pic->chip[i].imr = ALL_LINES;
		pic->chip[i].lowest = PIC_LINES_A_CHIP - 1;
	}
	pic->chip[0].vector = 0x08;
	pic->chip[0].cascaded = true;
	pic->chip[1].vector = 0x70;
}

void pic_set_line(struct pic *pic, u8 line, bool high)
{
	if (line == PIC_CASCADE || line >= NR_PIC_LINES)
		return;
	set_input(&pic->chip[line / PIC_LINES_A_CHIP], line % PIC_LINES_A_CHIP, high);
	update(pic);
}

bool pic_output(const struct pic *pic)
{
	return pic_request(&pic->chip[0]) != NO_LINE;
}

void pic_take(struct pic_chip *c, u8 line)
{
	c->edge &= (u8)~BIT(line);
	if (!c->auto_eoi)
		c->isr |= BIT(line);
	else if (c->auto_rotate)
		c->lowest = line;
}

static u8 acknowledge_slave(struct pic *pic)
{
	struct pic_chip *slave = &pic->chip[1];
	int line = pic_request(slave);

	/* Its INT falls at each acknowledge, so that a request behind this one is a new edge. */
	set_input(&pic->chip[0], PIC_CASCADE, false);
	if (line == NO_LINE)
		return (u8)(slave->vector + SPURIOUS);
	pic_take(slave, (u8)line);
	return (u8)(slave->vector + line);
}

u8 pic_acknowledge(struct pic *pic)
{
	struct pic_chip *master = &pic->chip[0];
	int line = pic_request(master);
	u8 vector;

	if (line == NO_LINE)
		return (u8)(master->vector + SPURIOUS);
	pic_take(master, (u8)line);
	vector = (u8)(master->vector + line);
	if (line == PIC_CASCADE && master->cascaded)
		vector = acknowledge_slave(pic);
	update(pic);
	return vector;
}

static void write_icw1(struct pic_chip *c, u8 value)
{
	c->edge = 0;
	c->isr = 0;
	c->imr = 0;
	c->lowest = PIC_LINES_A_CHIP - 1;
	c->next_icw = 2;
	c->wants_icw4 = (value & ICW1_ICW4) != 0;
	c->single = (value & ICW1_SINGLE) != 0;
	c->level = (value & ICW1_LEVEL) != 0;
	c->cascaded = false;
	c->auto_eoi = false;
	c->fully_nested = false;
	c->auto_rotate = false;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
}

static void end_of_interrupt(struct pic_chip *c, int line, bool rotate)
{
	if (line == NO_LINE)
		return;
	c->isr &= (u8)~BIT(line);
	if (rotate)
		c->lowest = (u8)line;
}

/* What an EOI without a line ends: in special mask mode it does not see masked lines. */
static int highest_in_service(const struct pic_chip *c)
{
	return first_of(c, c->isr & (u8) ~(c->special_mask ? c->imr : 0));
}

static void write_ocw2(struct pic_chip *c, u8 value)
{
	u8 line = value % PIC_LINES_A_CHIP;

	switch ((enum ocw2)(value >> 5)) {
	case CLEAR_AUTO_ROTATE:
	case SET_AUTO_ROTATE:
		c->auto_rotate = value >> 5 == SET_AUTO_ROTATE;
		break;
	case EOI:
	case ROTATE_EOI:
		end_of_interrupt(c, highest_in_service(c), value >> 5 == ROTATE_EOI);
		break;
	case EOI_LINE:
	case ROTATE_EOI_LINE:
		end_of_interrupt(c, line, value >> 5 == ROTATE_EOI_LINE);
		break;
	case SET_LOWEST:
		c->lowest = line;
		break;
	case NO_OPERATION:
		break;
	}
}

static void write_ocw3(struct pic_chip *c, u8 value)
{
	if (value & PIC_OCW3_SETS_MASK_MODE)
		c->special_mask = (value & OCW3_SMM) != 0;
	if (value & OCW3_P)
		c->poll = true;
	else if (value & OCW3_RR)
		c->read_isr = (value & OCW3_RIS) != 0;
}

static void write_command(struct pic_chip *c, u8 value)
{
	if (value & ICW1)
		write_icw1(c, value);
	else if (value & PIC_OCW3)
		write_ocw3(c, value);
	else
		write_ocw2(c, value);
}

static void write_data(struct pic_chip *c, u8 value, bool is_master)
{
	switch (c->next_icw) {
	case 2:
		c->vector = value & ICW2_BASE;
		c->next_icw = !c->single ? 3 : c->wants_icw4 ? 4 : 0;
		break;
	case 3:
		c->cascaded = is_master && (value & BIT(PIC_CASCADE));
		c->next_icw = c->wants_icw4 ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = (value & ICW4_AUTO) != 0;
		c->fully_nested = (value & ICW4_NESTED) != 0;
		c->next_icw = 0;
		break;
	default:
		c->imr = value;
		break;
	}
}

void pic_write(struct pic *pic, u16 port, u8 value)
{
	u32 number = pic_chip_of(port);
	struct pic_chip *c = &pic->chip[number];

	if (port >= PIC_ELCR)
		c->elcr = value & (number == 0 ? ELCR_MASTER : ELCR_SLAVE);
	else if (port & 1)
		write_data(c, value, number == 0);
	else
		write_command(c, value);
	update(pic);
}

static u8 poll(struct pic_chip *c)
{
	int line = pic_request(c);

	c->poll = false;
	if (line == NO_LINE)
		return 0;
	pic_take(c, (u8)line);
	return (u8)(PIC_POLL_REQUEST | line);
}

u8 pic_read(struct pic *pic, u16 port)
{
	struct pic_chip *c = &pic->chip[pic_chip_of(port)];
	u8 value;

	if (port >= PIC_ELCR)
		return c->elcr;
	if (c->poll) {
		value = poll(c);
		if (c == &pic->chip[1])
			set_input(&pic->chip[0], PIC_CASCADE, false);
		update(pic);
		return value;
	}
	if (port & 1)
		return c->imr;
	return c->read_isr ? c->isr : pic_irr(c);
}
