// SPDX-License-Identifier: MIT
/*
 * The board of a later domain. The models know nothing of each other; here are
 * the wires between them, and what is asked when. Every access ends in
 * settle(), which carries lines over and finds out what a CPU would take and
 * when to look again; only what was touched, or is due, is asked. The board's
 * lines lead to CPU 0, whoever accesses it.
 *
 * Ticks of the interval timer that pass while the guest does not run, or has
 * its interrupts off, are caught up with, so that a kernel that counts them
 * keeps time; up to MOST_LATE, and while line 0 is masked not at all.
 */
#include "irq/platform.h"

#include "lib/string.h"
#include "lib/x86.h"

#define ABSENT    0xffu
#define MOST_LATE 100u

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_PULSE   0xf0 /* pulses the output lines whose bits are 0; bit 0 is the reset's */
#define FAST_A20         0x92
#define A20_ON           0x02
#define A20_RESET        0x01
#define PCI_ADDRESS      0xcf8 /* as 32 bits, and then its second byte is not: */
#define RESET_CONTROL    0xcf9
#define RESET_NOW        0x04

#define APIC_VERSION   0x50014u /* five entries behind the timer's, as P6's have */
#define APIC_SPURIOUS  0x0fu
#define LVT_EXTINT     ((u32)LAPIC_EXTINT << 8)
#define LVT_NMI        ((u32)LAPIC_NMI << 8)
#define BIT(n)         (1u << (n))
#define TOUCHES_TIMERS (BIT(PLATFORM_PIT) | BIT(PLATFORM_RTC))
#define TOUCHES_UART   BIT(NR_PLATFORM_SOURCES) /* which knows no time */
#define TIMER_LINES    0x05u                    /* of either 8259: PIT and cascade, or RTC */
#define BOOT_CPU       0u

/* --- the wires --- */

static bool is_masked(const struct platform *p, u8 line)
{
	const struct pic_chip *master = &p->pic.chip[0], *slave = &p->pic.chip[1];

	if (line < PIC_LINES_A_CHIP)
		return (master->imr >> line & 1) != 0;
	return (master->imr >> PIC_CASCADE & 1) != 0 ||
	       (slave->imr >> (line - PIC_LINES_A_CHIP) & 1) != 0;
}

/* The next tick waits until this one was acknowledged, and a masked line owes one at most. Until
 * then there is no need to look. */
static void run_pit(struct platform *p)
{
	const struct pic_chip *master = &p->pic.chip[0];
	bool masked = is_masked(p, PLATFORM_LINE_PIT);

	p->late = min_u64(p->late + pit_ticks(&p->pit, p->now), MOST_LATE);
	if (p->late > 0 && !(master->edge & BIT(PLATFORM_LINE_PIT))) {
		pic_set_line(&p->pic, PLATFORM_LINE_PIT, false);
		pic_set_line(&p->pic, PLATFORM_LINE_PIT, true);
		p->late--;
	}
	p->late = masked ? 0 : p->late;
	p->due[PLATFORM_PIT] = masked || (master->edge & BIT(PLATFORM_LINE_PIT))
				       ? CLOCK_NEVER
				       : pit_deadline(&p->pit, p->now);
}

static void run_rtc(struct platform *p)
{
	pic_set_line(&p->pic, PLATFORM_LINE_RTC, rtc_line(&p->rtc, p->now));
	p->due[PLATFORM_RTC] =
		is_masked(p, PLATFORM_LINE_RTC) ? CLOCK_NEVER : rtc_deadline(&p->rtc, p->now);
}

/* It waits until somebody says that it does not: platform_set_work(). */
static void run_work(struct platform *p)
{
	(void)p;
}

/* A periodic timer whose interrupt was not taken yet adds nothing to it. */
static void run_apic(struct platform_cpu *c, u64 now)
{
	lapic_advance(&c->lapic, now);
	c->due = lapic_has(c->lapic.irr, (u8)c->lapic.lvt[LVT_TIMER]) ? CLOCK_NEVER
								      : lapic_deadline(&c->lapic);
}

/* What is typed stays in the ring until a driver of the port wants it: a guest that reads its
 * console by calls never does. */
