// SPDX-License-Identifier: MIT
#include "mini/pci.h"

#include "mini/cpu.h"
#include "mini/tap.h"

u32 pci_read(u32 function, u32 offset)
{
	out32(PCI_ADDRESS_PORT, PCI_ENABLE | function << 8 | offset);
	return in32(PCI_DATA_PORT);
}

void pci_write(u32 function, u32 offset, u32 value)
{
	out32(PCI_ADDRESS_PORT, PCI_ENABLE | function << 8 | offset);
	out32(PCI_DATA_PORT, value);
}

u32 pci_find_card(void)
{
	for (u32 function = 0; function < 256; function++)
		if (pci_read(function, 0) == PCI_CARD)
			return function;
	test_skip("no network card");
}
