/* SPDX-License-Identifier: MIT */
/*
 * A serial port of a virtualized guest that owns the machine: the registers
 * that hold what was written are here, characters, conditions and interrupts
 * are the real one's.
 */
#ifndef VELLUM_IRQ_UART_HARDWARE_H
#define VELLUM_IRQ_UART_HARDWARE_H

#include "irq/pic_hardware.h"
#include "irq/uart16550.h"

struct uart_hardware {
	const struct port_access *ports; /* NULL: the port is left to the guest */
	u16 base;
	u8 ier, lcr, mcr, scratch;
	u16 divisor;
	u8 real; /* LCR of the hardware */
};

/** Begin with the port at `base`, if there is one: `ports` stays NULL else. Its registers are read.
 */
void uart_hardware_enter(struct uart_hardware *u, const struct port_access *ports, u16 base);

/** Give it back. */
void uart_hardware_leave(struct uart_hardware *u);

/** A byte that the guest writes to or reads from register 0 .. 7 of irq/uart16550.h. */
void uart_hardware_write(struct uart_hardware *u, u8 reg, u8 value);
u8 uart_hardware_read(struct uart_hardware *u, u8 reg);

/** Vellum's own look at the divisor, which the guest does not notice. */
u16 uart_hardware_look(struct uart_hardware *u);

#endif
