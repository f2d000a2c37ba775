// SPDX-License-Identifier: MIT
/*
 * The hardware 8259s under a virtualized guest. Ring 3 runs with the real IF
 * set, so the CPU acknowledges what the guest's own IF may still hold back; an
 * 8259 cannot be told to forget an acknowledge. The rules that keep the guest
 * from seeing it:
 *
 *  - The masks, modes, vectors and priorities of model and hardware are equal.
 *    The guest's commands go to both, except for EOIs.
 *  - A request that the CPU acknowledged and the guest did not is a ticket: in
 *    service in the hardware, requested in the model. As long as the guest would
 *    take it next, the hardware keeps it in service, which holds back the lower
 *    priorities as the guest expects; when the guest takes it, both agree.
 *  - A ticket that the guest no longer waits for (masked meanwhile, or a level
 *    that fell) is ended in the hardware at once. An edge lives on in the model
 *    alone then: until it is taken and ended, the hardware cannot be given back.
 *  - The master would hold back a higher request of the slave behind a ticket of
 *    the slave, where the guest would take it first. So its cascade line is ended
 *    at once when the guest's IF is off.
 *  - What the CPU did not acknowledge stays in the hardware's IRR, which is or-ed
 *    into what the guest reads. Nothing that is masked is ever acknowledged.
 *
 * ICW2 cannot be read. It need not be: the model first needs a vector when it
 * delivers what the hardware delivered, and that told it.
 *
 * A guest that had a pair of its own and gets the machine's begins with a model that has all of
 * what was under way, and hardware that has nothing of it. Ticks that it was owed follow one
 * another.
 *
 * While virtualized the hardware's command ports show ISR.
 */
#include "irq/pic_hardware.h"

#include "lib/x86.h"

#define BIT(n)       ((u8)(1u << (n)))
#define ALL_LINES    0xff
#define COMMAND(n)   ((u16)((n) == 0 ? PIC_MASTER : PIC_SLAVE))
#define DATA(n)      ((u16)(COMMAND(n) + 1))
#define ICW1         0x10
#define ICW1_ICW4    0x01
#define ICW1_SINGLE  0x02
#define ICW4_8086    0x01
#define ICW4_AUTO    0x02
#define ICW4_NESTED  0x10
#define LINE(n, bit) ((u8)((n) * (u32)PIC_LINES_A_CHIP + (u32)(bit)))

static u8 in(const struct pic_hardware *p, u16 port)
{
	return p->ports->in(p->ports->context, port);
}

static void out(const struct pic_hardware *p, u16 port, u8 value)
{
	p->ports->out(p->ports->context, port, value);
}

static u8 read_irr(const struct pic_hardware *p, u32 n)
{
	u8 irr;

	out(p, COMMAND(n), PIC_OCW3_READ_IRR);
	irr = in(p, COMMAND(n));
	out(p, COMMAND(n), PIC_OCW3_READ_ISR);
	return irr;
}

/* A chip as the guest sees it: what the hardware has requested and the CPU has not acknowledged is
 * requested, but the slave's INT is not when a line in service that the model has alone forbids. */
static struct pic_chip with_hardware(const struct pic_hardware *p, u32 n)
{
	struct pic_chip chip = p->model.chip[n];
	u8 irr = read_irr(p, n);

	if (n == 0 && (irr & BIT(PIC_CASCADE)) && (p->model.chip[1].isr & ~p->isr[1])) {
		struct pic_chip slave = with_hardware(p, 1);

		if (pic_request(&slave) < 0)
			irr &= (u8)~BIT(PIC_CASCADE);
	}
	chip.edge |= irr;
	chip.line |= chip.edge;
	return chip;
}

/* Acknowledged by the CPU, not by the guest. */
static u8 tickets(const struct pic_hardware *p, u32 n)
{
	return p->isr[n] & (u8)~p->model.chip[n].isr;
}