static void receive(struct platform *p, bool wanted)
{
	struct uart16550 *u = &p->uart;

	if (!wanted || (u->mcr & UART_MCR_LOOP))
		return;
	while (uart16550_room(u) > 0 && p->in.start != p->in.end)
		uart16550_give(u, (u8)ring_take(&p->in));
}

/* The line falls before a byte is taken, which raises it: an 8259 counts edges. */
static void send(struct platform *p)
{
	int byte;

	pic_set_line(&p->pic, PLATFORM_LINE_UART, uart16550_line(&p->uart));
	while ((byte = uart16550_take(&p->uart)) != UART_NO_BYTE)
		ring_put(&p->out, (u8)byte);
	pic_set_line(&p->pic, PLATFORM_LINE_UART, uart16550_line(&p->uart));
}

static void settle_board(struct platform *p, u32 touched)
{
	static void (*const run[NR_PLATFORM_SOURCES])(struct platform * p) = {
		[PLATFORM_PIT] = run_pit,
		[PLATFORM_RTC] = run_rtc,
		[PLATFORM_WORK] = run_work,
	};

	for (u32 i = 0; i < NR_PLATFORM_SOURCES; i++)
		if ((touched & BIT(i)) || p->now >= p->due[i])
			run[i](p);
	if (touched & TOUCHES_UART) {
		receive(p, (p->uart.ier & UART_IER_RECEIVE) != 0);
		send(p);
	}
	lapic_set_lint(&p->cpu[BOOT_CPU].lapic, 0, pic_output(&p->pic));
}

static u64 deadline_of(const struct platform *p, u32 cpu)
{
	u64 deadline = p->cpu[cpu].due;

	for (u32 i = 0; cpu == BOOT_CPU && i < NR_PLATFORM_SOURCES; i++)
		deadline = min_u64(deadline, p->due[i]);
	return deadline;
}

static void settle_cpu(struct platform *p, u32 cpu, bool touched)
{
	struct platform_cpu *c = &p->cpu[cpu];
	bool waited = c->waits;
	u64 before = c->deadline;

	if (touched || p->now >= c->due)
		run_apic(c, p->now);
	c->deadline = deadline_of(p, cpu);
	c->nmi |= c->lapic.nmi;
	c->lapic.nmi = false;
	c->waits = lapic_request(&c->lapic) >= 0 || lapic_passes_extint(&c->lapic);
	if ((c->waits && !waited) || c->nmi || c->deadline != before)
		p->changed |= BIT(cpu);
}

/* What an access to the board changes for a CPU, it changes for CPU 0. */
static void settle(struct platform *p, u32 touched)
{
	settle_board(p, touched);
	settle_cpu(p, BOOT_CPU, false);
}

static void settle_one(struct platform *p, u32 cpu, bool touched)
{
	if (cpu == BOOT_CPU)
		settle_board(p, 0);
	settle_cpu(p, cpu, touched);
}

static void see(struct platform *p, u64 now)
{
	p->now = max_u64(p->now, now);
}

/* Among those that a message is for. */
static bool is_for(const struct platform *p, u32 from, u32 to, u64 icr)
{
	u32 shorthand = LAPIC_ICR_SHORTHAND(icr);

	if (shorthand != 0)
		return to == from ? shorthand != LAPIC_TO_OTHERS : shorthand != LAPIC_TO_SELF;
	return lapic_is_destination(&p->cpu[to].lapic, (u8)(icr >> 56),
				    (icr & LAPIC_ICR_LOGICAL) != 0);
}

/* In arbitration, which the lowest priority asks for. */
static bool takes_part(const struct platform *p, u32 cpu)
{
	return (p->cpu[cpu].lapic.svr & LAPIC_ENABLED) != 0;
}

/* What was for the sender, too, it has taken; and of the lowest priority one takes it. INIT and
 * SIPI start nobody here, see the call vcpu_start; and there is no SMM. */
static void send_message(struct platform *p, u32 from, u64 icr)
{
	enum lapic_delivery mode = LAPIC_MODE((u32)icr);

	if (mode != LAPIC_FIXED && mode != LAPIC_LOWEST && mode != LAPIC_NMI)
		return;
	if (mode == LAPIC_LOWEST && is_for(p, from, from, icr) && takes_part(p, from))
		return;
	for (u32 to = 0; to < p->nr_cpus; to++) {
		if (to == from || !is_for(p, from, to, icr) ||
		    (mode == LAPIC_LOWEST && !takes_part(p, to)))
			continue;
		lapic_deliver(&p->cpu[to].lapic, mode, (u8)icr, false);
		settle_one(p, to, false);
		if (mode == LAPIC_LOWEST)
			return;
	}
}

