/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by its two ports.
 */
#ifndef MINI_PCI_H
#define MINI_PCI_H

#include "lib/types.h"

#define PCI_ADDRESS_PORT 0xcf8
#define PCI_DATA_PORT    0xcfc
#define PCI_ENABLE       0x80000000u
#define PCI_COMMAND      0x04u
#define PCI_BAR0         0x10u
#define PCI_BAR1         0x14u
#define PCI_DECODES      3u /* bits of its command */
#define PCI_MASTER       4u
#define PCI_ABSENT       0xffffffffu
#define PCI_CARD         0x100e8086u /* an 82540EM network card */

/** `function` is bus << 8 | device << 3 | function, `offset` a multiple of 4. */
u32 pci_read(u32 function, u32 offset);
void pci_write(u32 function, u32 offset, u32 value);

/** The network card; skips the running test if there is none. */
u32 pci_find_card(void);

#endif
