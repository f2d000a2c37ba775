/* SPDX-License-Identifier: MIT */
/*
 * The pretended machine's processors: files `online` of all but the first, of
 * which the world has as many as domain 0 has vcpus. What is written is printed;
 * one that the world says stays does not go.
 */
#include "tests/cli/processors.h"

#include <errno.h>

#define ONLINE "/sys/devices/system/cpu/cpu%u/online"

static struct {
	const struct world *world;
	unsigned int number;
} at;

static ssize_t tell(void *cookie, char *buffer, size_t size)
{
	(void)cookie;
	if (size == 0)
		return 0;
	*buffer = '1';
	return 1;
}

static ssize_t change(void *cookie, const char *data, size_t size)
{
	(void)cookie;
	if (at.number == at.world->stays) {
		errno = EBUSY;
		return 0;
	}
	fprintf(stderr, "vl-fake: processor %u %s\n", at.number,
		*data == '0' ? "offline" : "online");
	return (ssize_t)size;
}

int is_processor(const char *path)
{
	return sscanf(path, ONLINE, &at.number) == 1;
}

FILE *processor_open(const struct world *w, const char *path, const char *mode)
{
	const cookie_io_functions_t io = {.read = tell, .write = change};

	at.world = w;
	errno = ENOENT;
	if (!is_processor(path) || at.number == 0 || at.number >= w->domain[0].nr_vcpus)
		return NULL;
	return fopencookie(&at, mode, io);
}
