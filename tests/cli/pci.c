/* SPDX-License-Identifier: MIT */
/*
 * PCI functions of the world: the kernel's part of them, which is wrapped like
 * system calls, and Vellum's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/pci_host.h"
#include "tests/cli/world.h"

#define KNOWN 0x100e8086
#define IDE   0x70108086
#define DISKS 1 /* the disk of the controller that the world has */

int __wrap_pci_host_list(struct pci_host_list *list, struct vl_error *e);
int __wrap_pci_host_unbind(const struct pci_host_function *f, struct vl_error *e);
int __wrap_pci_host_probe(uint32_t function, struct vl_error *e);

static struct {
	struct pci_host_list list;
	struct vl_pci_taken taken;
	uint32_t uplink;
	struct vl_uplink what; /* no bridge: there is none */
} pci;

/* --- the kernel --- */

int __wrap_pci_host_list(struct pci_host_list *list, struct vl_error *e)
{
	(void)e;
	*list = pci.list;
	return 0;
}

static struct pci_host_function *find(uint32_t function)
{
	return (struct pci_host_function *)pci_host_find(&pci.list, function);
}

int __wrap_pci_host_unbind(const struct pci_host_function *f, struct vl_error *e)
{
	char name[PCI_NAME_SIZE];

	(void)e;
	fprintf(stderr, "vl-fake: %s leaves %s\n", f->driver[0] ? f->driver : "nobody",
		vl_pci_name(name, f->function));
	find(f->function)->driver[0] = 0;
	return 0;
}

int __wrap_pci_host_probe(uint32_t function, struct vl_error *e)
{
	char name[PCI_NAME_SIZE];

	(void)e;
	fprintf(stderr, "vl-fake: drivers look at %s\n", vl_pci_name(name, function));
	return 0;
}

/* --- Vellum --- */

static uint32_t index_of(uint64_t function)
{
	uint32_t i = 0;

	while (i < pci.taken.count && pci.taken.function[i].function != function)
		i++;
	return i;
}

static void add(uint32_t function, uint32_t id)
{
	pci.taken.function[pci.taken.count++] = (struct vl_pci_function){
		.function = function, .kind = id == IDE ? VL_PCI_DISK : VL_PCI_NET, .id = id};
}

static int64_t take(struct world *w, uint64_t function, void *page, uint32_t size)
{
	const struct pci_host_function *f = find((uint32_t)function);

	if (size < sizeof(pci.taken))
		return -VL_EINVAL;
	if (function != VL_PCI_NONE) {
		if (world_mode(w) != VL_MODE_VIRTUALIZED)
			return -VL_EOPNOTSUPP;
		if (index_of(function) < pci.taken.count)
			return -VL_EEXIST;
		if (!f)
			return -VL_ENOENT;
		if (f->id != KNOWN && f->id != IDE)
			return -VL_ENXIO;
		if (f->driver[0])
			return -VL_EBUSY;
		fprintf(stderr, "vl-fake: %#llx is Vellum's\n", (unsigned long long)function);
		add((uint32_t)function, f->id);
	}
	memcpy(page, &pci.taken, sizeof(pci.taken));
	return 0;
}

static int64_t give_back(uint64_t function)
{
	uint32_t i = index_of(function);

	if (i == pci.taken.count)
		return -VL_ENOENT;
	if (pci.what.bridge[0] && pci.uplink == function)
		return -VL_EBUSY;
	fprintf(stderr, "vl-fake: %#llx is the guest's\n", (unsigned long long)function);
	pci.taken.function[i] = pci.taken.function[--pci.taken.count];
	return 0;
}

static int64_t uplink(uint64_t function, uint64_t how, struct vl_uplink *io, uint32_t size)
{
	bool is_one = pci.what.bridge[0] && pci.uplink == function;

	if (size < sizeof(*io) || how > VL_UPLINK_OFF)
		return -VL_EINVAL;
	if (index_of(function) == pci.taken.count || (how != VL_UPLINK_ON && !is_one))
		return -VL_ENOENT;
	if (how == VL_UPLINK_ON) {
		pci.uplink = (uint32_t)function;
		memcpy(pci.what.bridge, io->bridge, sizeof(io->bridge));
	}
	*io = pci.what;
	if (how != VL_UPLINK_KEEP)
		fprintf(stderr, "vl-fake: uplink %s %s\n", pci.what.bridge,
			how == VL_UPLINK_ON ? "on" : "off");
	if (how == VL_UPLINK_OFF)
		pci.what.bridge[0] = 0;
	return 0;
}

/* --- its disks: one, which takes a moment to tell what it is --- */

