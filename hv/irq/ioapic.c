// SPDX-License-Identifier: MIT
/*
 * The I/O APIC. An edge is remembered until its message is sent; a level sends
 * one message and then none until its end is reported, whatever the pin does.
 */
#include "irq/ioapic.h"

#include "lib/string.h"

#define BIT(pin)       ((u32)1 << (pin))
#define WRITABLE_LOW   0x1afffu /* all but delivery status and remote IRR */
#define WRITABLE_HIGH  0xff000000u
#define HAS_EOI        0x20
#define WINDOW_ENTRIES IOAPIC_ENTRY(0)
#define MOST_PINS      120u

void ioapic_reset(struct ioapic *a, u8 version)
{
	memset(a, 0, sizeof(*a));
	a->version = version;
	for (u32 i = 0; i < NR_IOAPIC_PINS; i++)
		a->entry[i] = IOAPIC_MASKED;
}

static bool is_active(const struct ioapic *a, u32 pin)
{
	return ((a->pins & BIT(pin)) != 0) != ((a->entry[pin] & IOAPIC_LOW_ACTIVE) != 0);
}

void ioapic_set_pin(struct ioapic *a, u8 pin, bool high)
{
	bool was_active;

	if (pin >= NR_IOAPIC_PINS)
		return;
	was_active = is_active(a, pin);
	a->pins = high ? a->pins | BIT(pin) : a->pins & ~BIT(pin);
	if (!was_active && is_active(a, pin) &&
	    !(a->entry[pin] & (IOAPIC_LEVEL | IOAPIC_MASKED))) /* a masked edge is lost */
		a->edges |= BIT(pin);
}

static bool wants_message(const struct ioapic *a, u32 pin)
{
	u64 e = a->entry[pin];

	if (e & IOAPIC_MASKED)
		return false;
	if (!(e & IOAPIC_LEVEL))
		return (a->edges & BIT(pin)) != 0;
	return is_active(a, pin) && !(e & IOAPIC_REMOTE_IRR);
}

bool ioapic_next_message(struct ioapic *a, struct ioapic_message *m)
{
	for (u32 pin = 0; pin < NR_IOAPIC_PINS; pin++) {
		u64 *e = &a->entry[pin];

		if (!wants_message(a, pin))
			continue;
		*m = (struct ioapic_message){.mode = IOAPIC_MODE(*e),
					     .vector = (u8)*e,
					     .destination = (u8)(*e >> 56),
					     .logical = (*e & IOAPIC_LOGICAL) != 0,
					     .level = (*e & IOAPIC_LEVEL) != 0};
		if (m->level)
			*e |= IOAPIC_REMOTE_IRR;
		a->edges &= ~BIT(pin);
		return true;
	}
	return false;
}

void ioapic_end(struct ioapic *a, u8 vector)
{
	for (u32 pin = 0; pin < NR_IOAPIC_PINS; pin++)
		if ((a->entry[pin] & IOAPIC_LEVEL) && (u8)a->entry[pin] == vector)
			a->entry[pin] &= ~(u64)IOAPIC_REMOTE_IRR;
}

static u32 read_window(const struct ioapic *a)
{
	u32 pin = (u32)(a->select - WINDOW_ENTRIES) / 2;

	switch (a->select) {
	case IOAPIC_ID:
	case IOAPIC_ARBITRATION:
		return (u32)a->id << 24;
	case IOAPIC_VERSION:
		return (u32)(NR_IOAPIC_PINS - 1) << 16 | a->version;
	default:
		if (a->select < WINDOW_ENTRIES || pin >= NR_IOAPIC_PINS)
			return 0;
		return (u32)(a->entry[pin] >> (a->select & 1 ? 32 : 0));
	}
}

/* Edge-triggered entries have no remote IRR: software clears it by going there and back. */
static void write_low(struct ioapic *a, u32 pin, u32 value)
{
	u64 *e = &a->entry[pin];
	u64 kept = *e & ~(u64)WRITABLE_LOW;

	if (!(value & IOAPIC_LEVEL))
		kept &= ~(u64)IOAPIC_REMOTE_IRR;
	*e = kept | (value & WRITABLE_LOW);
	if (value & (IOAPIC_LEVEL | IOAPIC_MASKED))
		a->edges &= ~BIT(pin);
}

