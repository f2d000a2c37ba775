/* SPDX-License-Identifier: MIT */
/*
 * What other commands want to know of PCI functions that are Vellum's.
 */
#ifndef DOM_TOOLS_VL_PCI_H
#define DOM_TOOLS_VL_PCI_H

#include <stdbool.h>

#include "dom-tools/lib/client.h"

/** 0 if there are none, or -EBUSY with a sentence that says what to do. */
int pci_check_none(struct vl_client *c, struct vl_error *e);

/** `vl info --devices`: the PCI functions, whose they are, and how they are used. */
int pci_show(struct vl_client *c, bool json, struct vl_error *e);

#endif
