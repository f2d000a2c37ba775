/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices of a guest as a configuration tells of them: what `vl create` gives a
 * guest before it runs, and `vl network-attach` and `vl block-attach` while it does.
 */
#ifndef DOM_TOOLS_VL_ATTACH_H
#define DOM_TOOLS_VL_ATTACH_H

#include "dom-tools/config/devices.h"
#include "dom-tools/lib/client.h"

/**
 * A network device at the virtual switch.
 * @line: of the machine's interrupt controllers, if it is the first guest's; 0 for later guests
 *
 * Fails with what vl_guest_add_device() answers.
 */
int attach_vif(struct vl_client *client, uint32_t domid, const struct config_vif *vif, uint8_t line,
	       struct vl_error *e);

/**
 * A disk whose contents are an extent of one of the machine's: `disk` must be such (`real`).
 * @line: as above
 *
 * Fails with what vl_guest_add_disk() answers.
 */
int attach_extent(struct vl_client *client, uint32_t domid, const struct config_disk *disk,
		  uint8_t line, struct vl_error *e);

#endif