static void set_register(struct platform *p, u32 cpu, u32 offset, u32 value)
{
	struct lapic_effect effect; /* there is no IOAPIC */

	lapic_write(&p->cpu[cpu].lapic, offset, value, p->now, &effect);
	if (effect.others)
		send_message(p, cpu, effect.icr);
}

static void init_apics(struct platform *p, const struct platform_kind *kind)
{
	const struct lapic_kind apic = {.version = APIC_VERSION,
					.has_deadline = kind->has_deadline};

	for (u32 i = 0; i < p->nr_cpus; i++) {
		lapic_reset(&p->cpu[i].lapic, &apic, (u8)i, kind->bus);
		p->cpu[i].due = p->cpu[i].deadline = CLOCK_NEVER;
	}
	set_register(p, BOOT_CPU, LAPIC_SVR, LAPIC_ENABLED | APIC_SPURIOUS);
	set_register(p, BOOT_CPU, LAPIC_LINT0, LVT_EXTINT);
	set_register(p, BOOT_CPU, LAPIC_LINT1, LVT_NMI);
}

void platform_init(struct platform *p, const struct platform_kind *kind, u32 nr_cpus, u64 seconds,
		   u64 now)
{
	memset(p, 0, platform_size(nr_cpus));
	p->now = now;
	p->nr_cpus = nr_cpus;
	p->due[PLATFORM_WORK] = CLOCK_NEVER;
	ring_init(&p->out, p->out_byte, sizeof(p->out_byte));
	ring_init(&p->in, p->in_byte, sizeof(p->in_byte));
	pic_reset(&p->pic);
	pit_reset(&p->pit, kind->pit, now);
	rtc_reset(&p->rtc, kind->rtc, seconds, now);
	uart16550_reset(&p->uart);
	init_apics(p, kind);
	settle(p, TOUCHES_TIMERS | TOUCHES_UART);
	p->changed = 0;
}

/* --- ports --- */

static bool is_pic(u16 port)
{
	u16 first = port & (u16)~1u;

	return first == PIC_MASTER || first == PIC_SLAVE || first == PIC_ELCR;
}

static bool is_pit(u16 port)
{
	return (port >= PIT_COUNTER && port <= PIT_CONTROL) || port == PIT_GATE;
}

static bool is_rtc(u16 port)
{
	return port == RTC_INDEX || port == RTC_DATA;
}

static bool is_uart(u16 port)
{
	return port >= PLATFORM_UART && port < PLATFORM_UART + NR_UART_PORTS;
}

/* Whether a write to an 8259 says something of lines whose timers wait for it. What interrupts of
 * others are made of, an end and masks of other lines, says nothing. */
static bool tells_timers(const struct platform *p, u16 port, u8 value)
{
	const struct pic_chip *c = &p->pic.chip[pic_chip_of(port)];

	if (port >= PIC_ELCR || c->next_icw != 0)
		return true;
	if (port & 1)
		return ((c->imr ^ value) & TIMER_LINES) != 0;
	return (value & PIC_COMMAND_KIND) != PIC_OCW2;
}

/* Whose deadline a read changes: of an 8259 one that acknowledges. Reading a counter, as kernels do
 * in a loop, changes none. */
static u32 touched_by_read(const struct platform *p, u16 port)
{
	if (is_pic(port) && port < PIC_ELCR && p->pic.chip[pic_chip_of(port)].poll)
		return TOUCHES_TIMERS;
	if (is_uart(port))
		return TOUCHES_UART;
	return is_rtc(port) ? BIT(PLATFORM_RTC) : 0;
}

static u32 touched_by_write(const struct platform *p, u16 port, u8 value)
{
	if (is_pic(port))
		return tells_timers(p, port, value) ? TOUCHES_TIMERS : 0;
	if (is_uart(port))
		return TOUCHES_UART;
	if (is_rtc(port))
		return BIT(PLATFORM_RTC);
	return is_pit(port) ? BIT(PLATFORM_PIT) : 0;
}