/* A level-triggered line is high in the model from its arrival until the guest takes it, or until
 * it falls, which the hardware's IRR shows. */
static void follow_levels(struct pic_hardware *p, u32 n)
{
	u8 lines = p->model.chip[n].line & p->model.chip[n].elcr;
	u8 held = lines & tickets(p, n);
	u8 high = held != 0 ? held & read_irr(p, n) : 0;

	for (u8 bit = 0; bit < PIC_LINES_A_CHIP; bit++)
		if (lines & ~high & BIT(bit))
			pic_set_line(&p->model, LINE(n, bit), false);
}

/* End lines in the hardware. */
static void end(struct pic_hardware *p, u32 n, u8 lines)
{
	for (u8 bit = 0; bit < PIC_LINES_A_CHIP; bit++)
		if (lines & BIT(bit))
			out(p, COMMAND(n), PIC_OCW2_EOI_LINE | bit);
	p->isr[n] &= (u8)~lines;
	p->ended |= lines != 0;
}

/* End what is in service in the hardware and neither that nor a request in the model. */
static void end_stale(struct pic_hardware *p, u32 n)
{
	const struct pic_chip *c = &p->model.chip[n];

	end(p, n, tickets(p, n) & (u8) ~(pic_irr(c) & (u8)~c->imr));
}

/* Rotating EOIs are the model's alone, what they rotated is not. */
static void copy_priority(struct pic_hardware *p, u32 n)
{
	u8 lowest = p->model.chip[n].lowest;

	if (p->lowest[n] != lowest)
		out(p, COMMAND(n), PIC_OCW2_SET_LOWEST | lowest);
	p->lowest[n] = lowest;
}

/* After each change of the model. The slave first: its requests are the master's line 2. */
static void settle(struct pic_hardware *p)
{
	follow_levels(p, 0);
	follow_levels(p, 1);
	end_stale(p, 1);
	end_stale(p, 0);
	copy_priority(p, 1);
	copy_priority(p, 0);
}

/* On a machine without the registers nobody answers: it has edges only. */
static u8 read_elcr(const struct pic_hardware *p, u32 n)
{
	u8 elcr = in(p, (u16)(PIC_ELCR + n));

	return elcr != ALL_LINES ? elcr : 0;
}

/* The register that a command port shows is not readable: tell by comparison. Equal ones are taken
 * for the IRR, which is what it shows after initialisation. */
static void capture_chip(struct pic_hardware *p, u32 n)
{
	struct pic_chip *c = &p->model.chip[n];
	u8 shown = in(p, COMMAND(n));
	u8 irr = read_irr(p, n);

	c->vector = 0; /* not known yet */
	p->isr[n] = in(p, COMMAND(n));
	c->isr = p->isr[n];
	p->lowest[n] = c->lowest;
	c->elcr = read_elcr(p, n);
	c->read_isr = shown == p->isr[n] && shown != irr;
}

static void capture(struct pic_hardware *p)
{
	p->unread = false;
	capture_chip(p, 0);
	capture_chip(p, 1);
}

/* With APICs everything is masked here: then nothing happens until the guest comes to these ports,
 * and the rest is captured then, not on the path of a transition. */
void pic_hardware_enter(struct pic_hardware *p, const struct port_access *ports)
{
	p->ports = ports;
	p->fresh = NR_PIC_LINES;
	pic_reset(&p->model);
	p->unread = true;
	p->owed = 0;
	for (u32 n = 0; n < 2; n++) {
		p->isr[n] = 0;
		p->model.chip[n].imr = in(p, DATA(n));
		p->unread = p->unread && p->model.chip[n].imr == ALL_LINES;
	}
	if (!p->unread)
		capture(p);
}

/* A request of the hardware, now in the model. An edge is a new one although the line was high. */
static void raise(struct pic_hardware *p, u8 line)
{
	pic_set_line(&p->model, line, false);
	pic_set_line(&p->model, line, true);
}

