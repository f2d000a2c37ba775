// SPDX-License-Identifier: MIT
/*
 * The 16550 UART as a polled output device (PC16550D data sheet). Interrupts
 * of the UART stay off: the first guest finds it as after reset, but for speed
 * and format.
 */
#include "io/console.h"

#include "lib/x86.h"

#define UART_DATA        0
#define UART_IER         1
#define UART_FCR         2
#define UART_LCR         3
#define UART_MCR         4
#define UART_LSR         5
#define UART_SCRATCH     7
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define FCR_ENABLE_CLEAR 0x07
#define MCR_DTR_RTS      0x03
#define LSR_THR_EMPTY    0x20
#define UART_CLOCK       115200u

#define WAIT_TRIES 100000u /* some 100 ms */

static u16 uart_port;
static bool uart_stuck; /* did not take a character in time: do not wait for the next ones */

static bool uart_present(u16 port)
{
	outb(port + UART_SCRATCH, 0x5a);
	return inb(port + UART_SCRATCH) == 0x5a;
}

void uart_init(u16 port, u32 baud)
{
	u32 divisor = baud == 0 ? 1 : UART_CLOCK / baud;

	uart_port = 0;
	if (!uart_present(port))
		return;
	outb(port + UART_IER, 0);
	outb(port + UART_LCR, LCR_DLAB | LCR_8N1);
	outb(port + UART_DATA, (u8)divisor);
	outb(port + UART_IER, (u8)(divisor >> 8));
	outb(port + UART_LCR, LCR_8N1);
	outb(port + UART_FCR, FCR_ENABLE_CLEAR);
	outb(port + UART_MCR, MCR_DTR_RTS);
	uart_port = port;
}

static void uart_put_raw(u8 c)
{
	u32 tries = uart_stuck ? 1 : WAIT_TRIES;

	/* A line that is stuck (no carrier, flow control) must not hang the boot. */
	while (tries > 0 && !(inb(uart_port + UART_LSR) & LSR_THR_EMPTY))
		tries--;
	uart_stuck = tries == 0;
	outb(uart_port + UART_DATA, c);
}

static void uart_put(char c)
{
	if (uart_port == 0)
		return;
	if (c == '\n')
		uart_put_raw('\r');
	uart_put_raw((u8)c);
}

const struct log_sink uart_sink = {.put = uart_put};