static int64_t begin_disks(uint64_t function)
{
	uint32_t i = index_of(function);

	if (i == pci.taken.count || pci.taken.function[i].kind != VL_PCI_DISK)
		return -VL_ENOENT;
	fprintf(stderr, "vl-fake: disks of %#llx begin\n", (unsigned long long)function);
	pci.taken.function[i].flags = VL_PCI_IN_USE;
	return 0;
}

static int64_t end_disks(uint64_t function)
{
	uint32_t i = index_of(function);

	if (i == pci.taken.count || pci.taken.function[i].kind != VL_PCI_DISK ||
	    !pci.taken.function[i].flags)
		return -VL_ENOENT;
	fprintf(stderr, "vl-fake: disks of %#llx end\n", (unsigned long long)function);
	pci.taken.function[i].flags = 0;
	return 0;
}

static int64_t disk_info(uint64_t index, struct vl_disk_info *info, uint32_t size)
{
	static int looks;

	if (size < sizeof(*info))
		return -VL_EINVAL;
	if (index != DISKS)
		return -VL_ENOENT;
	if (looks++ < 3)
		return -VL_EAGAIN;
	*info = (struct vl_disk_info){.sectors = 4096, .table = VL_TABLE_MBR, .nr_partitions = 1};
	info->partition[0] = (struct vl_partition){.number = 1, .start = 63, .sectors = 1000};
	return 0;
}

static int64_t disk_add(uint64_t domid, const struct vl_disk_extent *e, uint32_t size)
{
	if (size < sizeof(*e))
		return -VL_EINVAL;
	if (e->partition > 1)
		return -VL_ENOENT;
	if (e->start + e->sectors > (e->partition ? 1000u : 4096u))
		return -VL_EINVAL;
	fprintf(stderr,
		"vl-fake: domain %llu gets disk %u, partition %u, %llu sectors at %llu, flags %u\n",
		(unsigned long long)domid, e->disk, e->partition, (unsigned long long)e->sectors,
		(unsigned long long)e->start, e->flags);
	return 0;
}

int64_t world_pci_call(struct world *w, uint64_t nr, const uint64_t *arg, void *page, uint32_t size)
{
	switch (nr) {
	case VL_CALL_PCI_TAKE:
		return take(w, arg[0], page, size);
	case VL_CALL_PCI_RETURN:
		return give_back(arg[0]);
	case VL_CALL_DISK_BEGIN:
		return begin_disks(arg[0]);
	case VL_CALL_DISK_END:
		return end_disks(arg[0]);
	case VL_CALL_DISK_INFO:
		return disk_info(arg[0], page, size);
	case VL_CALL_DISK_ADD:
		return disk_add(arg[0], page, size);
	default:
		return uplink(arg[0], arg[1], page, size);
	}
}

/* --- the world's file --- */

static uint32_t function_of(const char *name)
{
	uint32_t function;

	if (!vl_pci_parse(name, &function))
		world_die("`%s` is no PCI function", name);
	return function;
}

static void add_function(const char *rest)
{
	struct pci_host_function *f = &pci.list.function[pci.list.count++];
	unsigned int vendor, device, class;
	char name[16];

	f->driver[0] = 0;
	if (sscanf(rest, "%15s %x:%x %x %31s", name, &vendor, &device, &class, f->driver) < 4)
		world_die("`pci %s` is incomplete", rest);
	f->function = function_of(name);
	f->id = device << 16 | vendor;
	f->class = class;
}

static void set_taken(const char *rest)
{
	char name[16], bridge[16] = "";

	if (sscanf(rest, "%15s %15s", name, bridge) < 1)
		world_die("`taken` wants a function");
	add(function_of(name), find(function_of(name)) ? find(function_of(name))->id : KNOWN);
	if (strcmp(bridge, "disks") == 0)
		pci.taken.function[pci.taken.count - 1].flags = VL_PCI_IN_USE;
	if (!bridge[0] || strcmp(bridge, "disks") == 0)
		return;
	pci.uplink = function_of(name);
	pci.taken.function[pci.taken.count - 1].flags = VL_PCI_IN_USE;
	pci.what = (struct vl_uplink){.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
				      .link = 1,
				      .received = 70,
				      .received_bytes = 7000,
				      .sent = 60,
				      .sent_bytes = 6000,
				      .dropped = 5,
				      .missed = 4,
				      .errors = 3,
				      .timeouts = 2};
	memcpy(pci.what.bridge, bridge, sizeof(bridge));
}

int world_pci_statement(const char *what, const char *rest)
{
	if (strcmp(what, "pci") == 0)
		add_function(rest);
	else if (strcmp(what, "taken") == 0)
		set_taken(rest);
	else
		return 0;
	return 1;
}