static u8 read_byte(struct platform *p, u16 port)
{
	if (is_pic(port))
		return pic_read(&p->pic, port);
	if (is_pit(port))
		return pit_read(&p->pit, port, p->now);
	if (is_rtc(port))
		return rtc_read(&p->rtc, port, p->now);
	if (is_uart(port)) {
		receive(p, true);
		return uart16550_read(&p->uart, (u8)(port - PLATFORM_UART));
	}
	if (port == FAST_A20)
		return A20_ON;
	return port == RESET_CONTROL ? p->reset_control : ABSENT;
}

static void write_pit(struct platform *p, u16 port, u8 value)
{
	/* A counter that is programmed anew owes nothing of before. */
	p->late += pit_ticks(&p->pit, p->now);
	if (port == PIT_COUNTER || (port == PIT_CONTROL && value >> 6 == 0 && (value & 0x30) != 0))
		p->late = 0;
	pit_write(&p->pit, port, value, p->now);
}

static void write_byte(struct platform *p, u16 port, u8 value)
{
	if (is_pic(port)) {
		pic_write(&p->pic, port, value);
	} else if (is_pit(port)) {
		write_pit(p, port, value);
	} else if (is_rtc(port)) {
		rtc_write(&p->rtc, port, value, p->now);
	} else if (is_uart(port)) {
		uart16550_write(&p->uart, (u8)(port - PLATFORM_UART), value);
	} else if (port == RESET_CONTROL) {
		p->reset_control = value & (u8)~RESET_NOW;
		p->reset |= (value & RESET_NOW) != 0;
	} else if (port == FAST_A20) {
		p->reset |= (value & A20_RESET) != 0;
	} else if (port == KEYBOARD_COMMAND) {
		p->reset |= (value & (KEYBOARD_PULSE | 1)) == KEYBOARD_PULSE;
	}
}

u32 platform_in(struct platform *p, u16 port, u8 size, u64 now)
{
	u32 value = 0, touched = 0;

	see(p, now);
	for (u8 i = 0; i < size; i++) {
		bool absent = size == 4 && port == PCI_ADDRESS;
		u16 at = (u16)(port + i);

		touched |= touched_by_read(p, at);
		value |= (absent ? ABSENT : (u32)read_byte(p, at)) << 8 * i;
	}
	settle(p, touched);
	return value;
}

void platform_out(struct platform *p, u16 port, u8 size, u32 value, u64 now)
{
	u32 touched = 0;

	see(p, now);
	for (u8 i = 0; i < size && !(size == 4 && port == PCI_ADDRESS); i++) {
		u32 touches = touched_by_write(p, (u16)(port + i), (u8)(value >> 8 * i));

		if (touches == TOUCHES_TIMERS)
			run_pit(p); /* by the old mask */
		write_byte(p, (u16)(port + i), (u8)(value >> 8 * i));
		touched |= touches;
		if (touches & TOUCHES_UART)
			send(p);
	}
	settle(p, touched);
}

/* --- the local APICs, and time --- */

u32 platform_apic_read(struct platform *p, u32 cpu, u32 offset, u64 now)
{
	u32 value;

	see(p, now);
	value = lapic_read(&p->cpu[cpu].lapic, offset, p->now);
	settle_one(p, cpu, true);
	return value;
}

void platform_apic_write(struct platform *p, u32 cpu, u32 offset, u32 value, u64 now)
{
	see(p, now);
	set_register(p, cpu, offset, value);
	settle_one(p, cpu, true);
}

bool platform_apic_write_is_plain(const struct platform *p, u32 cpu, u32 offset)
{
	const struct platform_cpu *c = &p->cpu[cpu];

	return offset == LAPIC_EOI && !c->waits && lapic_highest(c->lapic.irr) < 0;
}

u64 platform_read_deadline(struct platform *p, u32 cpu, u64 now)
{
	u64 tsc;

	see(p, now);
	tsc = lapic_read_deadline(&p->cpu[cpu].lapic, p->now);
	settle_one(p, cpu, true);
	return tsc;
}

void platform_write_deadline(struct platform *p, u32 cpu, u64 tsc, u64 now)
{
	see(p, now);
	lapic_write_deadline(&p->cpu[cpu].lapic, tsc, p->now);
	settle_one(p, cpu, true);
}

