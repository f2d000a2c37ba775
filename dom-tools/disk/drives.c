/* SPDX-License-Identifier: MIT */
#include "dom-tools/disk/drives.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom-tools/lib/pci.h"

#define PORTS 2 /* of a controller, with two drives each */

/* Below .../block/: */
#define WHOLE "*"
#define PARTS "*/*[0-9]"

static bool read_text(const char *folder, const char *file, const char *format, void *a, void *b)
{
	char path[PATH_MAX + 16];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = b ? fscanf(f, format, a, b) : fscanf(f, format, a);
	fclose(f);
	return n == (b ? 2 : 1);
}

static bool read_device(const char *folder, struct block_device *d)
{
	return read_text(folder, "dev", "%" SCNu32 ":%" SCNu32, &d->major, &d->minor);
}

/* Its folder, and the first sector of the whole device that it has. */
static bool find_folder(struct block_device d, char folder[PATH_MAX], uint64_t *start)
{
	char path[64];
	uint32_t number;

	snprintf(path, sizeof(path), "/sys/dev/block/%" PRIu32 ":%" PRIu32, d.major, d.minor);
	if (!realpath(path, folder))
		return false;
	*start = 0;
	return !read_text(folder, "partition", "%" SCNu32, &number, NULL) ||
	       read_text(folder, "start", "%" SCNu64, start, NULL);
}

static void function_folder(char path[PATH_MAX], uint32_t function)
{
	char name[PCI_NAME_SIZE];

	snprintf(path, PATH_MAX, "/sys/bus/pci/devices/0000:%s", vl_pci_name(name, function));
}

