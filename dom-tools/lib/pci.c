/* SPDX-License-Identifier: MIT */
/*
 * Calls about PCI functions, see pci.h.
 */
#include "dom-tools/lib/pci.h"

#include <errno.h>
#include <stdio.h>

#include "dom-tools/lib/cpus.h"
#include "dom-tools/lib/disks.h"
#include "dom-tools/lib/request.h"

#define MOST_BUS      255
#define MOST_DEVICE   31
#define MOST_FUNCTION 7

const char *vl_pci_name(char name[PCI_NAME_SIZE], uint32_t function)
{
	snprintf(name, PCI_NAME_SIZE, "%02x:%02x.%x", function >> 8 & MOST_BUS,
		 function >> 3 & MOST_DEVICE, function & MOST_FUNCTION);
	return name;
}

bool vl_pci_parse(const char *text, uint32_t *function)
{
	unsigned int domain = 0, bus, device, number;
	char rest;

	if (sscanf(text, "%4x:%2x:%2x.%1x%c", &domain, &bus, &device, &number, &rest) != 4) {
		domain = 0;
		if (sscanf(text, "%2x:%2x.%1x%c", &bus, &device, &number, &rest) != 3)
			return false;
	}
	*function = bus << 8 | device << 3 | number;
	return domain == 0 && device <= MOST_DEVICE && number <= MOST_FUNCTION;
}

static int call_take(struct vl_client *c, uint32_t function, struct vl_pci_taken *taken,
		     struct vl_error *e)
{
	struct request r = {.name = "pci_take", .io.nr = VL_CALL_PCI_TAKE, .io.arg[0] = function};
	uint64_t nothing;
	int rc;

	*taken = (struct vl_pci_taken){0};
	request_buffer(&r, 1, taken, sizeof(*taken));
	rc = request_answer(c, &r, &nothing, e);
	if (rc == 0 && taken->count > VL_MAX_PCI_TAKEN)
		return request_nonsense(&r, e, "more functions than there can be");
	return rc;
}

int vl_pci_taken(struct vl_client *c, struct vl_pci_taken *taken, struct vl_error *e)
{
	return call_take(c, VL_PCI_NONE, taken, e);
}

static int take_failed(int rc, const char *name, struct vl_error *e)
{
	switch (-rc) {
	case VL_EOPNOTSUPP:
		return vl_fail(e, EOPNOTSUPP,
			       "Vellum takes devices of a virtualized machine only: `vl "
			       "virtualize` first, with the CPU, memory and interrupts");
	case VL_ENOENT:
		return vl_fail(e, ENOENT, "there is no PCI function %s", name);
	case VL_ENXIO:
		return vl_fail(e, ENXIO,
			       "Vellum has no driver for PCI function %s, which stays this guest's",
			       name);
	case VL_EEXIST:
		return vl_fail(e, EEXIST, "PCI function %s is Vellum's already", name);
	case VL_EBUSY:
		return vl_fail(e, EBUSY,
			       "PCI function %s may write to memory: a driver of this guest's has "
			       "it still",
			       name);
	case VL_ERANGE:
		return vl_fail(e, ERANGE,
			       "PCI function %s has its registers where Vellum cannot use them",
			       name);
	case VL_ENOSPC:
		return vl_fail(e, ENOSPC, "Vellum has as many PCI functions as it can, %u",
			       VL_MAX_PCI_TAKEN);
	default:
		return rc;
	}
}

int vl_pci_take(struct vl_client *c, uint32_t function, struct vl_error *e)
{
	struct vl_pci_taken taken;
	char name[PCI_NAME_SIZE];
	int rc = call_take(c, function, &taken, e);

	return rc ? take_failed(rc, vl_pci_name(name, function), e) : 0;
}

int vl_pci_return(struct vl_client *c, uint32_t function, struct vl_error *e)
{
	struct request r = {
		.name = "pci_return", .io.nr = VL_CALL_PCI_RETURN, .io.arg[0] = function};
	char name[PCI_NAME_SIZE];
	uint64_t nothing;
	int rc = vl_disks_end(c, function, e);

	if (rc)
		return rc;
	rc = request_answer(c, &r, &nothing, e);
	if (rc == -VL_ENOENT)
		return vl_fail(e, ENOENT, "PCI function %s is not Vellum's",
			       vl_pci_name(name, function));
	return rc;
}

static int uplink_failed(int rc, const char *name, struct vl_error *e)
{
	switch (-rc) {
	case VL_EINVAL:
		return vl_fail(e, EINVAL, "a bridge has a name of 1 to 15 printable characters");
	case VL_EEXIST:
		return vl_fail(e, EEXIST,
			       "a guest's network device on that bridge has the address of the "
			       "network card %s",
			       name);
	case VL_ENOSPC:
		return vl_fail(e, ENOSPC,
			       "there is an uplink already, or as many network devices "
			       "as there can be");
	case VL_EIO:
		return vl_fail(e, EIO, "the network card %s does not answer", name);
	case VL_EOPNOTSUPP:
		return vl_fail(e, EOPNOTSUPP,
			       "Vellum cannot look for frames on this machine: the local APIC's "
			       "timer is not Vellum's");
	default:
		return rc;
	}
}

int vl_uplink(struct vl_client *c, uint32_t function, uint64_t how, struct vl_uplink *uplink,
	      struct vl_error *e)
{
	struct request r = {
		.name = "uplink", .io.nr = VL_CALL_UPLINK, .io.arg[0] = function, .io.arg[1] = how};
	char name[PCI_NAME_SIZE];
	uint64_t nothing;
	int rc;

	request_buffer(&r, 2, uplink, sizeof(*uplink));
	/* What the card received last goes to the caller's vcpu at once, and to others' queues. */
	if (how == VL_UPLINK_OFF)
		cpus_use_first();
	rc = request_answer(c, &r, &nothing, e);
	if (rc)
		return uplink_failed(rc, vl_pci_name(name, function), e);
	uplink->bridge[sizeof(uplink->bridge) - 1] = 0;
	return 0;
}
