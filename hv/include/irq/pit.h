/* SPDX-License-Identifier: MIT */
/*
 * Model of the PC's interval timer (Intel 8254 data sheet, order number
 * 231164) and of the port that gates its third counter. Pure: ports, time as
 * the TSC, which never goes back from call to call, and the first counter's
 * output, which is interrupt line 0.
 */
#ifndef VELLUM_IRQ_PIT_H
#define VELLUM_IRQ_PIT_H

#include "irq/clock.h"
#include "irq/pic_hardware.h"

#define PIT_COUNTER     0x40 /* port of counter 0; the next two are the others' */
#define PIT_CONTROL     0x43
#define PIT_GATE        0x61 /* gate and output of counter 2, beside other things */
#define PIT_HZ          1193182
#define NR_PIT_COUNTERS 3

struct pit_counter {
	u8 mode;   /* 0 .. 5 */
	u8 access; /* 1: low byte, 2: high byte, 3: both */
	bool bcd;
	bool gate;
	bool loaded;     /* a count was written since the control word */
	bool running;    /* and in modes 1 and 5 a trigger came */
	bool write_high; /* the next byte written is the high one */
	bool read_high;  /* and read */
	u8 low;          /* that came before it */
	u8 latched;      /* bytes of `latch` still to be read: bit 0 low, bit 1 high */
	bool has_status; /* `status` is to be read first */
	bool has_next; /* `next` replaces `count` at tick `switch_at`, as if from `next_start` on */
	u8 status;
	u16 latch;
	u32 count; /* 1 .. 65536: the initial count */
	u32 next;
	u64 switch_at, next_start;
	u64 start;   /* tick at which the element had the initial count; wraps */
	u64 stopped; /* ticks it had run when the gate fell (modes 0 and 4) */
};

struct pit {
	struct clock clock; /* PIT_HZ */
	struct pit_counter counter[NR_PIT_COUNTERS];
	u64 seen;   /* tick up to which counter 0's output has been looked at */
	u64 due;    /* and its rising edges that are not reported yet */
	u8 speaker; /* bit 1 of PIT_GATE */
};

/** What a BIOS leaves: counter 0 in mode 3 with 65536, the others silent. */
void pit_reset(struct pit *p, struct clock clock, u64 now);

/** A byte to or from one of the five ports. */
void pit_write(struct pit *p, u16 port, u8 value, u64 now);
u8 pit_read(struct pit *p, u16 port, u64 now);

/** Output of a counter. */
bool pit_output(struct pit *p, u32 counter, u64 now);

/** How often line 0 has risen since the last call. */
u64 pit_ticks(struct pit *p, u64 now);

/** The TSC at which it rises next; CLOCK_NEVER: not by itself. */
u64 pit_deadline(struct pit *p, u64 now);

/**
 * Capture the real one's state by its read-back command, to be called when nobody is in the middle
 * of a two-byte access. Initial counts cannot be read: a periodic counter goes on with `reload`
 * (1 .. 65536, as the owner saw it written), or if that is 0 with the largest count.
 */
void pit_capture(struct pit *p, const struct port_access *hardware, u32 reload, u64 now);

/**
 * Program the real one: one-shot counters with what is left, periodic ones with their count, which
 * starts a new period. A one-shot counter that is over counts once more, 1: its output rises again.
 */
void pit_restore(struct pit *p, const struct port_access *hardware, u64 now);

/** Whether line 0 is still to rise, once: counter 0 is a one-shot one that counts. */
bool pit_is_counting_once(struct pit *p, u64 now);

/** Whether it rises again and again. */
bool pit_is_periodic(const struct pit *p);

/** Counter 0 alone. */
void pit_restore_first(struct pit *p, const struct port_access *hardware, u64 now);

#endif
