/* SPDX-License-Identifier: MIT */
/*
 * Disks of the machine that are Vellum's: ide0 to ide3. Every function returns 0,
 * or a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_LIB_DISKS_H
#define DOM_TOOLS_LIB_DISKS_H

#include "dom-tools/lib/client.h"

/**
 * Give a guest sectors of one, as the device of a window, *index; `name` is for messages. ENODEV:
 * the IDE controller is this guest's; ENOENT: there is no such disk or partition; EBUSY: another
 * guest has some of it; EINVAL, EIO, EOPNOTSUPP, ENOSPC, ENOMEM.
 */
int vl_guest_add_disk(struct vl_client *c, uint32_t domid, const struct vl_disk_extent *extent,
		      const char *name, uint32_t *index, struct vl_error *e);

/** Vellum uses the disks of a PCI function no more; nothing to be done if it does not. EBUSY: a
 * guest has some of one. */
int vl_disks_end(struct vl_client *c, uint32_t function, struct vl_error *e);

#endif
