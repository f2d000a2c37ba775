/* SPDX-License-Identifier: MIT */
/*
 * vl-fake is vl, all of it, with the few system calls by which it reaches the
 * outside replaced at link time (ld --wrap): so the device transport and its
 * sentences are under test too. The world behind them is the file that the
 * variable VL_WORLD names, see world.h. The driver's part is played here by
 * the rules of public/device.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dom-tools/lib/device.h"
#include "tests/cli/driver.h"
#include "tests/cli/processors.h"
#include "tests/cli/world.h"

#define FAKE_FD 12345
#define PAGE    4096
#define MEMINFO "/proc/meminfo"

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
uint64_t __wrap_machine_tsc_rate(void);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_close(int fd);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __real_read(int fd, void *data, size_t size);
int __wrap_poll(struct pollfd *p, nfds_t n, int milliseconds);
int __real_poll(struct pollfd *p, nfds_t n, int milliseconds);
pid_t __wrap_fork(void);
int __wrap_access(const char *path, int mode);
int __wrap_nanosleep(const struct timespec *interval, struct timespec *left);

static struct world *world(void)
{
	static struct world w;
	static int loaded;

	if (!loaded) {
		const char *path = getenv("VL_WORLD");

		if (!path)
			world_die("the variable VL_WORLD is not set");
		loaded = 1;
		world_load(&w, path);
	}
	return &w;
}

static int fails_with(int err)
{
	if (!err)
		return 0;
	errno = err;
	return -1;
}

/* Files of the user's are real, and vl only reads them. */
static int is_plain_file(const char *path)
{
	return strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/proc/", 6) != 0 &&
	       strncmp(path, "/sys/", 5) != 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (is_plain_file(path) && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT))
		return __real_open(path, flags);
	if (strcmp(path, VL_DEVICE_PATH) != 0)
		world_die("vl opens %s", path);
	return fails_with(world()->open_error) ? -1 : FAKE_FD;
}

int __wrap_close(int fd)
{
	if (fd == FAKE_FD) {
		driver_close(world());
		return 0;
	}
	if (fd <= 2)
		world_die("vl closes %d, which it did not open", fd);
	return __real_close(fd);
}

/* What the kernel tells of its processors and memory; the world file itself is opened by this, too.
 */
FILE *__wrap_fopen(const char *path, const char *mode)
{
	static char text[64];

	if (is_processor(path))
		return processor_open(world(), path, mode);
	if (strcmp(path, MEMINFO) != 0)
		return __real_fopen(path, mode);
	if (world()->meminfo == UINT64_MAX) {
		errno = ENOENT;
		return NULL;
	}
	snprintf(text, sizeof(text), "MemTotal: 1 kB\nMemAvailable: %7llu kB\n",
		 (unsigned long long)world()->meminfo);
	return fmemopen(text, strlen(text), "r");
}

uint64_t __wrap_machine_tsc_rate(void)
{
	return world()->tsc_rate;
}

int __wrap_access(const char *path, int mode)
{
	(void)mode;
	(void)path;
	return world()->sysfs ? 0 : fails_with(ENOENT);
}

/* One hypercall as the driver carries it: by way of a page of its own. */
static int carry(struct vl_ioctl_call *call)
{
	static char page[PAGE];

	if (call->buffer_size > PAGE || call->buffer_arg > 3 || call->reserved)
		return fails_with(EINVAL);
	memset(page, 0x5a, sizeof(page));
	if (call->buffer_size) {
		memcpy(page, (const void *)(uintptr_t)call->buffer, call->buffer_size);
		call->arg[call->buffer_arg] = 0x1000;
		call->arg[call->buffer_arg + 1] = call->buffer_size;
	}
	call->result = world_call(world(), call->nr, call->arg, page, call->buffer_size);
	if (call->buffer_size && call->result >= 0)
		memcpy((void *)(uintptr_t)call->buffer, page, call->buffer_size);
	return 0;
}

/* A switch as the kernel makes it. */
static int switch_mode(struct vl_ioctl_switch *s)
{
	if (world()->switch_error)
		return fails_with(world()->switch_error);
	if (s->mode > VL_MODE_VIRTUALIZED || s->reserved)
		return fails_with(EINVAL);
	if ((s->layers & VL_LAYER_CPU || world_layers(world()) == 0) &&
	    world_mode(world()) == s->mode)
		return fails_with(EALREADY);
	s->result = world_switch(world(), s->mode, s->layers);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list ap;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (fd != FAKE_FD)
		return fails_with(ENOTTY);
	if (world()->ioctl_error)
		return fails_with(world()->ioctl_error);
	if (request == VL_IOCTL_CALL)
		return carry(argument);
	if (request == VL_IOCTL_SWITCH)
		return switch_mode(argument);
	return fails_with(driver_ioctl(world(), request, argument));
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	long n = fd == FAKE_FD ? driver_write(world(), data, size, (uint64_t)offset) : -EBADF;

	return n < 0 ? fails_with((int)-n) : n;
}

/* What the user has typed while vl waited. */
static const char *typed;

ssize_t __wrap_read(int fd, void *data, size_t size)
{
	size_t n;

	if (fd != STDIN_FILENO || !typed)
		return __real_read(fd, data, size);
	n = strlen(typed) < size ? strlen(typed) : size;
	memcpy(data, typed, n);
	typed = NULL;
	return (ssize_t)n;
}

/* Waiting is when domains do something; when nothing is left to happen, the user presses ^C. */
int __wrap_poll(struct pollfd *p, nfds_t n, int milliseconds)
{
	if (p[0].fd != FAKE_FD)
		return __real_poll(p, n, milliseconds);
	p[0].revents = p[1].revents = 0;
	if (world()->has_typed) {
		typed = world()->typed;
		world()->has_typed = 0;
		p[1].revents = POLLIN;
		return 1;
	}
	if (milliseconds == 0)
		return 0;
	if (!driver_wait(world(), &typed))
		raise(SIGINT);
	p[typed ? 1 : 0].revents = POLLIN;
	return 1;
}

pid_t __wrap_fork(void)
{
	fprintf(stderr, "vl-fake: a process stays behind\n");
	return 1;
}

/* Sleeping is when the log grows; when nothing is left to happen, the user presses ^C. */
int __wrap_nanosleep(const struct timespec *interval, struct timespec *left)
{
	(void)interval;
	(void)left;
	if (!world_next_event(world(), &world()->on_sleep))
		raise(SIGINT);
	return 0;
}
