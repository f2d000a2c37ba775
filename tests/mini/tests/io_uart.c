// SPDX-License-Identifier: MIT
/*
 * The serial port, whose loopback makes a stream of bytes without anybody at
 * the other end, while the layer of I/O comes and goes. The port is this
 * kernel's console: nothing may be printed meanwhile.
 */
#include "lib/string.h"
#include "mini/irq.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/tests/io.h"
#include "mini/tests/random.h"

#define IER_RECEIVE 0x01
#define IER_SEND    0x02
#define FCR_ON      0x01
#define FCR_CLEAR   0x06
#define MCR_OUT2    0x08
#define LSR_READY   0x01
#define LSR_EMPTY   0x20
#define LSR_IDLE    0x40
#define IIR_NONE    0x01
#define IIR_SEND    0x02
#define IIR_REASON  0x0e
#define IIR_RECEIVE 0x04
#define IIR_TIMEOUT 0x0c
#define LINE_UART   4
#define FIFO        16
#define BYTES       4000u
#define MS_LIMIT    5000u

static struct {
	u8 ier, lcr, mcr;
} kept;

static u8 get(u16 reg)
{
	return in8((u16)(UART + reg));
}

static void put(u16 reg, u8 value)
{
	out8((u16)(UART + reg), value);
}

static void wait_for_lsr(u8 bits)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	while ((get(LSR) & bits) != bits && rdtsc() < limit)
		;
}

static void begin(void)
{
	io_begin();
	wait_for_lsr(LSR_EMPTY | LSR_IDLE);
	kept.ier = get(IER);
	kept.lcr = get(LCR);
	kept.mcr = get(MCR);
	put(MCR, MCR_LOOP | MCR_OUT2 | 0x03);
	put(FCR, FCR_ON | FCR_CLEAR);
	get(MSR);
}

/* A failure is printed: the port first. */
static void end(void)
{
	wait_for_lsr(LSR_EMPTY | LSR_IDLE);
	put(IER, kept.ier);
	put(LCR, kept.lcr);
	put(FCR, FCR_ON | FCR_CLEAR);
	put(MCR, kept.mcr);
	get(MSR);
	io_end();
}

#define UCHECK(cond, ...)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			end();                                                                     \
			test_fail(__VA_ARGS__);                                                    \
		}                                                                                  \
	} while (0)

/* Bytes stand in the FIFO, in any number, when the layer comes and goes; each arrives once. */
TEST(io_uart_stream, "I8 I10")
{
	u64 random = 5, limit = rdtsc() + tsc_per_ms() * MS_LIMIT * 4;
	u64 out = 11, in = 11; /* the same numbers are sent and expected */
	u32 sent = 0, got = 0, switches = 0;

	begin();
	while (got < BYTES) {
		u32 n = (u32)random_below(&random, FIFO + 1);
		u8 byte, want;

		UCHECK(rdtsc() < limit, "%u of %u bytes in time", got, sent);
		for (; sent < BYTES && n > 0 && sent - got < FIFO; n--, sent++) {
			wait_for_lsr(LSR_EMPTY);
			put(0, (u8)random_next(&out));
		}
		if (random_below(&random, 4) == 0)
			io_set(switches++ % 2 == 0);
		for (n = (u32)random_below(&random, FIFO + 1); n > 0 && got < sent; n--, got++) {
			wait_for_lsr(LSR_READY);
			byte = get(0);
			want = (u8)random_next(&in);
			UCHECK(byte == want, "byte %u was %#x, is %#x", got, want, byte);
		}
	}
	UCHECK(!(get(LSR) & LSR_READY), "more bytes came than were sent");
	UCHECK(switches > 100, "only %u switches", switches);
	end();
}

static volatile u32 received, emptied, idle;
static u8 heard[BYTES];

/* As drivers do: until there is no reason any more. */
static void on_uart(const struct trap_frame *frame)
{
	u8 iir;

	(void)frame;
	while (!((iir = get(IIR)) & IIR_NONE)) {
		u8 why = iir & IIR_REASON;

		if (why == IIR_SEND) {
			emptied++;
			put(IER, IER_RECEIVE);
		} else if (why == IIR_RECEIVE || why == IIR_TIMEOUT) {
			u8 byte = get(0);

			if (received < BYTES)
				heard[received] = byte;
			received++;
		} else {
			idle++;
			get(LSR);
			get(MSR);
		}
	}
}

static void switch_layer(void)
{
	io_set(!io_is_on());
}

static void wait_until(const volatile u32 *count, u32 want, u64 limit)
{
	interrupts_on();
	while (*count < want && rdtsc() < limit)
		asm volatile("pause");
	interrupts_off();
}

/* The same by interrupts, of a receiver and of a sender that is empty. */
TEST(io_uart_interrupts, "I8 I3 I10")
{
	u64 random = 8, limit = rdtsc() + tsc_per_ms() * MS_LIMIT * 4;
	u32 asked = 0;

	received = emptied = idle = 0;
	begin();
	irq_set_handler(LINE_UART, on_uart);
	put(IER, IER_RECEIVE);
	for (u32 sent = 0; sent < 1000; sent++) {
		wait_for_lsr(LSR_EMPTY);
		put(0, (u8)(sent * 7));
		if (random_below(&random, 4) == 0)
			switch_layer();
		wait_until(&received, sent + 1, limit);
		/* Not both at once: in Bochs reading IIR ends the second reason with the first. */
		if (random_below(&random, 4) == 0) {
			put(IER, IER_SEND);
			asked++;
			if (random_below(&random, 2) == 0)
				switch_layer();
			wait_until(&emptied, asked, limit);
		}
		UCHECK(received == sent + 1, "%u bytes of %u", received, sent + 1);
		UCHECK(emptied == asked, "%u empty senders, %u asked", emptied, asked);
	}
	UCHECK(idle == 0, "%u interrupts for nothing that was asked", idle);
	for (u32 i = 0; i < received; i++)
		UCHECK(heard[i] == (u8)(i * 7), "byte %u is %#x", i, heard[i]);
	put(IER, 0);
	end();
	irq_set_handler(LINE_UART, NULL);
}

