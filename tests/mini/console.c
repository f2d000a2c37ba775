// SPDX-License-Identifier: MIT
/*
 * The serial console. In passthrough the UART is the guest's own: these port
 * accesses reach the hardware, and Vellum keeps its hands off it from the
 * guest's entry on. Polled, so that it works with interrupts off and in panics.
 */
#include "mini/console.h"

#include "lib/print.h"
#include "mini/cpu.h"

#define UART             0x3f8
#define UART_DATA        (UART + 0)
#define UART_IER         (UART + 1)
#define UART_FCR         (UART + 2)
#define UART_LCR         (UART + 3)
#define UART_MCR         (UART + 4)
#define UART_LSR         (UART + 5)
#define LCR_8N1          0x03
#define LCR_DIVISOR      0x80 /* DATA and IER are the divisor while set */
#define FCR_ENABLE_CLEAR 0x07
#define MCR_DTR_RTS      0x03
#define LSR_THR_EMPTY    0x20

void console_init(void)
{
	out8(UART_IER, 0);
	out8(UART_LCR, LCR_8N1 | LCR_DIVISOR);
	out8(UART_DATA, 1);
	out8(UART_IER, 0);
	out8(UART_LCR, LCR_8N1);
	out8(UART_FCR, FCR_ENABLE_CLEAR);
	out8(UART_MCR, MCR_DTR_RTS);
}

static void put(char c)
{
	/* Bounded, so that a machine without the port still gets through its tests. */
	for (int i = 0; i < 100000 && !(in8(UART_LSR) & LSR_THR_EMPTY); i++)
		;
	out8(UART_DATA, (u8)c);
}

void vprint(const char *fmt, va_list ap)
{
	char text[512];

	vl_vsnprintf(text, sizeof(text), fmt, ap);
	for (const char *p = text; *p != 0; p++) {
		if (*p == '\n')
			put('\r');
		put(*p);
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}
