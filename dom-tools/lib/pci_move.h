/* SPDX-License-Identifier: MIT */
/*
 * A PCI function goes from a driver of this guest's to Vellum, and back. What fails
 * in between is undone, so that the function has a driver again, of the one or
 * the other.
 */
#ifndef DOM_TOOLS_LIB_PCI_MOVE_H
#define DOM_TOOLS_LIB_PCI_MOVE_H

#include "dom-tools/lib/client.h"

/** Its driver leaves it, if it has one, and Vellum has it. Fails with what vl_pci_take() and
 * pci_host_unbind() answer; it has its driver then. */
int vl_pci_to_vellum(struct vl_client *c, uint32_t function, struct vl_error *e);

/** And back: whichever driver is for it has it. Fails with what vl_pci_return() answers, and it is
 * Vellum's still; or with what pci_host_probe() does, and it has no driver. */
int vl_pci_from_vellum(struct vl_client *c, uint32_t function, struct vl_error *e);

#endif
