/* SPDX-License-Identifier: MIT */
/*
 * Model of one local APIC in xAPIC mode (SDM volume 3, chapter 11). Pure: it
 * has registers, the two local pins, messages that arrive and leave, the
 * question "which vector would the CPU take", and the time as an argument: the
 * TSC, which never goes back from call to call.
 */
#ifndef VELLUM_IRQ_LAPIC_H
#define VELLUM_IRQ_LAPIC_H

#include "irq/lapic_timer.h"
#include "lib/types.h"

/* Offsets of the registers: 32 bits each, 16 bytes apart. */
#define LAPIC_ID        0x020
#define LAPIC_VERSION   0x030
#define LAPIC_TPR       0x080
#define LAPIC_APR       0x090
#define LAPIC_PPR       0x0a0
#define LAPIC_EOI       0x0b0
#define LAPIC_LDR       0x0d0
#define LAPIC_DFR       0x0e0
#define LAPIC_SVR       0x0f0
#define LAPIC_ISR       0x100 /* eight of them, as of the next two */
#define LAPIC_TMR       0x180
#define LAPIC_IRR       0x200
#define LAPIC_ESR       0x280
#define LAPIC_CMCI      0x2f0
#define LAPIC_ICR       0x300
#define LAPIC_ICR_HIGH  0x310 /* destination in bits 31..24 */
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_THERMAL   0x330
#define LAPIC_PERF      0x340
#define LAPIC_LINT0     0x350
#define LAPIC_LINT1     0x360
#define LAPIC_ERROR     0x370
#define LAPIC_INITIAL   0x380
#define LAPIC_CURRENT   0x390
#define LAPIC_DIVIDE    0x3e0

#define LAPIC_ENABLED     0x100u   /* SVR */
#define LAPIC_NO_EOI      0x1000u  /* SVR: no EOI messages to the IOAPIC */
#define LAPIC_MASKED      0x10000u /* LVT */
#define LAPIC_REMOTE_IRR  0x4000u
#define LAPIC_MODE(lvt)   ((lvt) >> 8 & 7u) /* delivery mode, enum lapic_delivery */
#define LAPIC_TIMER_SHIFT 17                /* mode of the timer in its LVT entry, two bits */

/* Bits of the interrupt command register. */
#define LAPIC_ICR_VECTOR       0xffu
#define LAPIC_ICR_LOGICAL      0x800u
#define LAPIC_ICR_BUSY         0x1000u
#define LAPIC_ICR_ASSERT       0x4000u
#define LAPIC_ICR_SHORTHAND(i) ((u32)(i) >> 18 & 3u)
#define LAPIC_TO_SELF          1u
#define LAPIC_TO_ALL           2u
#define LAPIC_TO_OTHERS        3u
#define LAPIC_ICR_OTHERS       (LAPIC_TO_OTHERS << 18)

#define NR_LAPIC_VECTORS 256
#define LAPIC_WORDS      (NR_LAPIC_VECTORS / 32)
#define LAPIC_NO_VECTOR  (-1)

enum lapic_delivery {
	LAPIC_FIXED,
	LAPIC_LOWEST,
	LAPIC_SMI,
	LAPIC_NMI = 4,
	LAPIC_INIT,
	LAPIC_STARTUP,
	LAPIC_EXTINT,
};

enum lapic_lvt {
	LVT_CMCI,
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERF,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	NR_LVTS,
};

/** What a kind of APIC has; not state. */
struct lapic_kind {
	u32 version;       /* the version register */
	bool has_deadline; /* CPUID says so */
};

struct lapic {
	struct lapic_kind kind;
	struct lapic_timer timer;
	u32 id;  /* the register: bits 31:24 */
	u32 tpr; /* bits 7:0 */
	u32 ldr, dfr, svr;
	u32 esr;    /* as it reads */
	u32 errors; /* collected since it was written */
	u32 icr, icr_high;
	u32 lvt[NR_LVTS];
	u32 isr[LAPIC_WORDS], tmr[LAPIC_WORDS], irr[LAPIC_WORDS];
	bool lint[2]; /* the pins, high is active */
	bool nmi;     /* one has arrived; who hands it to the CPU clears it */
};

