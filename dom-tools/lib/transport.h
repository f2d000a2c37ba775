/* SPDX-License-Identifier: MIT */
/*
 * How a hypercall gets from a program to Vellum. The library above knows only
 * this interface, so that another way in (a test's, a remote machine's) needs
 * no change there. The one shipped is /dev/vellum, in device.h.
 */
#ifndef DOM_TOOLS_LIB_TRANSPORT_H
#define DOM_TOOLS_LIB_TRANSPORT_H

#include <stddef.h>

#include "dom-tools/lib/error.h"
#include "public/device.h"

struct vl_transport;

#define VL_WAIT_CHANGE 1
#define VL_WAIT_INPUT  2

struct vl_transport_ops {
	/**
	 * Carry one hypercall to Vellum and back. Returns 0 when Vellum answered, whatever it
	 * answered (call->result, and the buffer if the answer is not an error); a negative errno
	 * with its sentence in `e` when the call did not get there.
	 */
	int (*call)(struct vl_transport *t, struct vl_ioctl_call *call, struct vl_error *e);

	/**
	 * Ask the kernel to switch its own mode. Returns 0 when Vellum answered (s->result); a
	 * negative errno with its sentence in `e` when it was not asked. EALREADY: that is the
	 * mode.
	 */
	int (*switch_mode)(struct vl_transport *t, struct vl_ioctl_switch *s, struct vl_error *e);

	/**
	 * Any other ioctl of public/device.h, `argument` being its structure. Returns 0 or a
	 * negative errno, whose sentence the caller knows.
	 */
	int (*request)(struct vl_transport *t, unsigned long code, void *argument);

	/** Write into the memory of the domain that is being made. As `request`. */
	int (*write)(struct vl_transport *t, uint64_t offset, const void *data, size_t size);

	/**
	 * Wait until a domain comes, goes or changes its state, `fd` (-1: none) can be read, or
	 * `milliseconds` (-1: no end) are over. Returns VL_WAIT_* bits of what came, or -EINTR.
	 */
	int (*wait)(struct vl_transport *t, int fd, int milliseconds);

	/** Give the connection back. `t` must not be used after it. */
	void (*close)(struct vl_transport *t);
};

/** A connection; an implementation embeds it as its first member. */
struct vl_transport {
	const struct vl_transport_ops *ops;
};

#endif
