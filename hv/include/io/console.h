/* SPDX-License-Identifier: MIT */
/*
 * Vellum's own console: a 16550 UART and the VGA text screen, both polled.
 * They are used until the first guest is entered, which then owns them, and
 * again by a panic.
 */
#ifndef VELLUM_IO_CONSOLE_H
#define VELLUM_IO_CONSOLE_H

#include "lib/log.h"

extern const struct log_sink uart_sink;
extern const struct log_sink vga_sink;

/** Programs the UART at `port` to `baud`, 8n1. A port without a UART makes the sink drop text. */
void uart_init(u16 port, u32 baud);

/** Uses the text screen whose character cells stand at `cells` (va), 80 x 25; clears it. */
void vga_init(volatile u16 *cells);

/** The same screen at another va (Vellum's tables change at boot); the text stays. */
void vga_move(volatile u16 *cells);

#endif
