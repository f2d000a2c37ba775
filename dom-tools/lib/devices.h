/* SPDX-License-Identifier: MIT */
/*
 * The virtio devices of later guests: what they are, and those that come to a
 * guest that runs, or go from it. vl_guest_add_device() and
 * vl_guest_fill_disk() are in guests.h.
 *
 * Every function returns 0, or a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_LIB_DEVICES_H
#define DOM_TOOLS_LIB_DEVICES_H

#include <stdbool.h>

#include "dom-tools/lib/client.h"

/** Those of one domain; `there` says which of the windows have one. */
struct vl_devices {
	bool there[VL_MAX_DEVICES];
	struct vl_device device[VL_MAX_DEVICES];
};

/** ENOENT: there is no such domain; ENOSYS: Vellum is too old. */
int vl_get_devices(struct vl_client *c, uint32_t domid, struct vl_devices *d, struct vl_error *e);

/** How many of that kind (VL_DEVICE_NET, VL_DEVICE_BLOCK) there are. */
unsigned int vl_count_devices(const struct vl_devices *d, uint32_t kind);

/** Let the guest see one that is held. */
int vl_guest_show_device(struct vl_client *c, uint32_t domid, uint32_t index, struct vl_error *e);

/**
 * The guest is to do without one: what it says when it has been asked and uses it still, after
 * `seconds`, is EBUSY; with `now` it is not asked.
 */
int vl_guest_remove_device(struct vl_client *c, uint32_t domid, uint32_t index, bool now,
			   unsigned int seconds, struct vl_error *e);

#endif
