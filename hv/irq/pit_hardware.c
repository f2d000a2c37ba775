// SPDX-License-Identifier: MIT
/*
 * The real 8254 under a virtualized guest that owns it. Owns invariant I5 for
 * it: between two accesses of the guest no count and no status is latched in
 * the hardware, so Vellum may use its latches, and the guest's are here.
 *
 * The counting elements stay the real ones. An initial count cannot be read,
 * so a model that starts in the middle of a period does not know how long the
 * next is; and a period cannot be written, so one that ends would begin a new
 * one. Either loses ticks. As it is, counts, outputs and the edges of line 0
 * are the hardware's, in phase and at its rate, from before the layer of I/O
 * until behind it.
 *
 * What the guest writes is passed on byte by byte: the hardware's own idea of
 * which byte of a count comes next is the guest's.
 */
#include "irq/pit_hardware.h"

#define LOW_BYTE      1u
#define HIGH_BYTE     2u
#define READ_BACK     0xc0
#define BACK_OF(i)    ((u8)(READ_BACK | 2u << (i)))
#define NO_COUNT      0x20
#define NO_STATUS     0x10
#define ACCESS(code)  ((code) >> 4 & 3)
#define NUMBER(value) ((u32)(value) >> 6)

static u8 in(const struct pit_hardware *p, u16 port)
{
	return p->ports->in(p->ports->context, port);
}

static void out(const struct pit_hardware *p, u16 port, u8 value)
{
	p->ports->out(p->ports->context, port, value);
}

static u16 port_of(u32 counter)
{
	return (u16)(PIT_COUNTER + counter);
}

/* The bytes of a count that was latched. */
static u16 read_bytes(const struct pit_hardware *p, u32 i)
{
	u8 access = p->reader[i].access;
	u16 low = access & LOW_BYTE ? in(p, port_of(i)) : 0;

	return (u16)(low | (access & HIGH_BYTE ? in(p, port_of(i)) << 8 : 0));
}

u16 pit_hardware_look(const struct pit_hardware *p, u32 counter)
{
	out(p, PIT_CONTROL, (u8)(counter << 6));
	return read_bytes(p, counter);
}

void pit_hardware_enter(struct pit_hardware *p, const struct port_access *ports)
{
	*p = (struct pit_hardware){.ports = ports};
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++) {
		out(p, PIT_CONTROL, BACK_OF(i) | NO_COUNT);
		p->reader[i].access = ACCESS(in(p, port_of(i)));
	}
}

bool pit_hardware_can_leave(const struct pit_hardware *p)
{
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
		if (p->reader[i].torn)
			return false;
	return true;
}

static void give_back(const struct pit_hardware *p, u32 i)
{
	const struct pit_reader *r = &p->reader[i];
	u8 command = BACK_OF(i);

	if (r->latched == 0)
		command |= NO_COUNT;
	if (!r->has_status)
		command |= NO_STATUS;
	if (r->latched != 0 || r->has_status)
		out(p, PIT_CONTROL, command);
	else if (r->read_high)
		in(p, port_of(i));
}

void pit_hardware_leave(struct pit_hardware *p)
{
	for (u32 i = 0; i < NR_PIT_COUNTERS && p->ports != NULL; i++)
		give_back(p, i);
	p->ports = NULL;
}

/* What is latched already stays, as in the hardware. */
static void keep_count(struct pit_reader *r, u16 count)
{
	if (r->latched != 0)
		return;
	r->latch = count;
	r->latched = r->access;
	r->read_high = false;
	r->torn = false;
}

static void keep_status(struct pit_reader *r, u8 status)
{
	if (r->has_status)
		return;
	r->status = status;
	r->has_status = true;
}

/* Count and status of one moment. */
static void read_back(struct pit_hardware *p, u32 i, u8 what)
{
	struct pit_reader *r = &p->reader[i];

	out(p, PIT_CONTROL, BACK_OF(i) | what);
	if (!(what & NO_STATUS))
		keep_status(r, in(p, port_of(i)));
	if (!(what & NO_COUNT))
		keep_count(r, read_bytes(p, i));
}

static void write_control(struct pit_hardware *p, u8 value)
{
	u32 number = NUMBER(value);

	if (number == NR_PIT_COUNTERS) {
		for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
			if (value & 2u << i)
				read_back(p, i, value & (NO_COUNT | NO_STATUS));
	} else if (ACCESS(value) == 0) {
		keep_count(&p->reader[number], pit_hardware_look(p, number));
	} else {
		out(p, PIT_CONTROL, value);
		p->reader[number] = (struct pit_reader){.access = ACCESS(value)};
	}
}

void pit_hardware_write(struct pit_hardware *p, u16 port, u8 value)
{
	if (port == PIT_CONTROL)
		write_control(p, value);
	else
		out(p, port, value);
}

static u8 read_latched(struct pit_reader *r)
{
	bool low = (r->latched & LOW_BYTE) != 0;

	r->latched &= low ? (u8)~LOW_BYTE : 0;
	r->torn = r->latched != 0;
	return (u8)(low ? r->latch : r->latch >> 8);
}

static u8 read_counter(struct pit_hardware *p, u32 i)
{
	struct pit_reader *r = &p->reader[i];
	bool high = r->access == HIGH_BYTE || r->read_high;

	if (r->has_status) {
		r->has_status = false;
		return r->status;
	}
	if (r->latched != 0)
		return read_latched(r);
	if (r->access == (LOW_BYTE | HIGH_BYTE))
		r->read_high = !r->read_high;
	return (u8)(pit_hardware_look(p, i) >> (high ? 8 : 0));
}

u8 pit_hardware_read(struct pit_hardware *p, u16 port)
{
	if (port >= PIT_COUNTER && port < PIT_CONTROL)
		return read_counter(p, (u32)port - PIT_COUNTER);
	return in(p, port);
}
