/* SPDX-License-Identifier: MIT */
/*
 * Devices of the device mapper, whose tables say where their sectors are: they are held
 * (suspended), get another table and go on, and who uses them notices a pause. Through
 * libdevmapper.
 *
 * Every function returns 0, or a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_DISK_MAPS_H
#define DOM_TOOLS_DISK_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom-tools/disk/drives.h"
#include "dom-tools/lib/error.h"

#define MAP_TARGETS 32

struct map_target {
	uint64_t start, length; /* of the map, sectors of 512 bytes */
	uint32_t major, minor;  /* of the block device that has them, */
	uint64_t offset;        /* from this sector on */
	uint32_t drive;         /* not the map's: for whoever uses it */
};

struct map {
	const char *name;
	struct block_device self;
	bool read_only;
	size_t count;
	struct map_target target[MAP_TARGETS];
};

/** The map of m->name. ENOENT: there is none; EINVAL: it is not made of `linear` pieces alone. */
int map_read(struct map *m, struct vl_error *e);

/** Let it finish what is under way and hold what comes, a mounted file system included. */
int map_hold(const struct map *m, struct vl_error *e);

/** Make these its targets, from map_go_on() on. */
int map_load(const struct map *m, struct vl_error *e);

/** What is held goes on. */
int map_go_on(const struct map *m, struct vl_error *e);

#endif