/* As far as the guest has got in it, if it is in the middle. False: it is. */
static bool write_icws(const struct pic_hardware *p, u32 n)
{
	const struct pic_chip *c = &p->model.chip[n];
	u8 next = c->next_icw;
	bool icw4 = next == 0 || c->wants_icw4;

	out(p, COMMAND(n), (u8)(ICW1 | (c->single ? ICW1_SINGLE : 0) | (icw4 ? ICW1_ICW4 : 0)));
	if (next == 2)
		return false;
	out(p, DATA(n), c->vector);
	if (next == 3)
		return false;
	if (!c->single)
		out(p, DATA(n), n == 1 ? PIC_CASCADE : c->cascaded ? BIT(PIC_CASCADE) : 0);
	if (next == 4)
		return false;
	out(p, DATA(n),
	    (u8)(ICW4_8086 | (c->auto_eoi ? ICW4_AUTO : 0) | (c->fully_nested ? ICW4_NESTED : 0)));
	return true;
}

/* Masked, until both are. */
static void program_chip(struct pic_hardware *p, u32 n)
{
	struct pic_chip *c = &p->model.chip[n];

	out(p, (u16)(PIC_ELCR + n), c->elcr);
	c->elcr = read_elcr(p, n);
	if (!write_icws(p, n))
		return;
	out(p, DATA(n), ALL_LINES);
	if (c->special_mask)
		out(p, COMMAND(n), PIC_OCW3_SPECIAL_MASK);
	if (c->auto_rotate)
		out(p, COMMAND(n), PIC_OCW2_AUTO_ROTATE);
	out(p, COMMAND(n), PIC_OCW2_SET_LOWEST | c->lowest);
	out(p, COMMAND(n), PIC_OCW3_READ_ISR);
}

static void pay(struct pic_hardware *p)
{
	const struct pic_chip *master = &p->model.chip[0];

	if (p->owed == 0 || (master->edge & BIT(0)))
		return;
	p->owed = master->imr & BIT(0) ? 0 : p->owed - 1;
	if (!(master->imr & BIT(0)))
		raise(p, 0);
}

/* The slave first, as its INT is the master's line. A line that is high without a request says
 * nothing here: the hardware has its own. */
void pic_hardware_begin(struct pic_hardware *p, const struct port_access *ports,
			const struct pic *model, u32 owed)
{
	*p = (struct pic_hardware){
		.ports = ports, .model = *model, .fresh = NR_PIC_LINES, .owed = owed};
	for (u32 n = 2; n-- > 0;) {
		struct pic_chip *c = &p->model.chip[n];

		c->level = false;
		c->line &= c->edge | (n == 0 ? BIT(PIC_CASCADE) : 0);
		p->lowest[n] = c->lowest;
		program_chip(p, n);
	}
	for (u32 n = 2; n-- > 0;)
		if (p->model.chip[n].next_icw == 0)
			out(p, DATA(n), p->model.chip[n].imr);
	pay(p);
}

/* An edge that only the model has is lost where all lines are masked: the guest uses other
 * controllers, and would never take it. */
bool pic_hardware_can_leave(const struct pic_hardware *p)
{
	bool waits_for = !pic_hardware_is_silent(p);

	if (p->ports == NULL)
		return true;
	for (u32 n = 0; n < 2; n++)
		if (p->isr[n] != p->model.chip[n].isr ||
		    (waits_for && pic_irr(&p->model.chip[n]) != 0))
			return false;
	return true;
}

void pic_hardware_leave(struct pic_hardware *p)
{
	for (u32 n = 0; n < 2 && p->ports != NULL && !p->unread; n++) {
		const struct pic_chip *c = &p->model.chip[n];

		if (!c->read_isr)
			out(p, COMMAND(n), PIC_OCW3_READ_IRR);
		if (c->poll)
			out(p, COMMAND(n), PIC_OCW3_POLL);
	}
	p->ports = NULL;
}

