// SPDX-License-Identifier: MIT
/*
 * A local APIC changes hands: it is silenced for the guest that leaves the machine,
 * and gets the registers of the model that the other one has had; or it goes
 * back to its guest, with the requests that Vellum's CPU had acknowledged
 * (invariant I3).
 */
#include "irq/lapic_hardware.h"

static void put(const struct lapic_hardware *h, u32 offset, u32 value)
{
	h->access->write(h->access->context, offset, value);
}

void lapic_hardware_copy(struct lapic_hardware *h, const struct lapic *model)
{
	static const struct {
		u32 offset;
		enum lapic_lvt entry;
	} local[] = {{LAPIC_THERMAL, LVT_THERMAL},
		     {LAPIC_PERF, LVT_PERF},
		     {LAPIC_LINT0, LVT_LINT0},
		     {LAPIC_LINT1, LVT_LINT1},
		     {LAPIC_ERROR, LVT_ERROR}};

	put(h, LAPIC_DFR, model->dfr);
	put(h, LAPIC_LDR, model->ldr);
	for (u32 i = 0; i < ARRAY_SIZE(local); i++)
		put(h, local[i].offset, model->lvt[local[i].entry]);
	put(h, LAPIC_ESR, 0);
	put(h, LAPIC_ICR_HIGH, model->icr_high);
	h->ldr = model->ldr;
	h->dfr = model->dfr;
	h->icr_kept = true;
	h->icr = (u64)model->icr_high << 32 | model->icr;
}

static void quieten(const struct lapic_access *a)
{
	u32 entries = a->read(a->context, LAPIC_VERSION) >> 16 & 0xff;

	a->write(a->context, LAPIC_SVR, a->read(a->context, LAPIC_SVR) | LAPIC_ENABLED);
	a->write(a->context, LAPIC_TPR, 0);
	for (u32 offset = LAPIC_LVT_TIMER; offset <= LAPIC_ERROR; offset += 16)
		a->write(a->context, offset, LAPIC_MASKED);
	if (entries >= NR_LVTS - 1)
		a->write(a->context, LAPIC_CMCI, LAPIC_MASKED);
	a->write(a->context, LAPIC_INITIAL, 0);
}

bool lapic_hardware_silence(const struct lapic_access *a)
{
	u32 serviced = 0, requested = 0;

	quieten(a);
	for (u32 i = 0; i < LAPIC_WORDS; i++) {
		serviced |= a->read(a->context, LAPIC_ISR + i * 16);
		requested |= a->read(a->context, LAPIC_IRR + i * 16);
	}
	if (serviced != 0)
		a->write(a->context, LAPIC_EOI, 0);
	return (serviced | requested) == 0;
}

/* --- requests go back --- */

/*
 * TMR has it: the request is a line's. Its end would have the IOAPIC ask again if the line is still
 * active, so it might, or might not, be sent by oneself as well; a message behind the line's says
 * in TMR that it is none of a line (SDM volume 3, 11.8.4), and the line would never be ended.
 * Bochs's IOAPIC does not ask again at all.
 */
static bool is_line(const struct lapic_hardware *h, u8 vector)
{
	u32 word = vector / 32u;

	return (h->access->read(h->access->context, LAPIC_TMR + word * 16) >> vector % 32 & 1) != 0;
}

/* Behind a ticket there may be some that the guest has ended. */
static void send_back(struct lapic_hardware *h, u8 vector)
{
	bool is_ticket = !lapic_has(h->ended, vector);

	lapic_hardware_end(h, vector);
	h->tickets -= is_ticket;
	if (is_ticket)
		lapic_hardware_send_self(h, vector);
}

void lapic_hardware_send_back(struct lapic_hardware *h)
{
	int vector;

	/* One that is switched off keeps its requests and accepts no message. */
	if (h->access == NULL || h->tickets == 0 || !(h->svr & LAPIC_ENABLED))
		return;
	for (vector = lapic_highest(h->held); vector >= 0; vector = lapic_highest(h->held)) {
		if (lapic_has(h->taken, (u8)vector) ||
		    (!lapic_has(h->ended, (u8)vector) && is_line(h, (u8)vector)))
			break;
		send_back(h, (u8)vector);
	}
}
