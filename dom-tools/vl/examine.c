/* SPDX-License-Identifier: MIT */
/*
 * Examining a configuration, see examine.h. All that can be found out without
 * making a guest is, and every problem told, each at the place in the file
 * that it is about. In order: the file by itself, the files that it names, the
 * machine.
 */
#include "dom-tools/vl/examine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dom-tools/guest/image.h"
#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/guests.h"
#include "dom-tools/lib/machine.h"
#include "dom-tools/vl/output.h"

#define MIB_BYTES ((uint64_t)1 << 20)

/* Where memory starts on a machine that is not looked at. */
#define USUAL_START MIB_BYTES

uint64_t to_mib(uint64_t bytes)
{
	return (bytes + MIB_BYTES - 1) / MIB_BYTES;
}

int check_load(const char *path, struct check *c, struct vl_error *e)
{
	int rc;

	*c = (struct check){.path = path};
	rc = file_map(path, &c->file, e);
	if (rc)
		return rc;
	rc = config_parse(c->file.data, c->file.size, &c->config, &c->problems);
	if (rc == 0)
		return 0;
	check_free(c);
	return vl_fail(e, ENOMEM, "not enough memory to read `%s`", path);
}

void check_free(struct check *c)
{
	if (c->has_kernel)
		kernel_free(&c->kernel);
	c->has_kernel = false;
	file_unmap(&c->kernel_file);
	file_unmap(&c->ramdisk);
	for (size_t i = 0; i < CONFIG_DEVICES_MOST; i++)
		file_unmap(&c->disk[i]);
	config_free(&c->config);
	file_unmap(&c->file);
}

static struct position place(const struct check *c, enum config_key key)
{
	return c->config.at[key];
}

static void error_at(struct check *c, enum config_key key, const char *text)
{
	problem_add(&c->problems, PROBLEM_ERROR, place(c, key), "%s", text);
}

/* For which ABI it was written; that of a plain ELF file was checked with the rest of it. */
static void check_note(struct check *c, const struct elf64 *elf)
{
	if (!elf->has_note)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_KERNEL),
			    "the kernel in the bzImage lacks Vellum's note: a kernel without "
			    "Vellum's patches does not run as a later guest");
	else if (elf->note.abi_major != VL_ABI_MAJOR)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_KERNEL),
			    "the kernel was written for version %" PRIu32
			    " of Vellum's ABI and this is version %d",
			    elf->note.abi_major, VL_ABI_MAJOR);
}

/* A kernel that has no room for all windows gets those that have a device. */
static void check_cmdline(struct check *c)
{
	size_t most = GUEST_CMDLINE_MOST, n = strlen(c->config.cmdline);

	if (c->kernel.packed && c->kernel.bzimage.cmdline_max < most)
		most = c->kernel.bzimage.cmdline_max;
	if (strlen(c->config.cmdline_whole) <= most)
		c->config.cmdline = c->config.cmdline_whole;
	if (n > most)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_EXTRA),
			    "the command line has %zu bytes, and the kernel takes %zu", n, most);
}

static void check_kernel(struct check *c)
{
	struct vl_error e;

	if (file_map(c->config.kernel, &c->kernel_file, &e)) {
		error_at(c, KEY_KERNEL, e.text);
		return;
	}
	if (kernel_examine(c->kernel_file.data, c->kernel_file.size, &c->kernel, &e)) {
		error_at(c, KEY_KERNEL, e.text);
		return;
	}
	c->has_kernel = true;
	check_note(c, &c->kernel.elf);
	check_cmdline(c);
}

static void check_ramdisk(struct check *c)
{
	struct vl_error e;

	if (file_map(c->config.ramdisk, &c->ramdisk, &e))
		error_at(c, KEY_RAMDISK, e.text);
	else if (c->ramdisk.size == 0)
		error_at(c, KEY_RAMDISK, "the RAM disk is empty");
}

static void check_size(struct check *c)
{
	uint64_t memory = c->config.memory_mib;

	if (!c->has_kernel)
		return;
	c->parts = guest_parts(&c->kernel, c->ramdisk.size);
	c->memory_least = guest_least(&c->parts, USUAL_START);
	if (c->memory_least == 0)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_KERNEL),
			    "the kernel is linked to %#" PRIx64 ", where a guest has no memory",
			    c->parts.kernel.start);
	else if (memory && memory < to_mib(c->memory_least))
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_MEMORY),
			    "kernel and RAM disk alone need %" PRIu64 " MiB, %" PRIu64
			    " MiB more than this",
			    to_mib(c->memory_least), to_mib(c->memory_least) - memory);
}

