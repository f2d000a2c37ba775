/* SPDX-License-Identifier: MIT */
/*
 * PCI functions as the kernel that the tools run on has them, by its sysfs.
 * A number is bus << 8 | device << 3 | function; there is one PCI domain, 0.
 */
#ifndef DOM_TOOLS_LIB_PCI_HOST_H
#define DOM_TOOLS_LIB_PCI_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom-tools/lib/error.h"

#define PCI_HOST_MOST   128
#define PCI_HOST_DRIVER 32

struct pci_host_function {
	uint32_t function;
	uint32_t id;                  /* device << 16 | vendor */
	uint32_t class;               /* class << 8 | subclass */
	char driver[PCI_HOST_DRIVER]; /* that has it; empty: none */
	bool lent;                    /* by that, which stays: see docs/io.md */
};

struct pci_host_list {
	size_t count;
	struct pci_host_function function[PCI_HOST_MOST]; /* ascending */
};

/* Those that can fail return 0, or a negative errno with its sentence in `e`. */

/** The functions there are, as many as fit. */
int pci_host_list(struct pci_host_list *list, struct vl_error *e);

/** NULL: the kernel knows no such function. */
const struct pci_host_function *pci_host_find(const struct pci_host_list *list, uint32_t function);

/**
 * Have its driver, if it has one, leave it, and no other take it before pci_host_probe(), which has
 * all of them look whether it is for them. Without that some drivers take what reads as ones. One
 * that has lent it stays, in both.
 */
int pci_host_unbind(const struct pci_host_function *f, struct vl_error *e);
int pci_host_probe(uint32_t function, struct vl_error *e);

#endif
