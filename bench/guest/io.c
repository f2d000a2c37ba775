// SPDX-License-Identifier: MIT
/*
 * Rows of a disk, BENCH_DISK: one request at a time, of 4 or 64 KiB, past the page cache. What
 * was there is lost.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/guest/measure.h"
#include "bench/guest/rows.h"

#define KIB  1024
#define AREA (1024 * KIB) /* of the disk that is used */
#define REPS 200

struct disk {
	int fd;
	char *data;
	size_t size; /* of a request */
	off_t at;
};

static void go_on(struct disk *d)
{
	d->at = (d->at + (off_t)d->size) % AREA;
}

static void read_disk(void *arg)
{
	struct disk *d = arg;

	if (pread(d->fd, d->data, d->size, d->at) != (ssize_t)d->size)
		die("read of BENCH_DISK");
	go_on(d);
}

static void write_disk(void *arg)
{
	struct disk *d = arg;

	if (pwrite(d->fd, d->data, d->size, d->at) != (ssize_t)d->size)
		die("write of BENCH_DISK");
	go_on(d);
}

static void row(const char *name, unit_fn *unit, struct disk *d, size_t size)
{
	d->size = size;
	d->at = 0;
	measure(name, unit, d, REPS);
}

void io_rows(void)
{
	const char *name = getenv("BENCH_DISK");
	struct disk d = {.fd = name ? open(name, O_RDWR | O_DIRECT) : -1,
			 .data = aligned_alloc(PAGE, 64 * KIB)};

	if (d.fd < 0 || !d.data)
		die("BENCH_DISK");
	for (size_t i = 0; i < 64 * KIB; i++)
		d.data[i] = (char)i;
	row("disk_write_4k", write_disk, &d, 4 * KIB);
	row("disk_write_64k", write_disk, &d, 64 * KIB);
	row("disk_read_4k", read_disk, &d, 4 * KIB);
	row("disk_read_64k", read_disk, &d, 64 * KIB);
	close(d.fd);
	free(d.data);
}