static void write_window(struct ioapic *a, u32 value)
{
	u32 pin = (u32)(a->select - WINDOW_ENTRIES) / 2;

	if (a->select == IOAPIC_ID)
		a->id = value >> 24 & 0xf;
	if (a->select < WINDOW_ENTRIES || pin >= NR_IOAPIC_PINS)
		return;
	if (a->select & 1)
		a->entry[pin] = (u32)a->entry[pin] | (u64)(value & WRITABLE_HIGH) << 32;
	else
		write_low(a, pin, value);
}

u32 ioapic_read(const struct ioapic *a, u32 offset)
{
	if (offset == IOAPIC_SELECT)
		return a->select;
	return offset == IOAPIC_WINDOW ? read_window(a) : 0;
}

void ioapic_write(struct ioapic *a, u32 offset, u32 value)
{
	if (offset == IOAPIC_SELECT)
		a->select = (u8)value;
	else if (offset == IOAPIC_WINDOW)
		write_window(a, value);
	else if (offset == IOAPIC_EOI && a->version >= HAS_EOI)
		ioapic_end(a, (u8)value);
}

/* --- the hardware --- */

static u32 get(const struct ioapic_access *h, u32 reg)
{
	h->write(h->context, IOAPIC_SELECT, reg);
	return h->read(h->context, IOAPIC_WINDOW);
}

static void put(const struct ioapic_access *h, u32 reg, u32 value)
{
	h->write(h->context, IOAPIC_SELECT, reg);
	h->write(h->context, IOAPIC_WINDOW, value);
}

void ioapic_capture(struct ioapic *a, const struct ioapic_access *h)
{
	u8 select = (u8)h->read(h->context, IOAPIC_SELECT);

	ioapic_reset(a, (u8)get(h, IOAPIC_VERSION));
	a->id = get(h, IOAPIC_ID) >> 24 & 0xf;
	a->select = select;
	for (u32 pin = 0; pin < NR_IOAPIC_PINS; pin++) {
		u64 e = get(h, IOAPIC_ENTRY(pin)) | (u64)get(h, IOAPIC_ENTRY(pin) + 1) << 32;
		bool serviced = (e & IOAPIC_LEVEL) && (e & IOAPIC_REMOTE_IRR);

		a->entry[pin] = e & ((u64)WRITABLE_HIGH << 32 | WRITABLE_LOW | IOAPIC_REMOTE_IRR);
		if (serviced != ((e & IOAPIC_LOW_ACTIVE) != 0))
			a->pins |= BIT(pin);
	}
	h->write(h->context, IOAPIC_SELECT, select);
}

bool ioapic_restore(const struct ioapic *a, const struct ioapic_access *h)
{
	for (u32 pin = 0; pin < NR_IOAPIC_PINS; pin++)
		if (a->entry[pin] & IOAPIC_REMOTE_IRR)
			return false;
	put(h, IOAPIC_ID, (u32)a->id << 24);
	for (u32 pin = 0; pin < NR_IOAPIC_PINS; pin++) {
		put(h, IOAPIC_ENTRY(pin), IOAPIC_MASKED);
		put(h, IOAPIC_ENTRY(pin) + 1, (u32)(a->entry[pin] >> 32));
		put(h, IOAPIC_ENTRY(pin), (u32)a->entry[pin]);
	}
	h->write(h->context, IOAPIC_SELECT, a->select);
	return true;
}

void ioapic_silence(const struct ioapic_access *h)
{
	u32 version = get(h, IOAPIC_VERSION), last = version >> 16 & 0xff;

	if (version == ~(u32)0 || last >= MOST_PINS)
		return;
	for (u32 pin = 0; pin <= last; pin++) {
		put(h, IOAPIC_ENTRY(pin), IOAPIC_MASKED);
		put(h, IOAPIC_ENTRY(pin) + 1, 0);
	}
}