/* Between ICW1 and the last ICW the chip is the guest's alone. */
static bool is_starting(const struct pic_hardware *p, u32 n)
{
	return p->model.chip[n].next_icw != 0;
}

/* The line that came into service on one chip since Vellum looked last; -1: none. */
static int new_line(struct pic_hardware *p, u32 n)
{
	u8 isr = in(p, COMMAND(n));
	u8 fresh = isr & (u8)~p->isr[n];

	p->isr[n] = isr;
	return fresh != 0 ? __builtin_ctz(fresh) : -1;
}

/* With automatic EOI nothing is in service after the acknowledge: the vector has to do. */
static bool arrived_unseen(struct pic_hardware *p, u8 vector)
{
	for (u8 n = 0; n < 2; n++) {
		const struct pic_chip *c = &p->model.chip[n];

		if (c->auto_eoi && c->elcr == 0 && vector >= NR_EXCEPTIONS &&
		    (vector & ~(PIC_LINES_A_CHIP - 1)) == c->vector) {
			raise(p, LINE(n, vector % PIC_LINES_A_CHIP));
			return true;
		}
	}
	return false;
}

static void arrived_at(struct pic_hardware *p, u8 n, int bit, u8 vector)
{
	p->model.chip[n].vector = (u8)(vector & ~(PIC_LINES_A_CHIP - 1));
	p->fresh = LINE(n, (u8)bit);
	raise(p, p->fresh);
}

bool pic_hardware_is_silent(const struct pic_hardware *p)
{
	u8 masked = p->model.chip[0].imr;

	if (p->model.chip[1].imr == ALL_LINES)
		masked |= BIT(PIC_CASCADE);
	return masked == ALL_LINES;
}

bool pic_hardware_arrived(struct pic_hardware *p, u8 vector)
{
	int master, slave;

	if (p->ports == NULL || pic_hardware_is_silent(p) || is_starting(p, 0))
		return false;
	master = new_line(p, 0);
	slave = (p->isr[0] & BIT(PIC_CASCADE)) && !is_starting(p, 1) ? new_line(p, 1) : -1;
	if (slave >= 0)
		arrived_at(p, 1, slave, vector);
	else if (master >= 0 && master != PIC_CASCADE)
		arrived_at(p, 0, master, vector);
	else if (!arrived_unseen(p, vector)) {
		settle(p); /* a spurious one of the slave put the master's line 2 into service */
		return false;
	}
	settle(p);
	return true;
}

bool pic_hardware_is_low(const struct pic_hardware *p)
{
	const struct pic_chip *c = p->model.chip;

	if (p->ports == NULL)
		return false;
	return (c[0].vector < NR_EXCEPTIONS && (c[0].imr | BIT(PIC_CASCADE)) != ALL_LINES) ||
	       (c[1].vector < NR_EXCEPTIONS && c[1].imr != ALL_LINES);
}

bool pic_hardware_waits(const struct pic_hardware *p)
{
	return p->ports != NULL && pic_output(&p->model);
}

void pic_hardware_hold(struct pic_hardware *p)
{
	p->fresh = NR_PIC_LINES;
	if (p->ports != NULL)
		end(p, 0, tickets(p, 0) & BIT(PIC_CASCADE));
}

/* Whether the guest is to acknowledge what only the hardware knows of. */
static bool is_hardware_first(struct pic_hardware *p, u32 n)
{
	struct pic_chip both = with_hardware(p, n);
	int line = pic_request(&both);

	return line >= 0 && !(pic_irr(&p->model.chip[n]) & BIT(line));
}

/* Whether the hardware has something better than what the model is about to deliver, and could not
 * say so: behind an edge that the model has alone, or a ticket of the slave. Then it says so now.
 */
