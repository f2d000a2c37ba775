// SPDX-License-Identifier: MIT
/*
 * The real MC146818 under a virtualized guest that owns it. Owns invariant I5
 * for it: its index may be Vellum's between two accesses of the guest, whose
 * own is here.
 *
 * Everything else stays in the hardware. Where within its second the clock is,
 * how far its periodic divider has come, and which interrupts wait (reading
 * register C ends them) cannot be captured, and the first two not be written
 * either. So the calendar, update cycle, alarm, periodic interrupt and line 8
 * are the real ones, and no second, alarm or edge is lost or told twice.
 */
#include "irq/rtc_hardware.h"

#define NMI_OFF 0x80 /* of the index port: not the clock's, kept as the guest has it */

static u8 in(const struct rtc_hardware *r, u16 port)
{
	return r->ports->in(r->ports->context, port);
}

static void set_index(struct rtc_hardware *r, u8 index)
{
	if (r->real != index)
		r->ports->out(r->ports->context, RTC_INDEX, index);
	r->real = index;
}

void rtc_hardware_enter(struct rtc_hardware *r, const struct port_access *ports)
{
	*r = (struct rtc_hardware){.ports = ports};
}

void rtc_hardware_leave(struct rtc_hardware *r)
{
	if (r->ports != NULL && r->is_known)
		set_index(r, r->index);
	r->ports = NULL;
}

void rtc_hardware_write(struct rtc_hardware *r, u16 port, u8 value)
{
	if (port == RTC_INDEX) {
		r->is_known = true;
		r->index = r->real = value;
	} else if (r->is_known) {
		set_index(r, r->index);
	}
	r->ports->out(r->ports->context, port, value);
}

u8 rtc_hardware_read(struct rtc_hardware *r, u16 port)
{
	if (r->is_known)
		set_index(r, r->index);
	return in(r, port);
}

int rtc_hardware_look(struct rtc_hardware *r, u8 reg)
{
	if (!r->is_known)
		return -1;
	set_index(r, (r->index & NMI_OFF) | reg);
	return in(r, RTC_DATA);
}
