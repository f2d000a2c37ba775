// SPDX-License-Identifier: MIT
/*
 * The real 16550 under a virtualized guest that owns it. Owns invariant I5 for
 * it: the guest's registers are here, and DATA and IER may be the divisor's
 * between two accesses of the guest, whatever its own LCR says.
 *
 * Characters stay in the hardware until the guest takes them, and are given to
 * it at once: FIFOs, shifters, loopback and modem lines are the real ones, and
 * so are the conditions that LSR, MSR and IIR tell, whose reading has effects.
 * Which bytes wait behind the first, the FIFO's trigger level and whether an
 * interrupt of an empty sender was told cannot be captured, and bytes once
 * taken out of a FIFO cannot be put back. So a model that has them could neither
 * begin nor end without losing or doubling one.
 */
#include "irq/uart_hardware.h"

#define NOBODY 0xff /* what all registers read as where there is no port; MCR has five bits */

static u8 in(const struct uart_hardware *u, u16 reg)
{
	return u->ports->in(u->ports->context, (u16)(u->base + reg));
}

static void out(const struct uart_hardware *u, u16 reg, u8 value)
{
	u->ports->out(u->ports->context, (u16)(u->base + reg), value);
}

static void set_lcr(struct uart_hardware *u, u8 lcr)
{
	if (u->real != lcr)
		out(u, UART_LCR, lcr);
	u->real = lcr;
}

static u16 read_divisor(struct uart_hardware *u)
{
	set_lcr(u, u->lcr | UART_LCR_DIVISOR);
	return (u16)(in(u, UART_DATA) | in(u, UART_IER) << 8);
}

static u8 read_ier(struct uart_hardware *u)
{
	set_lcr(u, u->lcr & (u8)~UART_LCR_DIVISOR);
	return in(u, UART_IER);
}

void uart_hardware_enter(struct uart_hardware *u, const struct port_access *ports, u16 base)
{
	*u = (struct uart_hardware){.ports = ports, .base = base};
	u->mcr = in(u, UART_MCR);
	if (u->mcr == NOBODY) {
		u->ports = NULL;
		return;
	}
	u->lcr = u->real = in(u, UART_LCR);
	u->scratch = in(u, UART_SCRATCH);
	u->divisor = read_divisor(u);
	u->ier = read_ier(u);
	set_lcr(u, u->lcr);
}

void uart_hardware_leave(struct uart_hardware *u)
{
	if (u->ports != NULL)
		set_lcr(u, u->lcr);
	u->ports = NULL;
}

/* What the hardware made of it: some registers have fewer bits than others. */
static void note_written(struct uart_hardware *u, u8 reg)
{
	if (reg == UART_LCR)
		u->lcr = u->real = in(u, UART_LCR);
	else if (reg == UART_MCR)
		u->mcr = in(u, UART_MCR);
	else if (reg == UART_SCRATCH)
		u->scratch = in(u, UART_SCRATCH);
	else if (reg <= UART_IER && (u->lcr & UART_LCR_DIVISOR))
		u->divisor = read_divisor(u);
	else if (reg == UART_IER)
		u->ier = read_ier(u);
}

void uart_hardware_write(struct uart_hardware *u, u8 reg, u8 value)
{
	set_lcr(u, u->lcr);
	out(u, reg, value);
	note_written(u, reg);
}

u8 uart_hardware_read(struct uart_hardware *u, u8 reg)
{
	bool divisor = (u->lcr & UART_LCR_DIVISOR) != 0;

	switch (reg) {
	case UART_DATA:
		set_lcr(u, u->lcr);
		return divisor ? (u8)u->divisor : in(u, UART_DATA);
	case UART_IER:
		return divisor ? (u8)(u->divisor >> 8) : u->ier;
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_SCRATCH:
		return u->scratch;
	default: /* reading them has effects */
		return in(u, reg);
	}
}

u16 uart_hardware_look(struct uart_hardware *u)
{
	return u->ports != NULL ? read_divisor(u) : 0;
}