/* Of a controller's ports, how many there are below this one: the driver numbers them on. */
static bool port_index(uint32_t function, unsigned int port, uint32_t *index)
{
	char pattern[PATH_MAX];
	bool found = false;
	glob_t g;

	function_folder(pattern, function);
	strncat(pattern, "/ata*", PATH_MAX - strlen(pattern) - 1);
	*index = 0;
	if (glob(pattern, 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		unsigned int other =
			(unsigned int)atoi(strrchr(g.gl_pathv[i], '/') + strlen("/ata"));

		*index += other < port;
		found = found || other == port;
	}
	globfree(&g);
	return found && *index < PORTS;
}

/* The drive of a path below the controller's folder. */
static bool parse_drive(uint32_t function, const char *path, uint32_t *drive)
{
	char name[PCI_NAME_SIZE], mark[PCI_NAME_SIZE + 8];
	unsigned int port, target;
	uint32_t index;

	snprintf(mark, sizeof(mark), "/0000:%s/", vl_pci_name(name, function));
	path = strstr(path, mark);
	if (!path ||
	    sscanf(path + strlen(mark), "ata%u/host%*u/target%*u:%*u:%u/", &port, &target) != 2)
		return false;
	if (target > 1 || !port_index(function, port, &index))
		return false;
	*drive = 2 * index + target;
	return true;
}

bool drive_of(uint32_t function, struct block_device d, uint32_t *drive, uint64_t *start)
{
	char folder[PATH_MAX];

	return find_folder(d, folder, start) && parse_drive(function, folder, drive);
}

bool drive_window(struct block_device d, uint32_t *number, uint64_t *start)
{
	char folder[PATH_MAX];
	const char *at;

	if (!find_folder(d, folder, start))
		return false;
	at = strstr(folder, "/virtio-mmio.");
	return at && sscanf(at, "/virtio-mmio.%" SCNu32 "/", number) == 1;
}

/* The block devices that a pattern finds, until `wanted` says yes to one. */
static bool find(const char *pattern, bool (*wanted)(const char *folder, void *context),
		 void *context)
{
	bool found = false;
	glob_t g;

	if (glob(pattern, 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		char folder[PATH_MAX];

		found = realpath(g.gl_pathv[i], folder) && wanted(folder, context);
	}
	globfree(&g);
	return found;
}

static void drives_pattern(char pattern[PATH_MAX], uint32_t function, const char *below)
{
	function_folder(pattern, function);
	strncat(pattern, "/ata*/host*/target*/*/block/", PATH_MAX - strlen(pattern) - 1);
	strncat(pattern, below, PATH_MAX - strlen(pattern) - 1);
}

static int open_device(const char *folder, int flags)
{
	char path[NAME_MAX + 8];

	snprintf(path, sizeof(path), "/dev/%.*s", NAME_MAX, strrchr(folder, '/') + 1);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
}

struct wanted_drive {
	uint32_t function, drive;
	struct block_device *d;
};

/* Who can open it finds its partitions, too: the kernel has looked for them by then. */
static bool is_wanted(const char *folder, void *context)
{
	const struct wanted_drive *w = context;
	uint32_t drive;
	int fd;

	if (!parse_drive(w->function, folder, &drive) || drive != w->drive ||
	    !read_device(folder, w->d))
		return false;
	fd = open_device(folder, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool drive_find(uint32_t function, uint32_t drive, struct block_device *d)
{
	struct wanted_drive w = {function, drive, d};
	char pattern[PATH_MAX];

	drives_pattern(pattern, function, WHOLE);
	return find(pattern, is_wanted, &w);
}

struct wanted_part {
	uint32_t function, drive;
	uint64_t first, end, start;
	struct block_device *d;
};

static bool has_sectors(const char *folder, void *context)
{
	struct wanted_part *w = context;
	uint64_t sectors;
	uint32_t drive;

	return parse_drive(w->function, folder, &drive) && drive == w->drive &&
	       read_text(folder, "start", "%" SCNu64, &w->start, NULL) &&
	       read_text(folder, "size", "%" SCNu64, &sectors, NULL) && w->start <= w->first &&
	       w->end <= w->start + sectors && read_device(folder, w->d);
}

bool drive_find_part(uint32_t function, uint32_t drive, uint64_t first, uint64_t end,
		     struct block_device *d, uint64_t *start)
{
	struct wanted_part w = {function, drive, first, end, 0, d};
	char pattern[PATH_MAX];

	drives_pattern(pattern, function, PARTS);
	if (!find(pattern, has_sectors, &w)) {
		*start = 0;
		return drive_find(function, drive, d);
	}
	*start = w.start;
	return true;
}

static bool is_any(const char *folder, void *context)
{
	return read_device(folder, context);
}

bool drive_behind(uint32_t number, struct block_device *d)
{
	char pattern[PATH_MAX];

	snprintf(pattern, sizeof(pattern),
		 "/sys/bus/platform/devices/virtio-mmio.%" PRIu32 "/virtio*/block/*", number);
	return find(pattern, is_any, d);
}

uint64_t drive_sectors(struct block_device d)
{
	uint64_t start, sectors = 0;
	char folder[PATH_MAX];

	if (find_folder(d, folder, &start))
		read_text(folder, "size", "%" SCNu64, &sectors, NULL);
	return sectors;
}

/* --- who uses them --- */

struct check {
	const struct block_device *maps, *ours;
	size_t nr_maps, nr_ours;
	char used[NAME_MAX + 1], by[NAME_MAX + 1];
};

static bool is_one_of(const struct block_device *list, size_t count, struct block_device d)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].major == d.major && list[i].minor == d.minor)
			return true;
	return false;
}

/* The folder of the whole device: its own, or the one above that of a partition. */
static void whole_of(char folder[PATH_MAX])
{
	uint32_t number;

	if (read_text(folder, "partition", "%" SCNu32, &number, NULL))
		*strrchr(folder, '/') = 0;
}

/* The same device, or one of the two is the whole one that the other is a part of: who has one of
 * them keeps others from both. */
static bool is_ours(const struct check *c, const char *folder, struct block_device d)
{
	char whole[PATH_MAX], own[PATH_MAX];
	uint64_t start;

	snprintf(whole, sizeof(whole), "%s", folder);
	whole_of(whole);
	for (size_t i = 0; i < c->nr_ours; i++) {
		if (is_one_of(&c->ours[i], 1, d))
			return true;
		if (!find_folder(c->ours[i], own, &start))
			continue;
		if (strcmp(own, whole) == 0 ||
		    (strcmp(whole, folder) == 0 && strncmp(own, folder, strlen(folder)) == 0 &&
		     own[strlen(folder)] == '/'))
			return true;
	}
	return false;
}

static bool is_strange(const char *folder, void *context)
{
	struct check *c = context;
	struct block_device d;

	if (!read_device(folder, &d) || is_one_of(c->maps, c->nr_maps, d))
		return false;
	snprintf(c->by, sizeof(c->by), "%s", strrchr(folder, '/') + 1);
	return true;
}

/* The kernel lets nobody else have what is mounted, swapped to or mapped; several maps it does. */
static bool is_used(const char *folder, void *context)
{
	struct check *c = context;
	char pattern[PATH_MAX + 16];
	struct block_device d;
	int fd;

	if (!read_device(folder, &d))
		return false;
	snprintf(c->used, sizeof(c->used), "%s", strrchr(folder, '/') + 1);
	snprintf(pattern, sizeof(pattern), "%s/holders/*", folder);
	if (find(pattern, is_strange, c))
		return true;
	if (is_ours(c, folder, d))
		return false;
	snprintf(c->by, sizeof(c->by), "a file system, say");
	fd = open_device(folder, O_EXCL);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno != ENXIO && errno != ENOMEDIUM;
}

struct drive_users drive_users_of(uint32_t function)
{
	struct drive_users u;
	char pattern[PATH_MAX];

	drives_pattern(pattern, function, "");
	snprintf(u.folder, sizeof(u.folder), "%.255s", pattern);
	return u;
}

struct drive_users drive_users_behind(uint32_t number)
{
	struct drive_users u;

	snprintf(u.folder, sizeof(u.folder),
		 "/sys/bus/platform/devices/virtio-mmio.%" PRIu32 "/virtio*/block/", number);
	return u;
}

int drive_check_users(const struct drive_users *at, const struct block_device *maps, size_t nr_maps,
		      const struct block_device *ours, size_t nr_ours, struct vl_error *e)
{
	static const char *const parts[] = {WHOLE, PARTS};
	struct check c = {.maps = maps, .nr_maps = nr_maps, .ours = ours, .nr_ours = nr_ours};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char pattern[PATH_MAX];

		snprintf(pattern, sizeof(pattern), "%s%s", at->folder, parts[i]);
		if (find(pattern, is_used, &c))
			return vl_fail(
				e, EBUSY,
				"%s is in use by others than the maps that are named (%s); name "
				"its map, too, or unmount it",
				c.used, c.by);
	}
	return 0;
}
