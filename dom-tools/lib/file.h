/* SPDX-License-Identifier: MIT */
/*
 * Whole files, read-only: what a user names on the command line or in a
 * configuration.
 */
#ifndef DOM_TOOLS_LIB_FILE_H
#define DOM_TOOLS_LIB_FILE_H

#include <stddef.h>

#include "dom-tools/lib/error.h"

struct file_map {
	const void *data;
	size_t size;
};

/**
 * Map the regular file at `path`. Who cuts it meanwhile kills us (SIGBUS), as with any program.
 * Returns 0 and a map for file_unmap(), or a negative errno with its sentence in `e`.
 */
int file_map(const char *path, struct file_map *map, struct vl_error *e);

void file_unmap(struct file_map *map);

#endif
