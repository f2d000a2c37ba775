// SPDX-License-Identifier: MIT
/*
 * Lines of virtio devices. Those of a later domain are its platform's. The guest that owns the
 * machine has the machine's interrupt controllers, so a line of its is a pin of the IOAPIC: Vellum
 * sends the message that the pin's entry says, once for each edge, and the guest finds it in its
 * local APIC like any other.
 *
 * To read an entry, Vellum changes the register that selects it. So the IOAPIC's page traps as long
 * as there are such devices, and the guest's own accesses are done in cpu/domain_io.c, behind the
 * same lock.
 */
#include "cpu/apic.h"
#include "cpu/domain_io.h"
#include "cpu/domain_platform.h"
#include "cpu/io_device.h"
#include "cpu/sched.h"
#include "irq/ioapic.h"
#include "mem/own_tables.h"

#define FIRST_VECTOR 16u

static u32 get(u32 reg)
{
	volatile u32 *page = own_ioapic();

	page[IOAPIC_SELECT / sizeof(u32)] = reg;
	return page[IOAPIC_WINDOW / sizeof(u32)];
}

/* False: the guest takes nothing from there now. */
static bool send(u32 pin)
{
	u32 select = own_ioapic()[IOAPIC_SELECT / sizeof(u32)];
	u32 low = get(IOAPIC_ENTRY(pin)), high = get(IOAPIC_ENTRY(pin) + 1);

	own_ioapic()[IOAPIC_SELECT / sizeof(u32)] = select;
	if ((low & IOAPIC_MASKED) || IOAPIC_MODE(low) > LAPIC_LOWEST || (u8)low < FIRST_VECTOR)
		return false;
	apic_send_like(sched_owner(), high >> 24, low);
	return true;
}

void io_device_set_line(struct io_device *d, bool high)
{
	if (!domain_owns_machine(d->domain)) {
		platform_set_line(d->domain->platform, VL_DEVICE_LINE(d->index), high, rdtsc());
		return;
	}
	d->raised = high && (d->raised || send(d->line));
	d->masked = high && !d->raised;
	if (d->masked)
		__atomic_or_fetch(&d->domain->devices_wait, 1u << d->index, __ATOMIC_SEQ_CST);
}
