/* SPDX-License-Identifier: MIT */
/*
 * The real-time clock of a virtualized guest that owns the machine: the index
 * that the guest wrote is here, time, memory and interrupts are the real one's.
 */
#ifndef VELLUM_IRQ_RTC_HARDWARE_H
#define VELLUM_IRQ_RTC_HARDWARE_H

#include "irq/pic_hardware.h"
#include "irq/rtc.h"

struct rtc_hardware {
	const struct port_access *ports; /* NULL: the clock is left to the guest */
	bool is_known;                   /* the guest has written an index since: */
	u8 index;
	u8 real; /* what the hardware has */
};

/** Begin. Touches nothing: the index that the hardware has cannot be read. */
void rtc_hardware_enter(struct rtc_hardware *r, const struct port_access *ports);

/** Give it back. */
void rtc_hardware_leave(struct rtc_hardware *r);

/** A byte that the guest writes to or reads from one of the two ports of irq/rtc.h. */
void rtc_hardware_write(struct rtc_hardware *r, u16 port, u8 value);
u8 rtc_hardware_read(struct rtc_hardware *r, u16 port);

/**
 * Vellum's own look at a register, which the guest does not notice; not at RTC_C, whose reading has
 * an effect. Negative before the guest has written an index.
 */
int rtc_hardware_look(struct rtc_hardware *r, u8 reg);

#endif
