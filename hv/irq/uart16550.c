// SPDX-License-Identifier: MIT
/*
 * The serial port: registers, two FIFOs, and the order in which its interrupts
 * are told.
 */
#include "irq/uart16550.h"

#include "lib/string.h"

#define IER_BITS       0x0f
#define MCR_BITS       0x1f
#define MSR_DELTAS     0x0f
#define MSR_RI         0x40
#define MSR_RI_FELL    0x04
#define MSR_READY      0xb0 /* DCD, DSR, CTS */
#define LSR_ERRORS     0x1e
#define LSR_FIFO_ERROR 0x80
#define FCR_ENABLE     0x01
#define FCR_CLEAR_IN   0x02
#define FCR_CLEAR_OUT  0x04
#define FCR_CLEAR      (FCR_CLEAR_IN | FCR_CLEAR_OUT)
#define FCR_KEPT       0xc9
#define LCR_8BITS      0x03
#define DATA_BITS(lcr) (5u + ((lcr)&3u))
#define MCR_DTR        0x01
#define MCR_RTS        0x02
#define MCR_OUT1       0x04

static bool has_fifo(const struct uart16550 *u)
{
	return (u->fcr & FCR_ENABLE) != 0;
}

static u32 capacity(const struct uart16550 *u)
{
	return has_fifo(u) ? UART_FIFO_SIZE : 1;
}

static void push(struct uart_fifo *f, u8 byte)
{
	f->byte[(f->first + f->count) % UART_FIFO_SIZE] = byte;
	f->count++;
}

static u8 pop(struct uart_fifo *f)
{
	u8 byte = f->byte[f->first];

	f->first = (u8)((f->first + 1) % UART_FIFO_SIZE);
	f->count--;
	return byte;
}

void uart16550_reset(struct uart16550 *u)
{
	memset(u, 0, sizeof(*u));
	u->lsr = UART_LSR_SENDER;
	u->msr = MSR_READY;
	u->divisor = 1;
}

u32 uart16550_room(const struct uart16550 *u)
{
	return u->in.count < capacity(u) ? capacity(u) - u->in.count : 0;
}

static void receive(struct uart16550 *u, u8 byte)
{
	u8 mask = (u8)((1u << DATA_BITS(u->lcr)) - 1);

	if (uart16550_room(u) == 0) {
		u->lsr |= UART_LSR_OVERRUN;
		if (has_fifo(u))
			return;
		u->in.count = 0; /* without FIFO the old one is lost */
	}
	push(&u->in, byte & mask);
	u->lsr |= UART_LSR_READY;
}

void uart16550_give(struct uart16550 *u, u8 byte)
{
	if (!(u->mcr & UART_MCR_LOOP))
		receive(u, byte);
}

int uart16550_take(struct uart16550 *u)
{
	int byte;

	if (u->out.count == 0)
		return UART_NO_BYTE;
	byte = pop(&u->out);
	if (u->out.count == 0) {
		u->lsr |= UART_LSR_SENDER;
		u->sender_emptied = true;
	}
	return byte;
}

static void send(struct uart16550 *u, u8 byte)
{
	u->sender_emptied = false;
	if (u->mcr & UART_MCR_LOOP) {
		receive(u, byte);
		u->sender_emptied = true;
		return;
	}
	if (u->out.count == capacity(u)) /* overwrites what was not sent */
		pop(&u->out);
	push(&u->out, byte);
	u->lsr &= (u8)~UART_LSR_SENDER;
}

/* Bytes in the receiver from which on it interrupts at once; fewer do so after a while. */
static u32 trigger_level(const struct uart16550 *u)
{
	static const u8 levels[] = {1, 4, 8, 14};

	return has_fifo(u) ? levels[u->fcr >> 6] : 1;
}

