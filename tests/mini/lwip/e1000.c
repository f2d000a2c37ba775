// SPDX-License-Identifier: MIT
/*
 * Intel's 82540EM (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual):
 * one queue each way of descriptors in their legacy form, buffers that never move.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/irq.h"
#include "mini/lwip/nic.h"
#include "mini/memory.h"
#include "mini/paging.h"

/* PCI configuration space by ports, of bus 0: PC firmware puts the cards of an i440FX there. */
#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PCI_ENABLE  0x80000000u
#define PCI_SLOTS   32u

#define PCI_ID      0x00u
#define PCI_COMMAND 0x04u
#define PCI_BAR0    0x10u
#define PCI_LINE    0x3cu
#define COMMAND_ON  0x6u /* memory, bus master: */
#define COMMAND_DMA 0x4u

#define ID_82540EM 0x100e8086u
#define BAR_SIZE   0x20000u

enum {
	E_CTRL = 0x0000,
	E_EERD = 0x0014,
	E_ICR = 0x00c0,
	E_IMS = 0x00d0,
	E_IMC = 0x00d8,
	E_RCTL = 0x0100,
	E_TCTL = 0x0400,
	E_TIPG = 0x0410,
	E_RX = 0x2800, /* base of the ring, low and high, its size, head, tail: */
	E_TX = 0x3800,
	E_MTA = 0x5200,
	E_RAL = 0x5400,
	E_RAH = 0x5404,
};
#define RING_LOW  0x00u
#define RING_HIGH 0x04u
#define RING_SIZE 0x08u
#define RING_HEAD 0x10u
#define RING_TAIL 0x18u

#define CTRL_RESET   0x04000000u
#define CTRL_LINK_UP 0x00000040u
#define RCTL_ON      0x04008002u /* EN, BAM: frames to all; SECRC: without the CRC; buffers of 2 KiB */
#define RCTL_ALL     0x00000018u /* UPE, MPE: of all stations and groups */
#define TCTL_ON      0x0004010au /* EN, PSP: short ones are padded; collision threshold and distance */
#define TIPG_USUAL   0x0060200au
#define CAUSES       0x000000d0u /* RXT0: frames came, RXO: too many, RXDMT0: few buffers are left */

#define EERD_START 1u
#define EERD_DONE  0x10u
#define RAH_VALID  0x80000000u

#define STATUS_DONE 1u
#define COMMAND_OUT                                                                                \
	0x0bu /* EOP, IFCS, RS: all of a frame, its CRC by the card, say when it is done */

#define ENTRIES     64u
#define BUFFER_SIZE 2048u

struct descriptor {
	u64 pa;
	u16 size;
	u8 offset;
	u8 command; /* of one to send; checksum's upper half of one that came */
	u8 status;
	u8 errors;
	u16 special;
};
_Static_assert(sizeof(struct descriptor) == 16, "the card's layout");

static volatile struct descriptor rx[ENTRIES] __attribute__((aligned(4096)));
static volatile struct descriptor tx[ENTRIES] __attribute__((aligned(4096)));
static u8 rx_buffers[ENTRIES][BUFFER_SIZE] __attribute__((aligned(4096)));
static u8 tx_buffers[ENTRIES][BUFFER_SIZE] __attribute__((aligned(4096)));
static u32 rx_at, tx_at; /* the next entry of each */
static u32 place;        /* its slot */
static bool stays_on;    /* when it is lent */
static volatile u8 *registers;
static struct nic nic; /* below */

static u32 get(u32 offset)
{
	return *(volatile u32 *)(registers + offset);
}

static void set(u32 offset, u32 value)
{
	*(volatile u32 *)(registers + offset) = value;
}

static u32 pci_get(u32 slot, u32 offset)
{
	u32 value;

	out32(PCI_ADDRESS, PCI_ENABLE | slot << 11 | offset);
	asm volatile("inl %1, %0" : "=a"(value) : "d"((u16)PCI_DATA));
	return value;
}

static void pci_set(u32 slot, u32 offset, u32 value)
{
	out32(PCI_ADDRESS, PCI_ENABLE | slot << 11 | offset);
	out32(PCI_DATA, value);
}

/* PCI_SLOTS if there is none. */
static u32 find(void)
{
	u32 slot = 0;

	while (slot < PCI_SLOTS && pci_get(slot, PCI_ID) != ID_82540EM)
		slot++;
	return slot;
}

/* Reading the causes takes the request back. */
static void interrupt(const struct trap_frame *frame)
{
	(void)frame;
	get(E_ICR);
}

static void place_ring(u32 at, const volatile struct descriptor *ring, u32 head)
{
	u64 pa = ptr_to_pa(ring).v;

	set(at + RING_LOW, (u32)pa);
	set(at + RING_HIGH, (u32)(pa >> 32));
	set(at + RING_SIZE, ENTRIES * sizeof(*ring));
	set(at + RING_HEAD, head);
}

