/* SPDX-License-Identifier: MIT */
#include "dom-tools/lib/pci_move.h"

#include <errno.h>

#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/pci_host.h"

int vl_pci_from_vellum(struct vl_client *c, uint32_t function, struct vl_error *e)
{
	int rc = vl_pci_return(c, function, e);

	return rc ? rc : pci_host_probe(function, e);
}

/* The first failure is what is told. */
static void give_back(struct vl_client *c, uint32_t function)
{
	struct vl_error ignored;

	vl_pci_return(c, function, &ignored);
	pci_host_probe(function, &ignored);
}

/* Whether Vellum wants it is known before its driver leaves it. */
static int take_from_driver(struct vl_client *c, const struct pci_host_function *f,
			    struct vl_error *e)
{
	int rc = vl_pci_take(c, f->function, e);

	if (rc == 0)
		rc = vl_pci_return(c, f->function, e);
	else if (rc == -EBUSY)
		rc = 0;
	if (rc)
		return rc;
	rc = pci_host_unbind(f, e);
	if (rc == 0)
		rc = vl_pci_take(c, f->function, e);
	if (rc)
		give_back(c, f->function);
	return rc;
}

int vl_pci_to_vellum(struct vl_client *c, uint32_t function, struct vl_error *e)
{
	struct pci_host_list list;
	const struct pci_host_function *f;
	int rc = pci_host_list(&list, e);

	if (rc)
		return rc;
	f = pci_host_find(&list, function);
	if (f && f->driver[0] && !f->lent)
		return take_from_driver(c, f, e);
	rc = vl_pci_take(c, function, e);
	if (rc || !f)
		return rc;
	rc = pci_host_unbind(f, e);
	if (rc)
		give_back(c, function);
	return rc;
}