/** What a write asks of the world outside. */
struct lapic_effect {
	int eoi;     /* vector whose end the IOAPICs must hear of; LAPIC_NO_VECTOR: none */
	bool others; /* an interprocessor interrupt, which may be for others: `icr` */
	u64 icr;     /* both words */
};

/** After power-up: disabled by its software switch, all masked. */
void lapic_reset(struct lapic *l, const struct lapic_kind *kind, u8 id, struct clock bus);

/**
 * A 32-bit access to the register at `offset` (0 .. 0xfff, a multiple of 16). Reserved registers
 * read as 0 and set the error bit for illegal addresses.
 */
u32 lapic_read(struct lapic *l, u32 offset, u64 now);
void lapic_write(struct lapic *l, u32 offset, u32 value, u64 now, struct lapic_effect *effect);

/** IA32_TSC_DEADLINE. */
u64 lapic_read_deadline(struct lapic *l, u64 now);
void lapic_write_deadline(struct lapic *l, u64 deadline, u64 now);

/** Let time pass up to `now`. */
void lapic_advance(struct lapic *l, u64 now);

/** When the next interrupt of the timer is due: a TSC, or CLOCK_NEVER. */
u64 lapic_deadline(const struct lapic *l);

/** Whether a message to this destination, 8 bits, is for this APIC. */
bool lapic_is_destination(const struct lapic *l, u8 destination, bool logical);

/** A message arrives. INIT, SIPI and SMI are the caller's: false for them. */
bool lapic_deliver(struct lapic *l, enum lapic_delivery mode, u8 vector, bool level);

/** Pin LINT0 or LINT1 becomes active or inactive. */
void lapic_set_lint(struct lapic *l, u32 pin, bool active);

/** Whether an 8259's INT on LINT0 reaches the CPU: the pin is active, its entry is ExtINT. */
bool lapic_passes_extint(const struct lapic *l);

/** The vector that the CPU takes when its IF is set; LAPIC_NO_VECTOR: none. */
int lapic_request(const struct lapic *l);

/** The CPU takes it: the vector; without a request the spurious one, which needs no EOI. */
u8 lapic_acknowledge(struct lapic *l);

/** The processor's priority register. */
u32 lapic_ppr(const struct lapic *l);

/* Sets of vectors, as ISR, IRR and TMR are. */

static inline bool lapic_has(const u32 set[LAPIC_WORDS], u8 vector)
{
	return (set[vector / 32] >> vector % 32 & 1) != 0;
}

static inline void lapic_set(u32 set[LAPIC_WORDS], u8 vector)
{
	set[vector / 32] |= (u32)1 << vector % 32;
}

static inline void lapic_clear(u32 set[LAPIC_WORDS], u8 vector)
{
	set[vector / 32] &= ~((u32)1 << vector % 32);
}

/** Words i and i + 1 at a time: most sets are empty, and looked at with each interrupt. */
static inline u64 lapic_pair(const u32 set[LAPIC_WORDS], u32 i)
{
	return set[i] | (u64)set[i + 1] << 32;
}

/** The highest vector of such a pair, which is not 0. */
static inline int lapic_top(u64 pair, u32 i)
{
	return (int)i * 32 + 63 - __builtin_clzll(pair);
}

/** The highest vector of a set; LAPIC_NO_VECTOR: it is empty. */
static inline int lapic_highest(const u32 set[LAPIC_WORDS])
{
	for (u32 i = LAPIC_WORDS; i > 0; i -= 2)
		if (lapic_pair(set, i - 2) != 0)
			return lapic_top(lapic_pair(set, i - 2), i - 2);
	return LAPIC_NO_VECTOR;
}

#endif
