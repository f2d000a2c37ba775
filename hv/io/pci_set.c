// SPDX-License-Identifier: MIT
/*
 * See io/pci_set.h. A register of an address (BAR) tells how much it decodes
 * by what of ones written to it stays; meanwhile the function decodes nothing.
 */
#include "io/pci_set.h"

#include "public/errno.h"

#define ID              0x00u
#define COMMAND         0x04u
#define CLASS           0x08u
#define HEADER          0x0cu
#define BAR(i)          (0x10u + 4 * (i))
#define NOBODY          0xffffffffu
#define COMMAND_PORTS   0x0001u
#define COMMAND_MEMORY  0x0002u
#define COMMAND_MASTER  0x0004u
#define COMMAND_NO_INTX 0x0400u
#define COMMAND_BITS    0xffffu /* of the status above, writing ones clears */
#define HEADER_TYPE(h)  ((h) >> 16 & 0x7fu)
#define BAR_PORTS       1u
#define BAR_64          4u
#define BAR_PORTS_BITS  3u
#define BAR_MEMORY_BITS 15u
#define ADDRESS_ENABLE  0x80000000u
#define ADDRESS_SHIFT   8

#define FUNCTIONS  0x10000u
#define LEAST_PORT 0x400u      /* below are those of ISA */
#define MEMORY_END 0xfec00000u /* from there on the processors' and the board's own */

const struct range pci_legacy_ports[PCI_LEGACY] = {
	{0x1f0, 0x1f8},
	{0x3f6, 0x3f7},
	{0x170, 0x178},
	{0x376, 0x377},
};

static u32 get(const struct pci_access *a, u32 function, u32 offset)
{
	return a->read(a->context, function, offset);
}

static void set(const struct pci_access *a, u32 function, u32 offset, u32 value)
{
	a->write(a->context, function, offset, value);
}

/* --- looking at one --- */

static const struct pci_driver *driver_of(const struct pci_rules *r, u32 id, u32 class)
{
	for (u32 i = 0; i < r->nr_drivers; i++) {
		const struct pci_driver *d = &r->driver[i];

		if (d->class == class && (d->id == 0 || d->id == id))
			return d;
	}
	return NULL;
}

/* What of ones stays; the register is what it was. */
static u32 probe(const struct pci_access *a, u32 function, u32 offset, u32 value)
{
	u32 mask;

	set(a, function, offset, NOBODY);
	mask = get(a, function, offset);
	set(a, function, offset, value);
	return mask;
}

static bool ports_are_good(struct range r)
{
	return r.start >= LEAST_PORT && r.end <= 0x10000;
}

/* Whole pages, as the guest is kept from those. */
static bool memory_is_good(const struct pci_rules *rules, struct range r)
{
	return r.start != 0 && r.end <= MEMORY_END && r.start % PAGE_SIZE == 0 &&
	       r.end % PAGE_SIZE == 0 && rules->is_free(r);
}

/* One register, or two of one address; how many, or -VL_ERANGE. */
static int look_at_bar(const struct pci_access *a, const struct pci_rules *rules,
		       struct pci_function *f, u32 i)
{
	u32 value = get(a, f->function, BAR(i));
	u32 mask = probe(a, f->function, BAR(i), value);
	bool is_ports = value & BAR_PORTS, is_64 = !is_ports && (value & BAR_64);
	u32 bits = is_ports ? BAR_PORTS_BITS : BAR_MEMORY_BITS;
	u64 start = value & ~bits, size = (u32)(~(mask & ~bits) + 1);
	struct range r;

	if ((mask & ~bits) == 0)
		return 1;
	/* Upper bits of ports need not be there. */
	r = (struct range){start, start + (is_ports ? size & 0xffff : size)};
	if (is_64 && (i + 1 == PCI_BARS || get(a, f->function, BAR(i + 1)) != 0))
		return -VL_ERANGE;
	if (!(is_ports ? ports_are_good(r) : memory_is_good(rules, r)))
		return -VL_ERANGE;
	*(is_ports ? &f->ports[i] : &f->memory[i]) = r;
	return is_64 ? 2 : 1;
}

static int look_at_bars(const struct pci_access *a, const struct pci_rules *rules,
			struct pci_function *f)
{
	int n = 1;

	set(a, f->function, COMMAND, f->command & ~(COMMAND_PORTS | COMMAND_MEMORY));
	for (u32 i = 0; i < PCI_BARS && n > 0; i += (u32)n)
		n = look_at_bar(a, rules, f, i);
	set(a, f->function, COMMAND, f->command);
	return n < 0 ? n : 0;
}

int pci_examine(const struct pci_access *a, const struct pci_rules *rules, u32 function,
		struct pci_function *f)
{
	const struct pci_driver *driver;

	*f = (struct pci_function){.function = function};
	f->id = get(a, function, ID);
	if (f->id == NOBODY)
		return -VL_ENOENT;
	driver = driver_of(rules, f->id, get(a, function, CLASS) >> 16);
	if (driver == NULL || HEADER_TYPE(get(a, function, HEADER)) != 0)
		return -VL_ENXIO;
	f->kind = driver->kind;
	f->legacy = driver->legacy;
	f->command = get(a, function, COMMAND) & COMMAND_BITS;
	if (f->command & COMMAND_MASTER)
		return -VL_EBUSY;
	return look_at_bars(a, rules, f);
}

void pci_enable(const struct pci_access *a, const struct pci_function *f)
{
	set(a, f->function, COMMAND,
	    f->command | COMMAND_PORTS | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
}

/* The read comes behind all that the function has written. */
void pci_disable(const struct pci_access *a, const struct pci_function *f)
{
	set(a, f->function, COMMAND, f->command);
	get(a, f->function, COMMAND);
}

/* --- the set --- */

struct pci_function *pci_find(struct pci_set *s, u32 function)
{
	for (u32 i = 0; i < s->count; i++)
		if (s->function[i].function == function)
			return &s->function[i];
	return NULL;
}

int pci_add(struct pci_set *s, const struct pci_function *f)
{
	if (pci_find(s, f->function) != NULL)
		return -VL_EEXIST;
	if (s->count == VL_MAX_PCI_TAKEN)
		return -VL_ENOSPC;
	s->function[s->count++] = *f;
	return 0;
}

void pci_remove(struct pci_set *s, u32 function)
{
	struct pci_function *f = pci_find(s, function);

	if (f != NULL)
		*f = s->function[--s->count];
}

static bool has(const struct range *r, u32 count, struct range wanted)
{
	for (u32 i = 0; i < count; i++)
		if (range_overlaps(r[i], wanted))
			return true;
	return false;
}

bool pci_has_ports(const struct pci_set *s, u16 port, u8 size)
{
	const struct range wanted = {port, (u64)port + size};

	for (u32 i = 0; i < s->count; i++) {
		const struct pci_function *f = &s->function[i];

		if (has(f->ports, PCI_BARS, wanted) ||
		    (f->legacy && has(pci_legacy_ports, PCI_LEGACY, wanted)))
			return true;
	}
	return false;
}

bool pci_has_memory(const struct pci_set *s, struct range pa)
{
	for (u32 i = 0; i < s->count; i++)
		if (has(s->function[i].memory, PCI_BARS, pa))
			return true;
	return false;
}

bool pci_has_address(const struct pci_set *s, u32 address)
{
	u32 function = (address & ~ADDRESS_ENABLE) >> ADDRESS_SHIFT;

	if (!(address & ADDRESS_ENABLE))
		return false;
	for (u32 i = 0; i < s->count; i++)
		if (s->function[i].function == (function & (FUNCTIONS - 1)))
			return true;
	return false;
}
