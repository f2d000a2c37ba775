/* SPDX-License-Identifier: MIT */
/*
 * The transport through /dev/vellum of guest Linux. Every way in which the
 * device can be out of reach has its own sentence here, since this is the
 * first thing that goes wrong on a machine that was set up by hand.
 */
#ifndef DOM_TOOLS_LIB_DEVICE_H
#define DOM_TOOLS_LIB_DEVICE_H

#include "dom-tools/lib/transport.h"

#define VL_DEVICE_PATH "/dev/vellum"

struct vl_device_file {
	struct vl_transport transport;
	int fd;
};

/**
 * Open the device; afterwards dev->transport carries calls until its close operation. Returns 0,
 * or a negative errno with its sentence in `e`: ENOENT, ENXIO, ENODEV (not under Vellum, or no
 * device node), EACCES, EPERM (not root), or what open(2) says.
 */
int vl_device_open(struct vl_device_file *dev, struct vl_error *e);

#endif
