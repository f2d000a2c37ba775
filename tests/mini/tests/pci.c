// SPDX-License-Identifier: MIT
/*
 * A PCI function that Vellum takes: the guest finds nothing where it was, all
 * else as before, and the same function when it is returned. Needs an 82540EM network
 * card (8086:100e), which this kernel has no driver for.
 */
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/pci.h"
#include "mini/tap.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define WORDS  64u
#define STATUS (0x08u / 4) /* registers of the card, words */
#define LEDS   (0xe00u / 4)
#define LAST   (0x1fffcu / 4)
#define SIZE   0x20000u

static struct vl_pci_taken taken;

static s64 take(u64 function)
{
	return vl_call_pci_take(hypercall_page, function, ptr_to_pa(&taken).v, sizeof(taken));
}

static void takes(u64 function, s64 wanted)
{
	s64 answer = take(function);

	CHECK(answer == wanted, "pci_take(%#lx) answered %ld, not %ld", function, answer, wanted);
}

static void returns(u64 function, s64 wanted)
{
	s64 answer = vl_call_pci_return(hypercall_page, function);

	CHECK(answer == wanted, "pci_return(%#lx) answered %ld, not %ld", function, answer, wanted);
}

static void has(u32 count)
{
	takes(VL_PCI_NONE, 0);
	CHECK(taken.count == count, "%u functions are Vellum's", taken.count);
}

TEST(pci_refused, "I8 I10")
{
	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize");
	has(0);
	takes(0, -VL_EOPNOTSUPP);
	takes(VL_PCI_NONE + 1, -VL_EINVAL);
	returns(0, -VL_ENOENT);
	CHECK(virtualize_layers(VL_LAYER_CPU | VL_LAYER_MEMORY) == 0, "virtualize");
	takes(0, -VL_EOPNOTSUPP);
	CHECK(virtualize_layers(VL_LAYER_INTERRUPTS) == 0, "virtualize");
	takes(0, -VL_ENXIO); /* the host bridge */
	takes(0xff00, -VL_ENOENT);
	returns(0, -VL_ENOENT);
	returns(VL_PCI_NONE, -VL_ENOENT);
	CHECK(vl_call_pci_take(hypercall_page, VL_PCI_NONE, ptr_to_pa(&taken).v,
			       sizeof(taken) - 1) == -VL_EINVAL,
	      "a small buffer");
	CHECK(vl_call_pci_take(hypercall_page, 0, ~(u64)0, sizeof(taken)) == -VL_EFAULT,
	      "no buffer");
	has(0);
	CHECK(devirtualize() == 0, "devirtualize");
}

/* What the guest finds while it is Vellum's. */
static void check_hidden(u32 function, volatile u32 *registers, u16 ports)
{
	for (u32 i = 0; i < WORDS; i++) {
		pci_write(function, 4 * i, 0);
		CHECK(pci_read(function, 4 * i) == PCI_ABSENT, "word %u of configuration space", i);
	}
	CHECK(in32(PCI_ADDRESS_PORT) == (PCI_ENABLE | function << 8 | 4 * (WORDS - 1)),
	      "the address");
	CHECK(in8(PCI_DATA_PORT) == 0xff && in8(PCI_DATA_PORT + 3) == 0xff, "a byte of it");
	CHECK(pci_read(0, 0) != PCI_ABSENT, "another function");
	out8(PCI_ADDRESS_PORT + 1, 0); /* the reset register: no write of an address */
	CHECK(pci_read(0, PCI_COMMAND) & PCI_DECODES, "another function's commands");
	registers[LEDS] = 0x12345678;
	CHECK(registers[STATUS] == PCI_ABSENT && registers[LEDS] == PCI_ABSENT &&
		      registers[LAST] == PCI_ABSENT,
	      "registers: %#x, %#x, %#x", registers[STATUS], registers[LEDS], registers[LAST]);
	CHECK(((volatile u8 *)registers)[8] == 0xff, "a byte of a register");
	out32(ports, 0);
	CHECK(in32(ports) == PCI_ABSENT && in8((u16)(ports + 63)) == 0xff, "ports");
}

TEST(pci_taken, "I8 I10")
{
	u32 function = pci_find_card(), before[WORDS], status;
	volatile u32 *registers = mmio_map((pa_t){pci_read(function, PCI_BAR0) & ~15u}, SIZE);
	u16 ports = (u16)(pci_read(function, PCI_BAR1) & ~3u);

	if (!is_virtualized())
		CHECK(virtualize(0) == 0, "virtualize");
	pci_write(function, PCI_COMMAND, PCI_DECODES | PCI_MASTER);
	takes(function, -VL_EBUSY);
	pci_write(function, PCI_COMMAND, PCI_DECODES);
	for (u32 i = 0; i < WORDS; i++)
		before[i] = pci_read(function, 4 * i);
	status = registers[STATUS];
	CHECK(status != PCI_ABSENT, "the card has no registers");
	for (u32 round = 0; round < 3; round++) {
		registers[LEDS] = 0x07068302;
		takes(function, 0);
		CHECK(taken.count == 1 && taken.function[0].function == function &&
			      taken.function[0].kind == VL_PCI_NET &&
			      taken.function[0].id == PCI_CARD && taken.function[0].flags == 0,
		      "what was taken: %u of kind %u", taken.count, taken.function[0].kind);
		takes(function, -VL_EEXIST);
		check_hidden(function, registers, ports);
		CHECK(devirtualize() == -VL_EBUSY, "devirtualize");
		CHECK(devirtualize_layers(VL_LAYER_INTERRUPTS) == -VL_EBUSY, "one layer");
		has(1);
		returns(function, 0);
		returns(function, -VL_ENOENT);
		for (u32 i = 0; i < WORDS; i++)
			CHECK(pci_read(function, 4 * i) == before[i], "word %u changed", i);
		CHECK(registers[STATUS] == status && registers[LEDS] == 0x07068302, "registers");
	}
	has(0);
	CHECK(devirtualize() == 0, "devirtualize");
	CHECK(registers[LEDS] == 0x07068302, "registers in passthrough");
}
