/* SPDX-License-Identifier: MIT */
/*
 * `vl network-attach`, `vl block-attach` and their opposites: virtio devices of a
 * guest that runs. What is attached is written as in `vif` and `disk` of a
 * configuration. A disk is held until all of its contents are there, so the guest
 * never sees half of one.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/config/devices.h"
#include "dom-tools/lib/devices.h"
#include "dom-tools/lib/disks.h"
#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/file.h"
#include "dom-tools/lib/guests.h"
#include "dom-tools/vl/attach.h"
#include "dom-tools/vl/device_text.h"

#define SECONDS_USUAL 10
#define SECONDS_MOST  3600
#define NAMES_TRIED   32
#define LINES         24 /* pins of an IOAPIC */

/* A guest, and what it has already. */
struct target {
	struct vl_client *client;
	struct vl_domain_info domain;
	struct vl_devices devices;
	uint8_t line; /* of the first guest's */
};

static int find_target(struct invocation *inv, struct target *t, struct vl_error *e)
{
	int rc = vl_find_domain(&inv->client, inv->operands[0], &t->domain, e);

	t->client = &inv->client;
	t->line = 0;
	if (rc)
		return rc;
	return vl_get_devices(&inv->client, t->domain.domid, &t->devices, e);
}

static int read_number(struct invocation *inv, const char *option, const char *what,
		       unsigned int most, unsigned int *number, struct vl_error *e)
{
	const char *text = option_value(inv, option);
	unsigned long n;
	char *end;

	if (!text)
		return 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || n > most)
		return vl_fail(e, VL_USAGE, "%s: `%s` is no number of %s up to %u",
			       inv->command->name, text, what, most);
	*number = (unsigned int)n;
	return 0;
}

/* The first guest has the machine's interrupt controllers, and says which line of theirs is free.
 */
static int find_receiver(struct invocation *inv, struct target *t, struct vl_error *e)
{
	unsigned int line = 0;
	int rc = read_number(inv, "line", "a line", LINES - 1, &line, e);

	if (rc == 0)
		rc = find_target(inv, t, e);
	if (rc)
		return rc;
	t->line = (uint8_t)line;
	if (t->domain.domid == 0 && line == 0)
		return vl_fail(e, EINVAL,
			       "the first guest has the machine's own devices, and of others only "
			       "those whose interrupt line --line tells");
	if (t->domain.domid != 0 && line != 0)
		return vl_fail(e, EINVAL, "--line is for devices of the first guest");
	return 0;
}

static void count_in(const struct target *t, struct config_devices *d)
{
	*d = (struct config_devices){
		.nr_vifs = vl_count_devices(&t->devices, VL_DEVICE_NET),
		.nr_disks = vl_count_devices(&t->devices, VL_DEVICE_BLOCK),
	};
}

/* What the configuration's reader has to say of it. */
static int complain(const struct problems *p, int rc, struct vl_error *e)
{
	if (rc)
		return vl_fail(e, -rc, "there is no memory");
	return p->errors > 0 ? vl_fail(e, VL_USAGE, "%s", p->list[0].text) : 0;
}

/* --- network --- */

/* Addresses that are made of the guest's name and a number: the first that is free. */
static int add_named(struct target *t, const struct config_vif *wanted, struct vl_error *e)
{
	int rc = -EEXIST;

	for (size_t i = 0; rc == -EEXIST && i < NAMES_TRIED; i++) {
		struct config_vif vif = *wanted;

		devices_make_mac(&vif, t->domain.name, i);
		rc = attach_vif(t->client, t->domain.domid, &vif, t->line, e);
	}
	return rc;
}

int cmd_network_attach(struct invocation *inv, struct vl_error *e)
{
	const struct value value = {.kind = VALUE_STRING, .text = inv->operands[1]};
	static struct problems problems;
	struct config_devices wanted;
	const struct config_vif *vif;
	struct target t;
	int rc = find_receiver(inv, &t, e);

	if (rc)
		return rc;
	count_in(&t, &wanted);
	rc = complain(&problems, devices_add_vif(&wanted, &value, &problems), e);
	if (rc)
		return rc;
	vif = &wanted.vif[wanted.nr_vifs - 1];
	return vif->has_mac ? attach_vif(t.client, t.domain.domid, vif, t.line, e)
			    : add_named(&t, vif, e);
}

/* --- disks --- */

static int check_file(const char *name, const struct file_map *file, struct vl_error *e)
{
	if (file->size == 0 || file->size % VL_SECTOR_SIZE != 0)
		return vl_fail(e, EINVAL, "%s has %zu bytes, and a disk has whole sectors of %u",
			       name, file->size, VL_SECTOR_SIZE);
	if (file->size > VL_DISK_MOST)
		return vl_fail(e, EINVAL, "%s is too large: a disk has %d MiB at most", name,
			       CONFIG_DISK_MOST_MIB);
	return 0;
}

