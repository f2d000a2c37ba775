/* SPDX-License-Identifier: MIT */
#include "dom-tools/disk/windows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dom-tools/lib/devices.h"

#define WINDOWS "/sys/module/virtio_mmio/parameters/device"
#define DRIVER  "/sys/bus/platform/drivers/virtio-mmio"

/* All that the kernel knows of. */
static uint32_t read_all(struct window list[VL_MAX_DEVICES])
{
	FILE *f = fopen(WINDOWS, "re");
	uint32_t count = 0;
	char row[128];

	while (f && count < VL_MAX_DEVICES && fgets(row, sizeof(row), f)) {
		uint64_t address;
		unsigned int line, number;

		if (sscanf(row, "%*[^@]@%" SCNx64 ":%u:%u", &address, &line, &number) != 3)
			continue;
		for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
			if (address == VL_DEVICE_ADDRESS(i))
				list[count++] = (struct window){i, number, (uint8_t)line};
	}
	if (f)
		fclose(f);
	return count;
}

static int none(uint32_t index, struct vl_error *e)
{
	return vl_fail(
		e, ENODEV,
		"this kernel has no window for another virtio device; its command line needs "
		"virtio_mmio.device=4K@%#" PRIx64 ":LINE, with a free interrupt line",
		(uint64_t)VL_DEVICE_ADDRESS(index));
}

int window_find_free(struct vl_client *c, uint32_t skip, struct window *w, struct vl_error *e)
{
	struct window list[VL_MAX_DEVICES];
	uint32_t count = read_all(list), index = 0;
	struct vl_devices devices;
	int rc = vl_get_devices(c, 0, &devices, e);

	if (rc)
		return rc;
	for (; index < VL_MAX_DEVICES; index++)
		if (!devices.there[index] && skip-- == 0)
			break;
	for (uint32_t i = 0; i < count; i++)
		if (list[i].index == index) {
			*w = list[i];
			return 0;
		}
	return none(index < VL_MAX_DEVICES ? index : 0, e);
}

int window_find(uint32_t number, struct window *w, struct vl_error *e)
{
	struct window list[VL_MAX_DEVICES];
	uint32_t count = read_all(list);

	for (uint32_t i = 0; i < count; i++)
		if (list[i].number == number) {
			*w = list[i];
			return 0;
		}
	return vl_fail(e, ENODEV, "virtio-mmio.%" PRIu32 " is no window of Vellum's", number);
}

static int tell_driver(const struct window *w, const char *what, struct vl_error *e)
{
	char path[128], name[32];
	int fd, err = 0;

	snprintf(path, sizeof(path), DRIVER "/%s", what);
	snprintf(name, sizeof(name), "virtio-mmio.%" PRIu32, w->number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, name, strlen(name)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err ? vl_fail(e, err, "virtio_mmio does not %s %s: %s", what, name, strerror(err))
		   : 0;
}

int window_bind(const struct window *w, struct vl_error *e)
{
	return tell_driver(w, "bind", e);
}

int window_unbind(const struct window *w, struct vl_error *e)
{
	return tell_driver(w, "unbind", e);
}
