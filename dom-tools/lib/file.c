// SPDX-License-Identifier: MIT
/*
 * Mapping files, see file.h.
 */
#include "dom-tools/lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot(const char *what, const char *path, int err, struct vl_error *e)
{
	return vl_fail(e, err, "cannot %s `%s` (%s)", what, path, strerror(err));
}

static int map_open_file(int fd, const char *path, struct file_map *map, struct vl_error *e)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) < 0)
		return cannot("read", path, errno, e);
	if (!S_ISREG(st.st_mode))
		return vl_fail(e, EINVAL, "`%s` is not a file", path);
	*map = (struct file_map){.data = "", .size = (size_t)st.st_size};
	if (map->size == 0) /* which cannot be mapped */
		return 0;
	data = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return cannot("read", path, errno, e);
	map->data = data;
	return 0;
}

int file_map(const char *path, struct file_map *map, struct vl_error *e)
{
	/* Without O_NONBLOCK a FIFO would have us wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return cannot("open", path, errno, e);
	rc = map_open_file(fd, path, map, e);
	close(fd);
	return rc;
}

void file_unmap(struct file_map *map)
{
	if (map->size > 0)
		munmap((void *)(uintptr_t)map->data, map->size);
	map->size = 0;
}