static bool must_wait(struct pic_hardware *p)
{
	u32 n = pic_request(&p->model.chip[0]) == PIC_CASCADE;
	int bit = pic_request(&p->model.chip[n]);
	u8 fresh = p->fresh;

	p->fresh = NR_PIC_LINES;
	if (!p->ended && (fresh == LINE(n, bit) || (n == 0 && (p->isr[0] & BIT(bit)))))
		return false;
	return is_hardware_first(p, 0) || (n == 1 && is_hardware_first(p, 1));
}

int pic_hardware_take(struct pic_hardware *p)
{
	int vector;

	if (p->ports == NULL || p->unread)
		return -1;
	p->ended = false;
	settle(p);
	if (!pic_output(&p->model) || must_wait(p)) {
		pic_hardware_hold(p);
		return -1;
	}
	vector = pic_acknowledge(&p->model);
	pay(p);
	settle(p);
	return vector;
}

static void write_command(struct pic_hardware *p, u32 n, u8 value)
{
	switch (value & PIC_COMMAND_KIND) {
	case PIC_OCW2:
		if ((value & PIC_OCW2_EOI) == 0)
			out(p, COMMAND(n), value);
		if ((value & PIC_OCW2_ACTION) == PIC_OCW2_SET_LOWEST)
			p->lowest[n] = p->model.chip[n].lowest;
		break;
	case PIC_OCW3:
		if (value & PIC_OCW3_SETS_MASK_MODE)
			out(p, COMMAND(n), value & PIC_OCW3_SPECIAL_MASK);
		break;
	default: /* ICW1 */
		p->isr[n] = 0;
		p->lowest[n] = p->model.chip[n].lowest;
		out(p, COMMAND(n), value);
		break;
	}
}

void pic_hardware_write(struct pic_hardware *p, u16 port, u8 value)
{
	u32 n = pic_chip_of(port);
	bool was_starting = is_starting(p, n);

	if (p->unread)
		capture(p);
	pic_write(&p->model, port, value);
	p->model.chip[n].level = false; /* ICW1's bit, which chips with an ELCR ignore */
	if (port >= PIC_ELCR) {
		out(p, port, value);
		p->model.chip[n].elcr = read_elcr(p, n);
	} else if (port & 1) {
		out(p, port, value);
		if (was_starting && !is_starting(p, n))
			out(p, COMMAND(n), PIC_OCW3_READ_ISR);
	} else {
		write_command(p, n, value);
	}
	settle(p);
}

/* The guest acknowledges by hand: what the CPU did for it already, or what the hardware has. */
static u8 poll(struct pic_hardware *p, u32 n)
{
	struct pic_chip *c = &p->model.chip[n];
	u8 value, bit;

	if (!is_hardware_first(p, n))
		return pic_read(&p->model, COMMAND(n));
	out(p, COMMAND(n), PIC_OCW3_POLL);
	value = in(p, COMMAND(n));
	if (!(value & PIC_POLL_REQUEST))
		return pic_read(&p->model, COMMAND(n));
	bit = value % PIC_LINES_A_CHIP;
	if (LINE(n, bit) == PIC_CASCADE) {
		pic_take(c, bit);
		c->poll = false;
	} else {
		raise(p, LINE(n, bit));
		value = pic_read(&p->model, COMMAND(n));
	}
	p->isr[n] |= (u8)(c->isr & BIT(bit));
	return value;
}

u8 pic_hardware_read(struct pic_hardware *p, u16 port)
{
	u32 n = pic_chip_of(port);
	const struct pic_chip *c = &p->model.chip[n];
	u8 value;

	if (p->unread)
		capture(p);
	if (is_starting(p, n))
		return in(p, port);
	settle(p);
	if (port < PIC_ELCR && c->poll) {
		value = poll(p, n);
	} else if (port == COMMAND(n) && !c->read_isr) {
		struct pic_chip chip = with_hardware(p, n);

		value = pic_irr(&chip);
	} else {
		value = pic_read(&p->model, port);
	}
	settle(p);
	return value;
}
