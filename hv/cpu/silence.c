// SPDX-License-Identifier: MIT
/*
 * Silencing the machine (cpu/silence.h), from the outside to the inside: first
 * who makes interrupts, then who passes them on, then the local APIC, into
 * which nothing comes any more. Other CPUs, if any, are offline: halted in Vellum, or in the guest
 * if they were so before it was virtualized; INIT ends that.
 */
#include "cpu/silence.h"

#include "cpu/apic.h"
#include "io/pci.h"
#include "irq/ioapic.h"
#include "mem/own_tables.h"

#define DMA_MASK_LOW  0x0f
#define DMA_MASK_HIGH 0xde
#define DMA_ALL       0x0f
#define ALL_LINES     0xff

/* HPET (IA-PC HPET specification 1.0a), by words of 32 bits. */
#define HPET_ID         0
#define HPET_CONFIG     4
#define HPET_ON         3u /* it counts; it has lines 0 and 8, which PIT and clock lose by that */
#define HPET_TIMER(n)   (64u + 8u * (n))
#define HPET_INTERRUPTS 0x4004u /* by a line, by a message */
#define HPET_REVISION   0xffu
#define HPET_TIMERS(id) (((id) >> 8 & 31u) + 1)

static u32 ioapic_page_read(void *context, u32 offset)
{
	(void)context;
	return own_ioapic()[offset / 4];
}

static void ioapic_page_write(void *context, u32 offset, u32 value)
{
	(void)context;
	own_ioapic()[offset / 4] = value;
}

/* As firmware has it. */
static void silence_hpet(void)
{
	volatile u32 *hpet = own_hpet();
	u32 id = hpet[HPET_ID];

	if ((id & HPET_REVISION) == 0 || id == ~(u32)0)
		return;
	hpet[HPET_CONFIG] &= ~HPET_ON;
	for (u32 i = 0; i < HPET_TIMERS(id); i++)
		hpet[HPET_TIMER(i)] &= ~HPET_INTERRUPTS;
}

void silence_machine(struct vcpu *v)
{
	static const struct ioapic_access ioapic = {.read = ioapic_page_read,
						    .write = ioapic_page_write};

	pci_silence(&pci_ports);
	silence_hpet();
	outb(DMA_MASK_LOW, DMA_ALL);
	outb(DMA_MASK_HIGH, DMA_ALL);
	ioapic_silence(&ioapic);
	outb(PIC_MASTER + 1, ALL_LINES);
	outb(PIC_SLAVE + 1, ALL_LINES);
	apic_init_others();
	apic_silence(v);
}