static u8 reason(const struct uart16550 *u)
{
	if ((u->ier & UART_IER_LINE) && (u->lsr & LSR_ERRORS))
		return UART_IIR_LINE;
	if ((u->ier & UART_IER_RECEIVE) && u->in.count >= trigger_level(u))
		return UART_IIR_RECEIVE;
	if ((u->ier & UART_IER_RECEIVE) && u->in.count > 0)
		return UART_IIR_TIMEOUT;
	if ((u->ier & UART_IER_SEND) && u->sender_emptied)
		return UART_IIR_SEND;
	if ((u->ier & UART_IER_MODEM) && (u->msr & MSR_DELTAS))
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

bool uart16550_line(const struct uart16550 *u)
{
	return reason(u) != UART_IIR_NONE && (u->mcr & UART_MCR_OUT2);
}

static void write_fcr(struct uart16550 *u, u8 value)
{
	if ((value ^ u->fcr) & FCR_ENABLE)
		value |= FCR_CLEAR_IN | FCR_CLEAR_OUT;
	if (value & FCR_CLEAR_IN) {
		u->in.count = 0;
		u->lsr &= (u8)~UART_LSR_READY;
	}
	if (value & FCR_CLEAR_OUT) {
		u->out.count = 0;
		u->lsr |= UART_LSR_SENDER;
		u->sender_emptied = true;
	}
	u->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void set_modem_lines(struct uart16550 *u, u8 lines)
{
	u8 changed = (u8)((lines ^ u->msr) & UART_MSR_LINES);
	u8 deltas = (u8)(changed >> 4 & ~MSR_RI_FELL);

	if ((changed & MSR_RI) && !(lines & MSR_RI))
		deltas |= MSR_RI_FELL;
	u->msr = (u8)((u->msr & MSR_DELTAS) | deltas | (lines & UART_MSR_LINES));
}

/* In loopback the outputs are the inputs: RTS is CTS, DTR DSR, OUT1 RI, OUT2 DCD. */
static void write_mcr(struct uart16550 *u, u8 value)
{
	u->mcr = value & MCR_BITS;
	if (u->mcr & UART_MCR_LOOP)
		set_modem_lines(u,
				(u8)((value & MCR_RTS ? 0x10 : 0) | (value & MCR_DTR ? 0x20 : 0) |
				     (value & MCR_OUT1 ? 0x40 : 0) |
				     (value & UART_MCR_OUT2 ? 0x80 : 0)));
	else
		set_modem_lines(u, MSR_READY);
}

static void write_ier(struct uart16550 *u, u8 value)
{
	/* Switching it on tells of an empty sender again. */
	if ((value & ~u->ier & UART_IER_SEND) && (u->lsr & UART_LSR_SENDER))
		u->sender_emptied = true;
	u->ier = value & IER_BITS;
}

void uart16550_write(struct uart16550 *u, u8 reg, u8 value)
{
	bool divisor = (u->lcr & UART_LCR_DIVISOR) != 0;

	switch (reg) {
	case UART_DATA:
		if (divisor)
			u->divisor = (u16)((u->divisor & 0xff00) | value);
		else
			send(u, value);
		break;
	case UART_IER:
		if (divisor)
			u->divisor = (u16)((u->divisor & 0xff) | value << 8);
		else
			write_ier(u, value);
		break;
	case UART_FCR:
		write_fcr(u, value);
		break;
	case UART_LCR:
		u->lcr = value;
		break;
	case UART_MCR:
		write_mcr(u, value);
		break;
	case UART_SCRATCH:
		u->scratch = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

static u8 read_data(struct uart16550 *u)
{
	u8 byte;

	if (u->in.count == 0)
		return 0;
	byte = pop(&u->in);
	if (u->in.count == 0)
		u->lsr &= (u8)~UART_LSR_READY;
	return byte;
}

static u8 read_iir(struct uart16550 *u)
{
	u8 what = reason(u);

	if (what == UART_IIR_SEND)
		u->sender_emptied = false;
	return what | (has_fifo(u) ? UART_IIR_FIFO : 0);
}

static u8 read_lsr(struct uart16550 *u)
{
	u8 value = u->lsr;

	u->lsr &= (u8) ~(LSR_ERRORS | LSR_FIFO_ERROR);
	return value;
}

static u8 read_msr(struct uart16550 *u)
{
	u8 value = u->msr;

	u->msr &= UART_MSR_LINES;
	return value;
}

u8 uart16550_read(struct uart16550 *u, u8 reg)
{
	bool divisor = (u->lcr & UART_LCR_DIVISOR) != 0;

	switch (reg) {
	case UART_DATA:
		return divisor ? (u8)u->divisor : read_data(u);
	case UART_IER:
		return divisor ? (u8)(u->divisor >> 8) : u->ier;
	case UART_IIR:
		return read_iir(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return read_lsr(u);
	case UART_MSR:
		return read_msr(u);
	default:
		return u->scratch;
	}
}

/* --- the hardware --- */

static u8 get(const struct port_access *h, u16 base, u16 reg)
{
	return h->in(h->context, (u16)(base + reg));
}

static void put(const struct port_access *h, u16 base, u16 reg, u8 value)
{
	h->out(h->context, (u16)(base + reg), value);
}

/* LSR is read last: reading it forgets the errors, which the model keeps. */
void uart16550_capture(struct uart16550 *u, const struct port_access *h, u16 base, u8 fcr)
{
	uart16550_reset(u);
	u->lcr = get(h, base, UART_LCR);
	u->mcr = get(h, base, UART_MCR) & MCR_BITS;
	u->scratch = get(h, base, UART_SCRATCH);
	put(h, base, UART_LCR, u->lcr | UART_LCR_DIVISOR);
	u->divisor = (u16)(get(h, base, UART_DATA) | get(h, base, UART_IER) << 8);
	put(h, base, UART_LCR, u->lcr & (u8)~UART_LCR_DIVISOR);
	u->ier = get(h, base, UART_IER) & IER_BITS;
	if ((get(h, base, UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO)
		u->fcr = (u8)((fcr & FCR_KEPT) | FCR_ENABLE);
	u->msr = get(h, base, UART_MSR);
	u->lsr = (u8)((get(h, base, UART_LSR) & ~UART_LSR_SENDER) | UART_LSR_SENDER);
	u->sender_emptied = true;
	for (u32 i = 0; i < UART_FIFO_SIZE && uart16550_room(u) > 0 && (u->lsr & UART_LSR_READY);
	     i++) {
		push(&u->in, get(h, base, UART_DATA));
		u->lsr = (u8)((u->lsr & ~UART_LSR_READY) | (get(h, base, UART_LSR) & 0x9f));
	}
	if (u->in.count > 0)
		u->lsr |= UART_LSR_READY;
	put(h, base, UART_LCR, u->lcr);
}

/* Reads of LSR, each about a microsecond on an ISA bus: longer than a byte takes at 300 baud. */
#define PATIENCE 50000u

static void await(const struct port_access *h, u16 base, u8 bits)
{
	for (u32 i = 0; i < PATIENCE && (get(h, base, UART_LSR) & bits) != bits; i++)
		;
}

/* At the highest rate, whatever the guest's is. */
static void receive_again(const struct uart16550 *u, const struct port_access *h, u16 base)
{
	if (u->in.count == 0)
		return;
	put(h, base, UART_MCR, UART_MCR_LOOP);
	for (u32 i = 0; i < u->in.count; i++) {
		put(h, base, UART_DATA, u->in.byte[(u->in.first + i) % UART_FIFO_SIZE]);
		await(h, base, UART_LSR_SENDER | UART_LSR_READY);
	}
}

static void set_divisor(const struct port_access *h, u16 base, u16 divisor)
{
	put(h, base, UART_LCR, UART_LCR_DIVISOR | LCR_8BITS);
	put(h, base, UART_DATA, (u8)divisor);
	put(h, base, UART_IER, (u8)(divisor >> 8));
	put(h, base, UART_LCR, LCR_8BITS);
}

bool uart16550_restore(const struct uart16550 *u, const struct port_access *h, u16 base)
{
	if (u->out.count > 0)
		return false;
	await(h, base, UART_LSR_SENDER);
	put(h, base, UART_LCR, LCR_8BITS);
	put(h, base, UART_IER, 0);
	set_divisor(h, base, 1);
	put(h, base, UART_FCR, (u8)(u->fcr | FCR_CLEAR));
	receive_again(u, h, base);
	set_divisor(h, base, u->divisor);
	put(h, base, UART_MCR, u->mcr);
	put(h, base, UART_SCRATCH, u->scratch);
	put(h, base, UART_LCR, u->lcr & (u8)~UART_LCR_DIVISOR);
	put(h, base, UART_IER, u->ier);
	/* Whether an empty sender was told already: reading this tells it. */
	if (!u->sender_emptied)
		get(h, base, UART_IIR);
	put(h, base, UART_LCR, u->lcr);
	return true;
}