/* An interrupt that is requested on one side and taken on the other comes once. */
TEST(io_uart_pending, "I8 I3")
{
	begin();
	irq_set_handler(LINE_UART, on_uart);
	for (u32 i = 0; i < 16; i++) {
		received = emptied = idle = 0;
		put(IER, IER_RECEIVE);
		put(0, (u8)i);
		wait_for_lsr(LSR_READY);
		io_set(i % 2 == 0);
		UCHECK(received == 0 || i % 2 != 0, "it came with interrupts off");
		interrupts_on();
		delay_ms(1);
		interrupts_off();
		UCHECK(received == 1 && heard[0] == (u8)i, "%u bytes, %#x", received, heard[0]);
	}
	put(IER, 0);
	end();
	irq_set_handler(LINE_UART, NULL);
}

/* Divisor, format, modem control: written on one side, read on the other. */
TEST(io_uart_registers, "I8 I10")
{
	u16 divisor;

	begin();
	put(LCR, LCR_DIVISOR | kept.lcr);
	divisor = (u16)(get(0) | get(IER) << 8);
	for (u32 i = 0; i < 16; i++) {
		u16 want = (u16)(0x101 * (i + 1)), shown;
		u8 mcr = (u8)(MCR_LOOP | i), lcr = (u8)(LCR_DIVISOR | i * 2), msr;

		put(LCR, LCR_DIVISOR);
		put(0, (u8)want);
		put(IER, (u8)(want >> 8));
		put(LCR, lcr);
		put(SCRATCH, (u8)(0x3c ^ i));
		io_set(i % 2 == 0);
		shown = (u16)(get(0) | get(IER) << 8);
		put(MCR, mcr);
		UCHECK(shown == want, "the divisor was %#x, is %#x", want, shown);
		UCHECK(get(LCR) == lcr, "LCR was %#x, is %#x", lcr, get(LCR));
		UCHECK(get(SCRATCH) == (0x3c ^ i), "SCRATCH is %#x", get(SCRATCH));
		put(LCR, 0x03);
		put(IER, (u8)(i & 0x0c));
		UCHECK(get(IER) == (i & 0x0c) && get(MCR) == mcr, "IER %#x MCR %#x", get(IER),
		       get(MCR));
		msr = get(MSR);
		UCHECK((msr & 0xf0) == ((i & 2) << 3 | (i & 1) << 5 | (i & 4) << 4 | (i & 8) << 4),
		       "MSR %#x for MCR %#x", msr, mcr);
		put(IER, 0);
	}
	put(LCR, LCR_DIVISOR);
	put(0, (u8)divisor);
	put(IER, (u8)(divisor >> 8));
	put(LCR, 0x03);
	end();
}

/* An overrun is told once, by whichever side reads LSR first. */
TEST(io_uart_overrun, "I8 I10")
{
	begin();
	for (u32 i = 0; i < 4; i++) {
		put(FCR, FCR_ON | FCR_CLEAR);
		get(LSR);
		for (u32 n = 0; n < FIFO + 2; n++) {
			wait_for_lsr(LSR_EMPTY | LSR_IDLE);
			put(0, (u8)n);
		}
		for (u64 t = rdtsc() + tsc_per_ms() * 3; rdtsc() < t;)
			;
		io_set(i % 2 == 0);
		for (u32 n = 0; n < FIFO; n++) {
			u8 byte = get(0);

			UCHECK(byte == n || (n == FIFO - 1 && byte >= n), "byte %u is %#x", n,
			       byte);
		}
		get(LSR);
		UCHECK(!(get(LSR) & (LSR_READY | 0x02)), "LSR is %#x", get(LSR));
	}
	end();
}

/* By strings and wide accesses, which reach a device of bytes byte by byte. */
TEST(io_wide, "I8 I2")
{
	static u8 text[FIFO + 1] = "0123456789abcdef", back[FIFO + 1];
	const u8 *from = text;
	u8 *to = back;
	u64 count = FIFO;
	u16 two;

	begin();
	io_set(true);
	asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(UART) : "memory");
	UCHECK(count == 0 && from == text + FIFO, "OUTS ended at %lu", count);
	for (u64 t = rdtsc() + tsc_per_ms() * 3; rdtsc() < t;)
		;
	count = FIFO;
	asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(UART) : "memory");
	UCHECK(count == 0 && to == back + FIFO, "INS ended at %lu", count);
	UCHECK(memcmp(text, back, FIFO) == 0, "another text came back: %s", (const char *)back);
	put(SCRATCH, 0x5a);
	asm volatile("inw %w1, %w0" : "=a"(two) : "Nd"((u16)(UART + MSR)));
	UCHECK(two >> 8 == 0x5a, "MSR and SCRATCH are %#x", two);
	asm volatile("outw %w0, %w1" : : "a"((u16)0x9103), "Nd"((u16)(UART + LCR)));
	UCHECK(get(LCR) == 0x03 && get(MCR) == 0x11, "LCR %#x MCR %#x", get(LCR), get(MCR));
	/* index and data of the clock at once */
	asm volatile("outw %w0, %w1" : : "a"((u16)0x3701), "Nd"((u16)0x70));
	UCHECK(in8(0x71) == 0x37, "the alarm is %#x", in8(0x71));
	end();
}
