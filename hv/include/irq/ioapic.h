/* SPDX-License-Identifier: MIT */
/*
 * Model of an I/O APIC (Intel 82093AA data sheet, order number 290566), with
 * the EOI register that later ones have. Pure: pins, registers, and messages,
 * which the owner carries to the local APICs and whose ends it reports.
 */
#ifndef VELLUM_IRQ_IOAPIC_H
#define VELLUM_IRQ_IOAPIC_H

#include "lib/types.h"

#define NR_IOAPIC_PINS 24

/* Offsets in its page. */
#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_EOI    0x40 /* from version 0x20 on */

/* Registers behind the window. */
#define IOAPIC_ID          0x00
#define IOAPIC_VERSION     0x01
#define IOAPIC_ARBITRATION 0x02
#define IOAPIC_ENTRY(pin)  (0x10u + 2u * (pin)) /* low word; the high one is the next */

#define IOAPIC_VECTOR      0xffu
#define IOAPIC_MODE(entry) ((u8)((entry) >> 8 & 7)) /* enum lapic_delivery */
#define IOAPIC_LOGICAL     0x800u
#define IOAPIC_LOW_ACTIVE  0x2000u
#define IOAPIC_REMOTE_IRR  0x4000u
#define IOAPIC_LEVEL       0x8000u
#define IOAPIC_MASKED      0x10000u

struct ioapic {
	u8 version;
	u8 id;
	u8 select;
	u32 pins;  /* as they are, a bit each */
	u32 edges; /* seen, their messages not sent yet */
	u64 entry[NR_IOAPIC_PINS];
};

struct ioapic_message {
	u8 mode; /* enum lapic_delivery */
	u8 vector;
	u8 destination;
	bool logical;
	bool level; /* its end has to be reported by ioapic_end() */
};

/** After reset: all masked. Version 0x11 is the 82093AA, 0x20 has an EOI register. */
void ioapic_reset(struct ioapic *a, u8 version);

/** A 32-bit access to its page; other offsets than the three read as 0 and ignore writes. */
u32 ioapic_read(const struct ioapic *a, u32 offset);
void ioapic_write(struct ioapic *a, u32 offset, u32 value);

/** Set a pin high or low; the entry's polarity says what is active. */
void ioapic_set_pin(struct ioapic *a, u8 pin, bool high);

/** The next message to be sent, if there is one; call until there is none after each change. */
bool ioapic_next_message(struct ioapic *a, struct ioapic_message *m);

/** A local APIC ended this vector, which was level-triggered there. */
void ioapic_end(struct ioapic *a, u8 vector);

/** A real one's page; tests put a model behind it. */
struct ioapic_access {
	u32 (*read)(void *context, u32 offset);
	void (*write)(void *context, u32 offset, u32 value);
	void *context;
};

/**
 * Capture a real one's registers; its pins cannot be read and count as inactive, but for
 * level-triggered ones in service. Changes nothing.
 */
void ioapic_capture(struct ioapic *a, const struct ioapic_access *hardware);

/**
 * Give the registers to a real one. False, and nothing is changed, as long as a level-triggered
 * message is not ended: remote IRR cannot be written, and it would be sent again.
 */
bool ioapic_restore(const struct ioapic *a, const struct ioapic_access *hardware);

/** All entries of a real one are masked, and as after a reset. Nothing happens where there is none.
 */
void ioapic_silence(const struct ioapic_access *hardware);

#endif
