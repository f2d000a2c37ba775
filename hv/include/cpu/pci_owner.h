/* SPDX-License-Identifier: MIT */
/*
 * PCI functions of the machine that are Vellum's, while the guest that owns the
 * machine is virtualized: that guest finds nothing where they are. Ports trap,
 * those of configuration space too, only as long as there are any.
 *
 * What changes the set is done by a CPU that is alone, with the guest's other vcpus standing still
 * (remote_stop_others()); who reads it is one of these vcpus, or alone.
 */
#ifndef VELLUM_CPU_PCI_OWNER_H
#define VELLUM_CPU_PCI_OWNER_H

#include "cpu/vcpu.h"
#include "io/pci_set.h"

/** See calls pci_take and pci_return. Alone, and the caller flushes the shadow of all vcpus. */
s64 pci_owner_take(u32 function);
s64 pci_owner_return(u32 function);

/** All of them are the guest's again: the machine changes hands, and is silenced. */
void pci_owner_end(void);

/** What Vellum has; a constant set for whoever may look. */
const struct pci_set *pci_owner_set(void);
static inline bool pci_owner_has_any(void)
{
	return pci_owner_set()->count != 0;
}

/**
 * Vellum's driver begins to use a function that is taken, or ends: bus mastering is on meanwhile,
 * and it is not returned. Alone. NULL: it is not taken, or another kind's, or in use already.
 */
const struct pci_function *pci_owner_use(u32 function, u32 kind);
void pci_owner_unuse(u32 function);

/** This CPU becomes virtualized: its map of ports is what the others' are. */
void pci_owner_join(void);

/** The guest's access to ports that trap; false: it touches none of a function that is taken, nor
 * configuration space, and nothing was done. */
bool pci_owner_in(u16 port, u8 size, u32 *value);
bool pci_owner_out(u16 port, u8 size, u32 value);

/** Whether a vcpu's access to some of these bytes of physical memory finds no device. */
bool pci_owner_hides(const struct vcpu *v, u64 pa, u64 size);

#endif
