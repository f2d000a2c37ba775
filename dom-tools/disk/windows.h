/* SPDX-License-Identifier: MIT */
/*
 * Windows for virtio devices of Vellum's, as this kernel was told of them at its boot
 * (virtio_mmio.device=). A driver takes a device that has come by being bound to
 * the window's platform device again.
 */
#ifndef DOM_TOOLS_DISK_WINDOWS_H
#define DOM_TOOLS_DISK_WINDOWS_H

#include <stdint.h>

#include "dom-tools/lib/client.h"

struct window {
	uint32_t index;  /* Vellum's number of it */
	uint32_t number; /* of its platform device, virtio-mmio.N */
	uint8_t line;    /* its interrupt */
};

/**
 * The (`skip` + 1)-th window without a device, in the order in which Vellum gives them out.
 * ENODEV: the kernel was told of too few.
 */
int window_find_free(struct vl_client *c, uint32_t skip, struct window *w, struct vl_error *e);

/** The window of a platform device. ENODEV: there is none. */
int window_find(uint32_t number, struct window *w, struct vl_error *e);

/** The driver takes what is behind the window, or leaves it. */
int window_bind(const struct window *w, struct vl_error *e);
int window_unbind(const struct window *w, struct vl_error *e);

#endif