static void reset(void)
{
	set(E_IMC, ~0u);
	set(E_CTRL, CTRL_RESET);
	while (get(E_CTRL) & CTRL_RESET)
		;
	set(E_IMC, ~0u);
	get(E_ICR);
	set(E_CTRL, get(E_CTRL) | CTRL_LINK_UP);
	for (u32 i = 0; i < 128; i++)
		set(E_MTA + 4 * i, 0);
}

static u32 eeprom(u32 word)
{
	set(E_EERD, EERD_START | word << 8);
	while (!(get(E_EERD) & EERD_DONE))
		;
	return get(E_EERD) >> 16;
}

/* The address that is asked for, or the card's: three words of its EEPROM. Not every card's filter
 * has it from there by itself. */
static void set_address(const u8 *mac)
{
	u16 word[3] = {0};

	for (u32 i = 0; i < 3; i++)
		if (mac == NULL)
			word[i] = (u16)eeprom(i);
	memcpy(nic.mac, mac != NULL ? mac : (const u8 *)word, sizeof(nic.mac));
	memcpy(word, nic.mac, sizeof(nic.mac));
	set(E_RAL, word[0] | (u32)word[1] << 16);
	set(E_RAH, word[2] | RAH_VALID);
}

/* Which have nothing; the card's first receive descriptor is this one. */
static void begin_rings(u32 first)
{
	rx_at = first;
	tx_at = 0;
	for (u32 i = 0; i < ENTRIES; i++) {
		rx[i].pa = ptr_to_pa(rx_buffers[i]).v;
		rx[i].status = 0;
		tx[i].pa = ptr_to_pa(tx_buffers[i]).v;
		tx[i].status = STATUS_DONE;
	}
	place_ring(E_RX, rx, first);
	place_ring(E_TX, tx, 0);
}

static void begin(const u8 *mac)
{
	pci_set(place, PCI_COMMAND, pci_get(place, PCI_COMMAND) | COMMAND_ON);
	reset();
	set_address(mac);
	begin_rings(0);
	set(E_RX + RING_TAIL, ENTRIES - 1);
	set(E_TX + RING_TAIL, 0);
	set(E_TIPG, TIPG_USUAL);
	set(E_TCTL, TCTL_ON);
	set(E_RCTL, RCTL_ON);
	set(E_IMS, CAUSES);
}

static void *room(void)
{
	return tx[tx_at].status & STATUS_DONE ? tx_buffers[tx_at] : NULL;
}

static void send(u32 size)
{
	tx[tx_at].size = (u16)size;
	tx[tx_at].command = COMMAND_OUT;
	tx[tx_at].status = 0;
	tx_at = (tx_at + 1) % ENTRIES;
	set(E_TX + RING_TAIL, tx_at);
}

static const void *next(u32 *size)
{
	if (!(rx[rx_at].status & STATUS_DONE))
		return NULL;
	*size = rx[rx_at].size;
	return rx_buffers[rx_at];
}

static void give_back(void)
{
	rx[rx_at].status = 0;
	set(E_RX + RING_TAIL, rx_at);
	rx_at = (rx_at + 1) % ENTRIES;
}

static struct nic nic = {
	.name = "e1000", .room = room, .send = send, .next = next, .give_back = give_back};

void e1000_hear_all(void)
{
	stays_on = true;
	set(E_RCTL, RCTL_ON | RCTL_ALL);
}

u32 e1000_lend(void)
{
	while (get(E_TX + RING_HEAD) != get(E_TX + RING_TAIL))
		asm volatile("pause");
	set(E_IMC, ~0u);
	get(E_ICR);
	pci_set(place, PCI_COMMAND, pci_get(place, PCI_COMMAND) & ~COMMAND_DMA);
	return place << 3;
}

/* What came for the card meanwhile, QEMU gives it when the tail is written, or when it is bus
 * master, and what finds no room then is lost. So it gets room by the head, and the tail stays. */
void e1000_resume(void)
{
	if (stays_on) {
		begin_rings((get(E_RX + RING_TAIL) + 1) % ENTRIES);
		set(E_TX + RING_TAIL, 0);
		pci_set(place, PCI_COMMAND, pci_get(place, PCI_COMMAND) | COMMAND_ON);
		set(E_IMS, CAUSES);
	} else {
		begin(nic.mac);
	}
}

const struct nic *e1000_start(const u8 *mac)
{
	place = find();
	if (place == PCI_SLOTS)
		return NULL;
	registers = mmio_map((pa_t){pci_get(place, PCI_BAR0) & ~15u}, BAR_SIZE);
	nic.line = (u8)pci_get(place, PCI_LINE);
	if (nic.line > 15)
		panic("the network card has no interrupt");
	irq_set_handler(nic.line, interrupt);
	begin(mac);
	return &nic;
}