void platform_raise(struct platform *p, u32 cpu, u8 vector, u64 now)
{
	see(p, now);
	lapic_deliver(&p->cpu[cpu].lapic, LAPIC_FIXED, vector, false);
	settle_one(p, cpu, false);
}

void platform_set_line(struct platform *p, u8 line, bool level, u64 now)
{
	const struct pic_chip *c = &p->pic.chip[line / PIC_LINES_A_CHIP];

	if ((c->line >> line % PIC_LINES_A_CHIP & 1) == level)
		return;
	see(p, now);
	pic_set_line(&p->pic, line, level);
	settle(p, 0);
}

void platform_set_work(struct platform *p, u64 due, u64 now)
{
	if (p->due[PLATFORM_WORK] == due)
		return;
	see(p, now);
	p->due[PLATFORM_WORK] = due;
	settle(p, 0);
}

void platform_advance(struct platform *p, u32 cpu, u64 now)
{
	see(p, now);
	settle_one(p, cpu, false);
}

int platform_take(struct platform *p, u32 cpu, u64 now)
{
	struct lapic *lapic = &p->cpu[cpu].lapic;
	int vector = -1;

	see(p, now);
	if (cpu == BOOT_CPU)
		settle_board(p, BIT(PLATFORM_PIT)); /* with what it takes in */
	settle_cpu(p, cpu, true);
	if (lapic_request(lapic) >= 0)
		vector = lapic_acknowledge(lapic);
	else if (lapic_passes_extint(lapic))
		vector = pic_acknowledge(&p->pic);
	if (cpu == BOOT_CPU)
		settle_board(p, BIT(PLATFORM_PIT));
	settle_cpu(p, cpu, true);
	return vector;
}

/* --- the end --- */

/* So long it takes the real counters to follow. */
#define PIT_SETTLES 4u

static void wait_until(u64 tsc, u64 (*now)(void))
{
	while (now() < tsc)
		cpu_relax();
}

/* At a tick a period ends, and the real counter can only begin one. Nobody minds where in it it is
 * while its line is masked. */
static void give_pit(struct platform *p, const struct port_access *h, u64 (*now)(void))
{
	if (pit_is_periodic(&p->pit) && !is_masked(p, PLATFORM_LINE_PIT)) {
		wait_until(pit_deadline(&p->pit, p->now), now);
		see(p, now());
		p->late += pit_ticks(&p->pit, p->now);
	}
	pit_restore(&p->pit, h, p->now);
	wait_until(clock_tsc(&p->pit.clock, clock_ticks(&p->pit.clock, now()) + PIT_SETTLES), now);
}

/* A tick that a guest holds back, perhaps for good, as one does whose ticks are another timer's.
 * The real 8259 is to hold it back: a model's edge keeps the guest from the bare machine. */
static bool take_masked_tick(struct platform *p)
{
	bool waits = is_masked(p, PLATFORM_LINE_PIT) && (p->pic.chip[0].edge & 1);

	if (waits)
		p->pic.chip[0].edge &= (u8)~1u;
	return waits;
}

bool platform_give_devices(struct platform *p, const struct port_access *h, u64 (*now)(void))
{
	bool once;

	see(p, now());
	run_pit(p);
	once = pit_is_counting_once(&p->pit, p->now);
	give_pit(p, h, now);
	see(p, now());
	once |= take_masked_tick(p);
	run_rtc(p);
	rtc_restore_registers(&p->rtc, h, p->now);
	receive(p, true);
	send(p);
	uart16550_restore(&p->uart, h, PLATFORM_UART);
	return once;
}

/* What it made of line 0 up to here is forgotten. */
void platform_give_tick(struct platform *p, const struct port_access *h, u64 (*now)(void))
{
	see(p, now());
	pit_restore_first(&p->pit, h, p->now);
}

/* --- the console --- */

size_t platform_type(struct platform *p, const u8 *text, size_t size, u64 now)
{
	size_t n = (size_t)min_u64(size, ring_room(&p->in));

	see(p, now);
	ring_write(&p->in, text, n);
	settle(p, TOUCHES_UART);
	return n;
}

void platform_print(struct platform *p, const u8 *text, size_t size)
{
	ring_write(&p->out, text, size);
}

size_t platform_get(struct platform *p, u8 *text, size_t size)
{
	return ring_get(&p->in, text, size);
}
