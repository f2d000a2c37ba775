/* SPDX-License-Identifier: MIT */
/*
 * /dev/vellum in guest Linux: how the tools issue hypercalls. The driver
 * checks nothing but memory safety and that no call changes under the kernel
 * what it relies on: Vellum itself validates every call. Only a process with
 * CAP_SYS_ADMIN may open the device.
 */
#ifndef VELLUM_PUBLIC_DEVICE_H
#define VELLUM_PUBLIC_DEVICE_H

#include "types.h"

#if defined(__KERNEL__) && defined(__linux__)
#include <linux/ioctl.h>
#elif defined(__linux__)
#include <sys/ioctl.h>
#endif

/**
 * One hypercall. If buffer_size is not 0, the driver copies the caller's buffer into a page of
 * its own, passes (pa of that page, buffer_size) as arguments buffer_arg and buffer_arg + 1, and
 * copies the page back when the call did not fail. Errors of the ioctl itself: EFAULT (the
 * structure or the buffer is not the caller's memory), EINVAL (buffer_size > 4096 or buffer_arg > 3
 * or reserved != 0), ENOTTY (another ioctl), ENOMEM (no bounce page), EOPNOTSUPP (a switch of the
 * mode: VL_IOCTL_SWITCH makes those, except with VL_DEBUG_IOPL3), EPERM (VL_CALL_SET_ALIAS and
 * VL_CALL_SET_VCPU_INFO, which are the kernel's own). Vellum's own answer is in `result`.
 */
struct vl_ioctl_call {
	uint64_t nr;
	uint64_t arg[5];
	uint64_t buffer;      /* user address */
	uint32_t buffer_size; /* bytes, 0 .. 4096 */
	uint32_t buffer_arg;  /* index in arg[], 0 .. 3 */
	int64_t result;       /* out: what the hypercall returned */
	uint64_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_call) == 80, "vl_ioctl_call is ABI");

#define VL_IOCTL_CALL _IOWR('V', 0, struct vl_ioctl_call)

/**
 * Switch the calling kernel between passthrough and virtualized mode; it prepares itself, has
 * Vellum verify its image, makes the hypercall and lets a pending interrupt in where it has to.
 * While it is virtualized, `layers` without VL_LAYER_CPU are added (mode VL_MODE_VIRTUALIZED) or
 * taken off (VL_MODE_PASSTHROUGH), and the mode stays. Errors of the ioctl itself: EFAULT (the
 * structure is not the caller's memory), EINVAL (an unknown mode, or reserved != 0), EALREADY (that
 * is the mode), EOPNOTSUPP (the kernel cannot: it has code that it cannot adapt, which its log
 * names). Otherwise Vellum's own answer is in `result`. All CPUs that are online switch together.
 */
struct vl_ioctl_switch {
	uint32_t mode;   /* VL_MODE_* wanted */
	uint32_t layers; /* VL_LAYER_*, VL_DEBUG_* bits; VL_LAYER_ALL for the way back */
	int64_t result;  /* out: what the hypercall returned */
	uint64_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_switch) == 24, "vl_ioctl_switch is ABI");

#define VL_IOCTL_SWITCH _IOWR('V', 1, struct vl_ioctl_switch)

#endif
