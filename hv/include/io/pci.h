/* SPDX-License-Identifier: MIT */
/*
 * The PCI devices of the machine, of which Vellum wants but one thing: that
 * they leave memory alone when it changes hands.
 */
#ifndef VELLUM_IO_PCI_H
#define VELLUM_IO_PCI_H

#include "lib/types.h"

/** Configuration space, 32 bits at a time; tests have another. `function` is bus << 8 | device << 3
 * | function, `offset` a multiple of 4. */
struct pci_access {
	u32 (*read)(void *context, u32 function, u32 offset);
	void (*write)(void *context, u32 function, u32 offset, u32 value);
	void *context;
};

/**
 * No function but bridges writes to memory or interrupts any more: bus mastering, the interrupt pin
 * and messages are off. What was under way has arrived. Buses are found from bus 0 on, as firmware
 * or the guest has numbered them. Returns how many functions there were.
 */
u32 pci_silence(const struct pci_access *access);

/** By ports 0xcf8 and 0xcfc. */
extern const struct pci_access pci_ports;

#endif
