/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices as text: what the lists of them and `vl info --devices` share.
 */
#ifndef DOM_TOOLS_VL_DEVICE_TEXT_H
#define DOM_TOOLS_VL_DEVICE_TEXT_H

#include "dom-tools/lib/devices.h"
#include "dom-tools/vl/output.h"

/** What a device is doing: held, leaving, unused, starting, up, broken. */
const char *device_state(const struct vl_device *d);

/** "02:00:00:00:00:01" */
#define MAC_TEXT_SIZE 18
const char *device_mac(char to[MAC_TEXT_SIZE], const uint8_t mac[6]);

/** All that there is to say of one. */
struct json_object *device_json(const struct vl_device *d, uint32_t index);

/** `vl info --devices` in a later guest: lines `virtio_N: ...`; a list of them. */
void device_print_lines(const struct vl_devices *d);
struct json_object *device_list_json(const struct vl_devices *d);

#endif
