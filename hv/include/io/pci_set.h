/* SPDX-License-Identifier: MIT */
/*
 * PCI functions that are Vellum's while the guest that owns the machine has
 * all others: what one consists of, so that it can be kept from that guest. Pure;
 * one caller at a time.
 */
#ifndef VELLUM_IO_PCI_SET_H
#define VELLUM_IO_PCI_SET_H

#include "io/pci.h"
#include "public/hypercall.h"

#define PCI_BARS   6u
#define PCI_LEGACY 4u /* ranges of ports that an IDE controller has besides */

/** What Vellum has a driver for. */
struct pci_driver {
	u32 kind;    /* VL_PCI_* */
	u32 id;      /* device << 16 | vendor; 0: any */
	u32 class;   /* class << 8 | subclass */
	bool legacy; /* it has the ports of the first two IDE channels */
};

extern const struct range pci_legacy_ports[PCI_LEGACY];

struct pci_function {
	u32 function;
	u32 kind;
	u32 id;
	u32 flags;                     /* VL_PCI_IN_USE */
	u32 command;                   /* of the guest's, when it was taken */
	struct range memory[PCI_BARS]; /* by the number of the register; empty: none */
	struct range ports[PCI_BARS];
	bool legacy;
};

struct pci_set {
	u32 count;
	struct pci_function function[VL_MAX_PCI_TAKEN];
};

/** What a function may be made of. */
struct pci_rules {
	const struct pci_driver *driver;
	u32 nr_drivers;
	bool (*is_free)(struct range memory); /* that there is no RAM, nor anything of Vellum's */
};

/**
 * Look at a function, whose registers nobody uses meanwhile. 0, or with nothing changed -VL_ENOENT,
 * -VL_ENXIO, -VL_EBUSY, -VL_ERANGE: see call pci_take.
 */
int pci_examine(const struct pci_access *a, const struct pci_rules *rules, u32 function,
		struct pci_function *f);

/** What a driver of Vellum's needs: registers, ports and DMA, no interrupts; and the reverse. */
void pci_enable(const struct pci_access *a, const struct pci_function *f);
void pci_disable(const struct pci_access *a, const struct pci_function *f);

/** NULL: it is not in the set. */
struct pci_function *pci_find(struct pci_set *s, u32 function);

/** -VL_EEXIST, -VL_ENOSPC. */
int pci_add(struct pci_set *s, const struct pci_function *f);
void pci_remove(struct pci_set *s, u32 function);

/** Whether some of these ports, or of these bytes, are a function's of the set. */
bool pci_has_ports(const struct pci_set *s, u16 port, u8 size);
bool pci_has_memory(const struct pci_set *s, struct range pa);

/** Whether this address, as it is in port 0xcf8, leads to one of the set. */
bool pci_has_address(const struct pci_set *s, u32 address);

#endif
