/* SPDX-License-Identifier: MIT */
/*
 * Model of a 16550A serial port (National Semiconductor PC16550D data sheet).
 * Pure, and without time: a byte that is sent is gone as soon as the owner
 * takes it, and what the owner brings has arrived.
 */
#ifndef VELLUM_IRQ_UART16550_H
#define VELLUM_IRQ_UART16550_H

#include "irq/pic_hardware.h"
#include "lib/types.h"

/* Registers, by their offsets from the base port. */
#define UART_DATA     0 /* with UART_LCR_DIVISOR: the divisor's low byte */
#define UART_IER      1 /* its high byte */
#define UART_IIR      2 /* read */
#define UART_FCR      2 /* written */
#define UART_LCR      3
#define UART_MCR      4
#define UART_LSR      5
#define UART_MSR      6
#define UART_SCRATCH  7
#define NR_UART_PORTS 8

#define UART_LCR_DIVISOR 0x80
#define UART_IER_RECEIVE 0x01
#define UART_IER_SEND    0x02
#define UART_IER_LINE    0x04
#define UART_IER_MODEM   0x08
#define UART_MCR_OUT2    0x08 /* on a PC: connects its interrupt line */
#define UART_MCR_LOOP    0x10
#define UART_LSR_READY   0x01
#define UART_LSR_OVERRUN 0x02
#define UART_LSR_BREAK   0x10
#define UART_LSR_SENDER  0x60 /* holding register and shifter empty */
#define UART_IIR_NONE    0x01
#define UART_IIR_MODEM   0x00
#define UART_IIR_SEND    0x02
#define UART_IIR_RECEIVE 0x04
#define UART_IIR_LINE    0x06
#define UART_IIR_TIMEOUT 0x0c
#define UART_IIR_FIFO    0xc0
#define UART_MSR_LINES   0xf0 /* DCD, RI, DSR, CTS */

#define UART_FIFO_SIZE 16
#define UART_NO_BYTE   (-1)

struct uart_fifo {
	u8 byte[UART_FIFO_SIZE];
	u8 first, count;
};

struct uart16550 {
	u8 ier, fcr, lcr, mcr, lsr, msr, scratch;
	u16 divisor;
	bool sender_emptied; /* and neither IIR was read for it nor a byte written since */
	struct uart_fifo in, out;
};

/** After reset, with a modem that is ready. */
void uart16550_reset(struct uart16550 *u);

/** A byte to or from register 0 .. 7. Reads have effects. */
void uart16550_write(struct uart16550 *u, u8 reg, u8 value);
u8 uart16550_read(struct uart16550 *u, u8 reg);

/** The next byte that it sends, or UART_NO_BYTE. */
int uart16550_take(struct uart16550 *u);

/** Bring a byte; full receivers lose it and say so. */
void uart16550_give(struct uart16550 *u, u8 byte);

/** How many bytes uart16550_give() has room for. */
u32 uart16550_room(const struct uart16550 *u);

/** Its interrupt line. */
bool uart16550_line(const struct uart16550 *u);

/**
 * Capture the real one at `base`: what it has received is moved over, bytes being sent are the
 * hardware's still. Write-only are the FIFO's trigger level (taken as `fcr`, what its owner wrote,
 * or 0) and whether a sender interrupt was told already (taken as not).
 */
void uart16550_capture(struct uart16550 *u, const struct port_access *hardware, u16 base, u8 fcr);

/**
 * Program the real one, when it has sent what it had. Bytes received and not yet read get there by
 * its loopback. False, and nothing is done, as long as there are some to be sent here.
 */
bool uart16550_restore(const struct uart16550 *u, const struct port_access *hardware, u16 base);

#endif
