// SPDX-License-Identifier: MIT
/*
 * A local APIC changes hands: it is silenced for the guest that leaves the machine,
 * and gets the registers of the model that the other one has had.
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
