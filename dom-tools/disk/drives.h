/* SPDX-License-Identifier: MIT */
/*
 * Where block devices lie, by this kernel's sysfs: on which drive of an IDE
 * controller (0 to 3, the numbers of ide0 to ide3), or behind which window for a
 * virtio device; and who uses them.
 */
#ifndef DOM_TOOLS_DISK_DRIVES_H
#define DOM_TOOLS_DISK_DRIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom-tools/lib/error.h"

#define DRIVES 4

struct block_device {
	uint32_t major, minor;
};

/** A block device is [start, …) of a drive of the PCI function, sectors of 512 bytes; false: of
 * none. */
bool drive_of(uint32_t function, struct block_device d, uint32_t *drive, uint64_t *start);

/** The whole drive's device; false: the controller's driver has found none (yet). */
bool drive_find(uint32_t function, uint32_t drive, struct block_device *d);

/** The partition of a drive that sectors [first, end) are in, or else the whole of it; and with
 * which sector that begins. */
bool drive_find_part(uint32_t function, uint32_t drive, uint64_t first, uint64_t end,
		     struct block_device *d, uint64_t *start);

/** The number of the platform device virtio-mmio.N that a block device is behind; false: it is
 * behind none. */
bool drive_window(struct block_device d, uint32_t *number, uint64_t *start);

/** And the block device that is behind that one. */
bool drive_behind(uint32_t number, struct block_device *d);

/** Sectors of a whole block device; 0: it cannot be told. */
uint64_t drive_sectors(struct block_device d);

/** Where to look for users: at the drives of a PCI function, or at what is behind a window. */
struct drive_users {
	char folder[256]; /* pattern of a block device's */
};
struct drive_users drive_users_of(uint32_t function);
struct drive_users drive_users_behind(uint32_t number);

/**
 * Whether somebody else than these maps uses one of them: a map, or, beside the devices that these
 * maps are on (`ours`), anybody (mounted, swapped to). EBUSY, with the name in the sentence.
 */
int drive_check_users(const struct drive_users *at, const struct block_device *maps, size_t nr_maps,
		      const struct block_device *ours, size_t nr_ours, struct vl_error *e);

#endif