static int fill_and_show(struct target *t, uint32_t index, const struct file_map *file,
			 struct vl_error *e)
{
	struct vl_error ignored;
	uint32_t domid = t->domain.domid;
	int rc = vl_guest_fill_disk(t->client, domid, index, 0, file->data, file->size, e);

	if (rc == 0)
		rc = vl_guest_show_device(t->client, domid, index, e);
	if (rc)
		vl_guest_remove_device(t->client, domid, index, true, 0, &ignored);
	return rc;
}

static int add_disk(struct target *t, const struct config_disk *disk, struct vl_error *e)
{
	struct vl_device device = {.kind = VL_DEVICE_BLOCK, .size = disk->size};
	struct file_map file = {0};
	uint32_t index = 0;
	int rc = disk->file ? file_map(disk->file, &file, e) : 0;

	if (rc)
		return rc;
	device.flags = VL_DEVICE_HELD | (disk->read_only ? VL_DEVICE_READ_ONLY : 0);
	if (disk->file) {
		device.size = file.size;
		rc = check_file(disk->file, &file, e);
	}
	if (rc == 0)
		rc = vl_guest_add_device(t->client, t->domain.domid, &device, &index, e);
	if (rc == 0)
		rc = fill_and_show(t, index, &file, e);
	if (disk->file)
		file_unmap(&file);
	return rc;
}

static int add_any(struct target *t, const struct config_disk *disk, struct vl_error *e)
{
	if (disk->real)
		return attach_extent(t->client, t->domain.domid, disk, t->line, e);
	if (t->line != 0)
		return vl_fail(e, EINVAL,
			       "the first guest can have disks of the machine alone: phy:ide0");
	return add_disk(t, disk, e);
}

int cmd_block_attach(struct invocation *inv, struct vl_error *e)
{
	const struct value value = {.kind = VALUE_STRING, .text = inv->operands[1]};
	static struct problems problems;
	struct config_devices wanted;
	struct tree tree = {0};
	struct target t;
	int rc = find_receiver(inv, &t, e);

	if (rc)
		return rc;
	count_in(&t, &wanted);
	rc = complain(&problems, devices_add_disk(&wanted, &value, &tree, &problems), e);
	if (rc == 0)
		rc = add_any(&t, &wanted.disk[wanted.nr_disks - 1], e);
	tree_free(&tree);
	return rc;
}

/* --- away --- */

/* By its number; a network device by its address, too. */
static bool is_named(const struct vl_device *d, uint32_t index, const char *text)
{
	char mac[MAC_TEXT_SIZE], number[16];

	snprintf(number, sizeof(number), "%" PRIu32, index);
	return strcmp(number, text) == 0 ||
	       (d->kind == VL_DEVICE_NET && strcasecmp(device_mac(mac, d->mac), text) == 0);
}

static int find_device(const struct target *t, uint32_t kind, const char *text, uint32_t *index,
		       struct vl_error *e)
{
	const char *what = kind == VL_DEVICE_NET ? "network device" : "disk";

	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
		if (t->devices.there[i] && t->devices.device[i].kind == kind &&
		    is_named(&t->devices.device[i], i, text)) {
			*index = i;
			return 0;
		}
	return vl_fail(e, ENOENT,
		       "domain %" PRIu32 " has no %s `%s`; `vl %s %" PRIu32 "` lists them",
		       t->domain.domid, what, text,
		       kind == VL_DEVICE_NET ? "network-list" : "block-list", t->domain.domid);
}

static int detach(struct invocation *inv, uint32_t kind, struct vl_error *e)
{
	unsigned int seconds = SECONDS_USUAL;
	struct target t;
	uint32_t index = 0;
	int rc = read_number(inv, "timeout", "seconds", SECONDS_MOST, &seconds, e);

	if (rc == 0)
		rc = find_target(inv, &t, e);
	if (rc == 0)
		rc = find_device(&t, kind, inv->operands[1], &index, e);
	if (rc)
		return rc;
	return vl_guest_remove_device(t.client, t.domain.domid, index, option_given(inv, "force"),
				      seconds, e);
}

int cmd_network_detach(struct invocation *inv, struct vl_error *e)
{
	return detach(inv, VL_DEVICE_NET, e);
}

int cmd_block_detach(struct invocation *inv, struct vl_error *e)
{
	return detach(inv, VL_DEVICE_BLOCK, e);
}
