/* SPDX-License-Identifier: MIT */
/*
 * Calls on virtio devices, see devices.h.
 */
#include "dom-tools/lib/devices.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "dom-tools/lib/request.h"

#define PAUSE_MS 100

/* One window: whether a device is there. */
static int get_device(struct vl_client *c, uint32_t domid, uint32_t index, struct vl_devices *d,
		      struct vl_error *e)
{
	struct request r = {.name = "device_info", .io.nr = VL_CALL_DEVICE_INFO};
	uint64_t size = 0;
	int rc;

	r.io.arg[0] = domid;
	r.io.arg[1] = index;
	request_buffer(&r, 2, &d->device[index], sizeof(d->device[index]));
	rc = request_answer(c, &r, &size, e);
	d->there[index] = rc == 0;
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && size < sizeof(d->device[index]))
		return request_nonsense(&r, e, "too short");
	return rc;
}

int vl_get_devices(struct vl_client *c, uint32_t domid, struct vl_devices *d, struct vl_error *e)
{
	int rc = 0;

	*d = (struct vl_devices){0};
	for (uint32_t i = 0; i < VL_MAX_DEVICES && rc == 0; i++)
		rc = get_device(c, domid, i, d, e);
	return rc;
}

unsigned int vl_count_devices(const struct vl_devices *d, uint32_t kind)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < VL_MAX_DEVICES; i++)
		n += d->there[i] && d->device[i].kind == kind;
	return n;
}

int vl_guest_show_device(struct vl_client *c, uint32_t domid, uint32_t index, struct vl_error *e)
{
	uint64_t left;
	int rc;

	do {
		struct request r = {.name = "device_show", .io.nr = VL_CALL_DEVICE_SHOW};

		r.io.arg[0] = domid;
		r.io.arg[1] = index;
		rc = request_answer(c, &r, &left, e);
		if (r.io.result == -VL_ENOMEM)
			return vl_fail(e, ENOMEM,
				       "Vellum's partition has no room for this disk; boot with a "
				       "larger vellum_mem=, or make the disk smaller");
	} while (rc == 0 && left > 0);
	return rc;
}

static int still_used(uint32_t domid, uint32_t index, unsigned int seconds, struct vl_error *e)
{
	return vl_fail(e, EBUSY,
		       "domain %" PRIu32 " uses device %" PRIu32 " still, after %u s; it stays "
		       "asked, and --force takes the device away",
		       domid, index, seconds);
}

int vl_guest_remove_device(struct vl_client *c, uint32_t domid, uint32_t index, bool now,
			   unsigned int seconds, struct vl_error *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	uint64_t left = 1, waited = 0;
	int rc = 0;

	while (rc == 0 && left > 0) {
		struct request r = {.name = "device_remove", .io.nr = VL_CALL_DEVICE_REMOVE};

		r.io.arg[0] = domid;
		r.io.arg[1] = index;
		r.io.arg[2] = now ? VL_REMOVE_NOW : VL_REMOVE_ASK;
		rc = request_answer(c, &r, &left, e);
		if (rc || left < VL_REMOVE_WAITS)
			continue;
		if (waited >= (uint64_t)seconds * 1000)
			return still_used(domid, index, seconds, e);
		nanosleep(&pause, NULL);
		waited += PAUSE_MS;
	}
	return rc;
}
