// SPDX-License-Identifier: MIT
/*
 * See cpu/pci_owner.h. The address port of configuration space stays the
 * guest's own: Vellum uses it only while all of the guest's vcpus stand still, and
 * puts it back. An access to the data port goes through if the address leads to no
 * function that is taken; both are behind a lock, so that another CPU of the guest
 * cannot change the address in between.
 */
#include "cpu/pci_owner.h"

#include "cpu/block.h"
#include "cpu/domain_platform.h"
#include "cpu/ports.h"
#include "lib/lock.h"
#include "mem/frames.h"
#include "mem/machine.h"
#include "public/errno.h"

#define ADDRESS_PORT 0xcf8u
#define DATA_PORT    0xcfcu
#define PORTS_SIZE   4u
#define ABSENT       0xffffffffu
#define PORTS_A_BYTE 8u

/* By what they are: the ports of a function stand in hv/io/pci_set.c. */
static const struct pci_driver drivers[] = {
	{.kind = VL_PCI_NET, .id = 0x100e8086, .class = 0x0200},                  /* 82540EM */
	{.kind = VL_PCI_DISK, .id = 0x70108086, .class = 0x0101, .legacy = true}, /* PIIX3 */
};

static struct pci_set taken;
static struct lock lock = LOCK_INIT(LOCK_IRQ); /* the two ports, for one access */

const struct pci_set *pci_owner_set(void)
{
	return &taken;
}

/* Reserved ranges of the memory map are where devices are, too. */
static bool is_free(struct range memory)
{
	const struct memmap *map = machine_map();

	for (u32 i = 0; i < map->count; i++) {
		const struct vl_memory_range *r = &map->range[i];

		if (r->type != VL_MEMORY_RESERVED &&
		    range_overlaps((struct range){r->start, r->start + r->size}, memory))
			return false;
	}
	return !range_overlaps(frames_partition(), memory);
}

static const struct pci_rules rules = {drivers, ARRAY_SIZE(drivers), is_free};

/* --- which ports trap --- */

static void set_ports(struct cpu *cpu, struct range ports, bool trapped)
{
	u8 *map = tables_of(cpu)->tss.iomap;

	for (u64 port = ports.start; port < ports.end; port++) {
		u8 bit = (u8)(1u << port % PORTS_A_BYTE);

		map[port / PORTS_A_BYTE] = trapped ? map[port / PORTS_A_BYTE] | bit
						   : map[port / PORTS_A_BYTE] & (u8)~bit;
	}
}

static void set_function(struct cpu *cpu, const struct pci_function *f, bool trapped)
{
	for (u32 i = 0; i < PCI_BARS; i++)
		set_ports(cpu, f->ports[i], trapped);
	for (u32 i = 0; f->legacy && i < PCI_LEGACY; i++)
		set_ports(cpu, pci_legacy_ports[i], trapped);
}

static void set_configuration(struct cpu *cpu, bool trapped)
{
	set_ports(cpu, (struct range){ADDRESS_PORT, DATA_PORT + PORTS_SIZE}, trapped);
}

/* Of all CPUs: one that is not virtualized has a map, too, which it does not use. */
static void set_all(const struct pci_function *f, bool trapped)
{
	for (u32 i = 0; i < cpu_count(); i++) {
		set_function(cpu_by_index(i), f, trapped);
		set_configuration(cpu_by_index(i), pci_owner_has_any());
	}
}

void pci_owner_join(void)
{
	for (u32 i = 0; i < taken.count; i++)
		set_function(this_cpu(), &taken.function[i], true);
	if (pci_owner_has_any())
		set_configuration(this_cpu(), true);
}

/* --- taking and returning --- */

s64 pci_owner_take(u32 function)
{
	u32 address = inl(ADDRESS_PORT);
	struct pci_function f;
	s64 err = pci_find(&taken, function) != NULL ? -VL_EEXIST : 0;

	if (err == 0 && taken.count == VL_MAX_PCI_TAKEN)
		err = -VL_ENOSPC;
	if (err == 0)
		err = pci_examine(&pci_ports, &rules, function, &f);
	outl(ADDRESS_PORT, address);
	if (err < 0)
		return err;
	pci_add(&taken, &f);
	set_all(&f, true);
	return 0;
}

s64 pci_owner_return(u32 function)
{
	const struct pci_function *found = pci_find(&taken, function);
	struct pci_function f;

	if (found == NULL)
		return -VL_ENOENT;
	if (found->flags & VL_PCI_IN_USE)
		return -VL_EBUSY;
	f = *found;
	pci_remove(&taken, function);
	set_all(&f, false);
	return 0;
}

void pci_owner_end(void)
{
	while (taken.count != 0) {
		struct pci_function f = taken.function[0];

		pci_remove(&taken, f.function);
		set_all(&f, false);
	}
}

const struct pci_function *pci_owner_use(u32 function, u32 kind)
{
	struct pci_function *f = pci_find(&taken, function);
	u32 address = inl(ADDRESS_PORT);

	if (f == NULL || f->kind != kind || (f->flags & VL_PCI_IN_USE))
		return NULL;
	pci_enable(&pci_ports, f);
	outl(ADDRESS_PORT, address);
	f->flags |= VL_PCI_IN_USE;
	return f;
}

void pci_owner_unuse(u32 function)
{
	struct pci_function *f = pci_find(&taken, function);
	u32 address = inl(ADDRESS_PORT);

	if (f == NULL)
		return;
	pci_disable(&pci_ports, f);
	outl(ADDRESS_PORT, address);
	f->flags &= ~VL_PCI_IN_USE;
}

/* --- accesses of the guest's --- */

static bool is_configuration(u16 port, u8 size)
{
	return port < DATA_PORT + PORTS_SIZE && port + size > (int)ADDRESS_PORT;
}

/* Whether the data port is none now. One access that begins before it, no device answers whole. */
static bool is_hidden(u16 port, u8 size)
{
	return port + size > (int)DATA_PORT && pci_has_address(&taken, inl(ADDRESS_PORT));
}

bool pci_owner_in(u16 port, u8 size, u32 *value)
{
	if (!pci_owner_has_any())
		return false;
	*value = ABSENT;
	if (pci_has_ports(&taken, port, size))
		return true;
	if (!is_configuration(port, size))
		return false;
	lock_take(&lock);
	if (!is_hidden(port, size))
		*value = ports_machine_in(port, size);
	lock_release(&lock);
	return true;
}

bool pci_owner_out(u16 port, u8 size, u32 value)
{
	if (!pci_owner_has_any())
		return false;
	if (pci_has_ports(&taken, port, size))
		return true;
	if (!is_configuration(port, size))
		return false;
	lock_take(&lock);
	if (!is_hidden(port, size))
		ports_machine_out(port, size, value);
	lock_release(&lock);
	return true;
}

bool pci_owner_hides(const struct vcpu *v, u64 pa, u64 size)
{
	return pci_owner_has_any() && !has_platform(v) &&
	       pci_has_memory(&taken, (struct range){pa, pa + size});
}
