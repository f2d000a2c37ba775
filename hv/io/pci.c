// SPDX-License-Identifier: MIT
/*
 * Silencing PCI devices (io/pci.h): a command register that has no bus
 * mastering stops a device of whatever kind, and whatever it is about to do.
 */
#include "io/pci.h"

#include "lib/x86.h"

#define ADDRESS_PORT   0xcf8
#define DATA_PORT      0xcfc
#define ADDRESS_ENABLE 0x80000000u

#define ID              0x00
#define COMMAND         0x04
#define CLASS           0x08
#define HEADER          0x0c
#define BRIDGE_BUSES    0x18
#define CAPABILITIES    0x34
#define NOBODY          0xffffffffu
#define COMMAND_MASTER  0x0004u
#define COMMAND_NO_INTX 0x0400u
#define COMMAND_BITS    0xffffu /* of the status above, writing ones clears */
#define STATUS_LIST     0x100000u
#define HEADER_MULTI    0x800000u
#define HEADER_BRIDGE   1u
#define HEADER_TYPE(h)  ((h) >> 16 & 0x7fu)
#define CLASS_BRIDGE    0x06u
#define MESSAGES        0x05u /* MSI */
#define MESSAGES_X      0x11u
#define MESSAGES_ON     0x00010000u
#define MESSAGES_X_ON   0x80000000u
#define MOST_IN_LIST    48u
#define FUNCTIONS       8u
#define FUNCTIONS_A_BUS 256u

static u32 ports_read(void *context, u32 function, u32 offset)
{
	(void)context;
	outl(ADDRESS_PORT, ADDRESS_ENABLE | function << 8 | offset);
	return inl(DATA_PORT);
}

static void ports_write(void *context, u32 function, u32 offset, u32 value)
{
	(void)context;
	outl(ADDRESS_PORT, ADDRESS_ENABLE | function << 8 | offset);
	outl(DATA_PORT, value);
}

const struct pci_access pci_ports = {.read = ports_read, .write = ports_write};

static u32 get(const struct pci_access *a, u32 function, u32 offset)
{
	return a->read(a->context, function, offset);
}

static void clear(const struct pci_access *a, u32 function, u32 offset, u32 bits)
{
	u32 value = get(a, function, offset);

	if (value & bits)
		a->write(a->context, function, offset, value & ~bits);
}

static void silence_messages(const struct pci_access *a, u32 function)
{
	u32 at = get(a, function, CAPABILITIES) & 0xfc;

	for (u32 i = 0; i < MOST_IN_LIST && at != 0; i++) {
		u32 head = get(a, function, at);

		if ((head & 0xff) == MESSAGES)
			clear(a, function, at, MESSAGES_ON);
		if ((head & 0xff) == MESSAGES_X)
			clear(a, function, at, MESSAGES_X_ON);
		at = head >> 8 & 0xfc;
	}
}

/* The second read comes behind all that the function has written. */
static void silence(const struct pci_access *a, u32 function)
{
	u32 value = get(a, function, COMMAND);

	if (get(a, function, CLASS) >> 24 == CLASS_BRIDGE)
		return;
	a->write(a->context, function, COMMAND,
		 (value & COMMAND_BITS & ~COMMAND_MASTER) | COMMAND_NO_INTX);
	if (value & STATUS_LIST)
		silence_messages(a, function);
	get(a, function, COMMAND);
}

static u32 last_bus_behind(const struct pci_access *a, u32 function)
{
	if (HEADER_TYPE(get(a, function, HEADER)) != HEADER_BRIDGE)
		return 0;
	return get(a, function, BRIDGE_BUSES) >> 16 & 0xff;
}

u32 pci_silence(const struct pci_access *a)
{
	u32 last_bus = 0, found = 0;

	for (u32 function = 0; function < (last_bus + 1) * FUNCTIONS_A_BUS; function++) {
		if (get(a, function, ID) == NOBODY) {
			/* A device without its first function is not there. */
			function += function % FUNCTIONS == 0 ? FUNCTIONS - 1 : 0;
			continue;
		}
		found++;
		silence(a, function);
		last_bus = (u32)max_u64(last_bus, last_bus_behind(a, function));
		if (function % FUNCTIONS == 0 && !(get(a, function, HEADER) & HEADER_MULTI))
			function += FUNCTIONS - 1;
	}
	return found;
}
