/* SPDX-License-Identifier: MIT */
/*
 * What a later domain finds where the machine has its board: a PC without PCI
 * and ACPI, of models alone. A local APIC for each CPU, two 8259s on the LINT0 of
 * the first one, interval timer on line 0, serial port on line 4, real-time clock on line 8, and
 * the three ports that reset. Everything else is absent: reads as ones.
 *
 * Pure: `now` is the TSC in all functions. It may come from several CPUs; one
 * that is behind what was seen counts as that. One caller at a time. CPU 0 has the
 * local APIC as firmware leaves it, the others have theirs as after INIT.
 */
#ifndef VELLUM_IRQ_PLATFORM_H
#define VELLUM_IRQ_PLATFORM_H

#include "irq/clock.h"
#include "irq/lapic.h"
#include "irq/pic.h"
#include "irq/pit.h"
#include "irq/rtc.h"
#include "irq/uart16550.h"
#include "lib/ring.h"
#include "lib/types.h"

#define PLATFORM_LINE_PIT  0
#define PLATFORM_LINE_UART 4
#define PLATFORM_LINE_RTC  8
#define PLATFORM_UART      0x3f8 /* its first port */

#define PLATFORM_OUT_SIZE 16384u
#define PLATFORM_IN_SIZE  1024u
#define PLATFORM_CPUS     32u /* at most; a mask of them is 32 bits */

/** What is the same for all of them: a clock counts ticks of its device in terms of the TSC. */
struct platform_kind {
	struct clock pit, rtc, bus;
	bool has_deadline; /* the CPU's local APIC has a deadline mode, as CPUID says */
};

enum platform_source {
	PLATFORM_PIT,
	PLATFORM_RTC,
	PLATFORM_WORK, /* not the board's: devices that CPU 0 has to go on with */
	NR_PLATFORM_SOURCES,
};

/** What each CPU has. */
struct platform_cpu {
	struct lapic lapic;
	u64 due;      /* when its timer has to be looked at again; CLOCK_NEVER */
	u64 deadline; /* that, and of CPU 0 what of the board is due earlier */
	bool waits;   /* it would take an interrupt with its IF set */
	bool nmi;     /* one has arrived; who hands it to the CPU clears it */
};

struct platform {
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct uart16550 uart;
	struct ring out, in; /* the console's: what the guest wrote, what it has yet to read */
	u64 now;             /* the latest that was seen */
	u64 due[NR_PLATFORM_SOURCES]; /* when each has to be looked at again; CLOCK_NEVER */
	u64 late;                     /* ticks of the PIT that line 0 still owes */
	u8 reset_control;             /* as port 0xcf9 reads */
	bool reset;                   /* the guest asked for one; who does it clears it */
	bool watched; /* the owner's: somebody has read the console up to `read_to` */
	u64 read_to;
	u32 changed; /* CPUs whose waits, nmi or deadline is news; who tells them clears it */
	u32 nr_cpus;
	u8 out_byte[PLATFORM_OUT_SIZE];
	u8 in_byte[PLATFORM_IN_SIZE];
	struct platform_cpu cpu[PLATFORM_CPUS]; /* nr_cpus; what is behind need not be there */
};

/** Bytes that one with so many CPUs needs. */
static inline size_t platform_size(u32 nr_cpus)
{
	return offsetof(struct platform, cpu) + nr_cpus * sizeof(struct platform_cpu);
}

/** As firmware leaves it: the first local APIC on, virtual wire; the clock shows `seconds` since
 * 1970. nr_cpus is 1 .. PLATFORM_CPUS. */
void platform_init(struct platform *p, const struct platform_kind *kind, u32 nr_cpus, u64 seconds,
		   u64 now);

/** An access of 1, 2 or 4 bytes to a port, by any CPU. Reads have effects. */
u32 platform_in(struct platform *p, u16 port, u8 size, u64 now);
void platform_out(struct platform *p, u16 port, u8 size, u32 value, u64 now);

/**
 * A 32-bit access of a CPU to its local APIC's register at `offset` (0 .. 0xff0, a multiple of 16).
 * Of what it sends to others by ICR, fixed and lowest-priority interrupts and NMIs arrive.
 */
u32 platform_apic_read(struct platform *p, u32 cpu, u32 offset, u64 now);
void platform_apic_write(struct platform *p, u32 cpu, u32 offset, u32 value, u64 now);

/** Whether this write can let no interrupt in that was held back before. */
bool platform_apic_write_is_plain(const struct platform *p, u32 cpu, u32 offset);

/** IA32_TSC_DEADLINE. */
u64 platform_read_deadline(struct platform *p, u32 cpu, u64 now);
void platform_write_deadline(struct platform *p, u32 cpu, u64 tsc, u64 now);

/** An interrupt from beside the board to a CPU, by its vector (32 .. 255). */
void platform_raise(struct platform *p, u32 cpu, u8 vector, u64 now);

/** A line of the board, of a device that is beside it; and when such a device wants to be
 * looked at by CPU 0, whose `deadline` that is (CLOCK_NEVER: not at all). */
void platform_set_line(struct platform *p, u8 line, bool level, u64 now);
void platform_set_work(struct platform *p, u64 due, u64 now);

/** Let time pass for a CPU. Needed from its `deadline` on; its `waits` is right until then. */
void platform_advance(struct platform *p, u32 cpu, u64 now);

/** The CPU takes an interrupt: its vector; negative: none waits. */
int platform_take(struct platform *p, u32 cpu, u64 now);

/* --- the end: the domain gets the machine's own devices --- */

/**
 * The real devices go on as these were; `now` tells the time. In two parts, with the real 8259s, of
 * which no line may reach the CPU, begun anew (pic_hardware_begin() with `late`) in between: what
 * was an edge before that is forgotten. The first part may wait for the interval timer's next tick,
 * so that its period goes on as it was; the second is needed if it answers true: a single tick is
 * still to come, or has come and waits behind the mask.
 */
bool platform_give_devices(struct platform *p, const struct port_access *hardware,
			   u64 (*now)(void));
void platform_give_tick(struct platform *p, const struct port_access *hardware, u64 (*now)(void));

/* --- the console: of the serial port, and of a guest that calls --- */

/** Somebody types: how many of the bytes there was room for. */
size_t platform_type(struct platform *p, const u8 *text, size_t size, u64 now);

/** The guest prints or reads beside the serial port; the latter returns how many bytes there were.
 */
void platform_print(struct platform *p, const u8 *text, size_t size);
size_t platform_get(struct platform *p, u8 *text, size_t size);

#endif
