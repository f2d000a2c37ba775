/* SPDX-License-Identifier: MIT */
/*
 * The interval timer of a virtualized guest that owns the machine: what its
 * ports show between two accesses (latches, which byte comes next) is here,
 * what counts is the real one.
 */
#ifndef VELLUM_IRQ_PIT_HARDWARE_H
#define VELLUM_IRQ_PIT_HARDWARE_H

#include "irq/pic_hardware.h"
#include "irq/pit.h"

/** What an access to a counter leaves for the next one. */
struct pit_reader {
	u8 access;       /* 1: low byte, 2: high byte, 3: both */
	bool read_high;  /* the next byte read without a latch is the high one */
	u8 latched;      /* bytes of `latch` still to be read: bit 0 low, bit 1 high */
	bool torn;       /* one of two was read */
	bool has_status; /* `status` is to be read first */
	u8 status;
	u16 latch;
};

struct pit_hardware {
	const struct port_access *ports; /* NULL: the timer is left to the guest */
	struct pit_reader reader[NR_PIT_COUNTERS];
};

/**
 * Begin. Reads the status of the counters, and nothing of it can be noticed, provided that nobody
 * is between a latch command and the last byte of what it latched, or between two bytes.
 */
void pit_hardware_enter(struct pit_hardware *p, const struct port_access *ports);

/** Whether it can be given back: false while half of a latched count is read. */
bool pit_hardware_can_leave(const struct pit_hardware *p);

/** Give it back. A count that is latched and not yet read is latched anew. */
void pit_hardware_leave(struct pit_hardware *p);

/** A byte that the guest writes to or reads from one of the five ports of irq/pit.h. */
void pit_hardware_write(struct pit_hardware *p, u16 port, u8 value);
u8 pit_hardware_read(struct pit_hardware *p, u16 port);

/** Vellum's own look at a counter, which the guest does not notice. As the port shows it: with the
 * bytes that the counter's access has. */
u16 pit_hardware_look(const struct pit_hardware *p, u32 counter);

#endif
