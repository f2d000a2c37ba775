// SPDX-License-Identifier: MIT
/*
 * Holds the machine's memory map for everybody who asks.
 */
#include "mem/machine.h"

static struct memmap machine;

struct memmap *machine_map(void)
{
	return &machine;
}
