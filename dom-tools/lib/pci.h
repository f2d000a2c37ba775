/* SPDX-License-Identifier: MIT */
/*
 * PCI functions that are Vellum's, and the uplink. Every function returns 0, or
 * a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_LIB_PCI_H
#define DOM_TOOLS_LIB_PCI_H

#include <stdbool.h>

#include "dom-tools/lib/client.h"

/** Bytes that a function's name takes. */
#define PCI_NAME_SIZE 16

/** BB:DD.F, as lspci writes it. */
const char *vl_pci_name(char name[PCI_NAME_SIZE], uint32_t function);

/** The number of [DDDD:]BB:DD.F, hexadecimal; false: it is none. */
bool vl_pci_parse(const char *text, uint32_t *function);

/** What is Vellum's. ENOSYS: Vellum is too old to have any. */
int vl_pci_taken(struct vl_client *c, struct vl_pci_taken *taken, struct vl_error *e);

/**
 * Make it Vellum's. EBUSY: a driver has it; ENXIO: Vellum has none for it; EOPNOTSUPP: the machine
 * is not virtualized; EEXIST, ENOENT, ERANGE, ENOSPC.
 */
int vl_pci_take(struct vl_client *c, uint32_t function, struct vl_error *e);

/** And give it back. EBUSY: it is in use; ENOENT: it is not Vellum's. */
int vl_pci_return(struct vl_client *c, uint32_t function, struct vl_error *e);

/** Turn the uplink on, off, or ask what it is: VL_UPLINK_*. ENOENT: there is none. */
int vl_uplink(struct vl_client *c, uint32_t function, uint64_t how, struct vl_uplink *uplink,
	      struct vl_error *e);

#endif
