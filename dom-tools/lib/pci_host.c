/* SPDX-License-Identifier: MIT */
/*
 * See pci_host.h. Of a device's folder four files are read, and one link.
 */
#include "dom-tools/lib/pci_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUS       "/sys/bus/pci"
#define DEVICES   BUS "/devices"
#define NAME_SIZE 32

static void name_of(char name[static NAME_SIZE], uint32_t function)
{
	snprintf(name, NAME_SIZE, "0000:%02x:%02x.%x", function >> 8, function >> 3 & 31,
		 function & 7);
}

static uint32_t read_number(const char *device, const char *file)
{
	char path[PATH_MAX];
	unsigned int number = 0;
	FILE *in;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", device, file);
	in = fopen(path, "re");
	if (!in)
		return 0;
	if (fscanf(in, "%x", &number) != 1)
		number = 0;
	fclose(in);
	return number;
}

/* Of a driver that can lend a card while it is on. */
static bool is_lent(const char *device)
{
	return read_number(device, "lent") != 0;
}

static void read_driver(const char *device, char driver[static PCI_HOST_DRIVER])
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	ssize_t n;

	snprintf(path, sizeof(path), DEVICES "/%s/driver", device);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	last = strrchr(target, '/');
	snprintf(driver, PCI_HOST_DRIVER, "%.*s", PCI_HOST_DRIVER - 1, last ? last + 1 : target);
}

static int compare(const void *a, const void *b)
{
	const struct pci_host_function *f = a, *g = b;

	return (f->function > g->function) - (f->function < g->function);
}

static void add(struct pci_host_list *list, const char *device)
{
	struct pci_host_function *f = &list->function[list->count];
	unsigned int bus, slot, number;

	if (list->count == PCI_HOST_MOST ||
	    sscanf(device, "0000:%x:%x.%x", &bus, &slot, &number) != 3)
		return;
	*f = (struct pci_host_function){.function = bus << 8 | slot << 3 | number};
	f->id = read_number(device, "device") << 16 | read_number(device, "vendor");
	f->class = read_number(device, "class") >> 8;
	read_driver(device, f->driver);
	f->lent = is_lent(device);
	list->count++;
}

int pci_host_list(struct pci_host_list *list, struct vl_error *e)
{
	DIR *folder = opendir(DEVICES);
	const struct dirent *entry;

	list->count = 0;
	if (!folder)
		return vl_fail(e, errno, "this kernel shows no PCI devices (" DEVICES "): %s",
			       strerror(errno));
	while ((entry = readdir(folder)) != NULL)
		add(list, entry->d_name);
	closedir(folder);
	qsort(list->function, list->count, sizeof(list->function[0]), compare);
	return 0;
}

const struct pci_host_function *pci_host_find(const struct pci_host_list *list, uint32_t function)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->function[i].function == function)
			return &list->function[i];
	return NULL;
}

/* Whoever reads the file is to find all of it in one piece. */
static int write_file(const char *path, const char *text, struct vl_error *e)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err ? vl_fail(e, err, "writing to %s failed: %s", path, strerror(err)) : 0;
}

/* Only a driver of that name is for it; an empty line: whichever is. */
static int set_override(const char *device, const char *driver, struct vl_error *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s/driver_override", device);
	return write_file(path, driver, e);
}

int pci_host_unbind(const struct pci_host_function *f, struct vl_error *e)
{
	char path[PATH_MAX], device[NAME_SIZE];
	int rc;

	if (f->lent)
		return 0;
	name_of(device, f->function);
	rc = set_override(device, "vellum", e);
	if (rc || !f->driver[0])
		return rc;
	snprintf(path, sizeof(path), BUS "/drivers/%s/unbind", f->driver);
	return write_file(path, device, e);
}

int pci_host_probe(uint32_t function, struct vl_error *e)
{
	char device[NAME_SIZE];
	int rc;

	name_of(device, function);
	if (is_lent(device))
		return 0;
	rc = set_override(device, "\n", e);
	return rc ? rc : write_file(BUS "/drivers_probe", device, e);
}