static void check_disk(struct check *c, const struct config_disk *disk, struct file_map *file)
{
	const uint64_t most = CONFIG_DISK_MOST_MIB * MIB_BYTES;
	struct vl_error e;

	if (file_map(disk->file, file, &e))
		problem_add(&c->problems, PROBLEM_ERROR, disk->at, "%s", e.text);
	else if (file->size == 0 || file->size % VL_SECTOR_SIZE != 0)
		problem_add(&c->problems, PROBLEM_ERROR, disk->at,
			    "%s has %zu bytes, and a disk has whole sectors of %u", disk->file,
			    file->size, VL_SECTOR_SIZE);
	else if (file->size > most)
		problem_add(&c->problems, PROBLEM_ERROR, disk->at,
			    "%s has %" PRIu64 " MiB, and the largest disk is of %d MiB", disk->file,
			    to_mib(file->size), CONFIG_DISK_MOST_MIB);
}

static void check_disks(struct check *c)
{
	const struct config_devices *d = &c->config.devices;

	for (size_t i = 0; i < d->nr_disks; i++)
		if (d->disk[i].file != NULL)
			check_disk(c, &d->disk[i], &c->disk[i]);
}

void check_files(struct check *c)
{
	if (c->config.kernel)
		check_kernel(c);
	if (c->config.ramdisk)
		check_ramdisk(c);
	check_disks(c);
	check_size(c);
}

/* Whether a machine has such memory at all, whoever has it now. */
static void check_place(struct check *c)
{
	uint64_t wanted = c->config.memory_mib * MIB_BYTES, largest = 0;
	struct guest_plan plan;

	if (!c->has_kernel || wanted < c->memory_least ||
	    guest_choose(&c->parts, &c->machine, wanted, &plan))
		return;
	for (uint32_t i = 0; i < c->machine.count && i < VL_MEMORY_RANGES; i++)
		if (c->machine.range[i].size > largest)
			largest = c->machine.range[i].size;
	problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_MEMORY),
		    "no range of this machine's RAM is as large and holds what the kernel is "
		    "linked to; the largest has %" PRIu64 " MiB",
		    largest / MIB_BYTES);
}

/* Whether there is room for the guest in the one that makes it. */
static int check_memory(struct check *c, struct vl_error *e)
{
	uint64_t wanted = c->config.memory_mib * MIB_BYTES;
	int rc = 0;

	if (c->has_machine)
		c->memory_available = c->machine.available;
	else
		rc = machine_available_memory(&c->memory_available, e);
	if (rc)
		return rc;
	if (wanted > c->memory_available)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_MEMORY),
			    "this guest can give %" PRIu64 " MiB; %" PRIu64 " MiB are missing",
			    c->memory_available / MIB_BYTES, to_mib(wanted - c->memory_available));
	return 0;
}

static int check_name(struct check *c, struct vl_client *client, struct vl_error *e)
{
	struct vl_domain_list list;
	int rc = vl_list_domains(client, &list, e);

	if (rc)
		return rc;
	for (size_t i = 0; c->config.name && i < list.count; i++)
		if (strcmp(list.domain[i].name, c->config.name) == 0)
			problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_NAME),
				    "domain %" PRIu32 " has this name already",
				    list.domain[i].domid);
	vl_free_domains(&list);
	return 0;
}

static int check_under_vellum(struct check *c, struct vl_client *client, struct vl_error *e)
{
	int rc = check_name(c, client, e);

	if (rc == 0)
		rc = vl_guest_memory(client, &c->machine, e);
	c->has_machine = rc == 0;
	if (c->has_machine)
		check_place(c);
	return rc;
}

void check_machine(struct check *c, struct vl_client *client)
{
	struct vl_error e;

	if (client != NULL && check_under_vellum(c, client, &e))
		problem_add(&c->problems, PROBLEM_ERROR, (struct position){0}, "%s", e.text);
	if (check_memory(c, &e))
		problem_add(&c->problems, PROBLEM_ERROR, (struct position){0}, "%s", e.text);
}

static const char *severity_name(enum severity severity)
{
	return severity == PROBLEM_ERROR ? "error" : "warning";
}

void check_print_problems(struct check *c)
{
	problems_sort(&c->problems);
	for (size_t i = 0; i < c->problems.count; i++) {
		const struct problem *p = &c->problems.list[i];

		printf("%s:", c->path);
		if (p->at.line)
			printf("%" PRIu32 ":%" PRIu32 ":", p->at.line, p->at.column);
		printf(" %s: ", severity_name(p->severity));
		for (const char *s = p->text; *s; s++)
			print_byte(stdout, (unsigned char)*s);
		putchar('\n');
	}
}

int check_verdict(const struct check *c, struct vl_error *e)
{
	if (c->problems.errors == 0)
		return 0;
	return vl_fail(e, EINVAL, "%s: no guest can start from it; %zu error%s", c->path,
		       c->problems.errors, c->problems.errors == 1 ? "" : "s");
}
