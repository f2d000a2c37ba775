/* SPDX-License-Identifier: MIT */
/*
 * /dev/vellum in guest Linux: how the tools issue hypercalls. The driver
 * checks nothing but memory safety and that no call changes under the kernel
 * what it relies on: Vellum itself validates every call. Only a process with
 * CAP_SYS_ADMIN may open the device.
 */
#ifndef VELLUM_PUBLIC_DEVICE_H
#define VELLUM_PUBLIC_DEVICE_H

#include "hypercall.h"
#include "start.h"
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
 * VL_CALL_SET_VCPU_INFO, which are the kernel's own, and those that make and destroy domains, for
 * which there are the ioctls below). Vellum's own answer is in `result`.
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

/*
 * Other domains. Their memory is this kernel's until it gives it to Vellum, and comes back when
 * they are gone, so the driver makes them and ends them, in the steps of one open file:
 *
 *     VL_IOCTL_ALLOC   take the memory from this kernel: nothing else has changed yet
 *     VL_IOCTL_CREATE  virtualize this kernel if it is not, make the domain
 *     write at an offset in the guest's memory, as often as needed; what is not written is 0
 *     VL_IOCTL_GIVE    the memory is the domain's now
 *     VL_CALL_VCPU_START by VL_IOCTL_CALL
 *     VL_IOCTL_COMMIT  it is there, and may run; the file may make the next one
 *
 * Whatever ends the file before VL_IOCTL_COMMIT, SIGKILL as well, ends the domain: its memory is
 * this kernel's again, and if this had virtualized it and there is no other domain, it is in
 * passthrough.
 */

#define VL_MEMORY_RANGES 16

/** What this kernel has for other domains. Errors: EFAULT. */
struct vl_ioctl_memory {
	uint64_t available;  /* out: bytes that it could give away now, without swapping */
	uint64_t given;      /* out: bytes that it has given away */
	uint32_t nr_domains; /* out: other domains, those in the making too */
	uint32_t count;      /* out: ranges that are filled */
	/* out: its own RAM. That of a domain has to lie in one of them, so that it could be at
	 * home on this machine. */
	struct vl_memory_range range[VL_MEMORY_RANGES];
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_memory) == 24 + 24 * VL_MEMORY_RANGES, "ABI");

#define VL_IOCTL_MEMORY _IOR('V', 2, struct vl_ioctl_memory)

/**
 * Take memory for a domain. Errors: EFAULT; EINVAL (size is 0 or not a multiple of the page size,
 * or reserved != 0); EBUSY (this file has some already); EINTR (a signal that kills); ENOMEM, and
 * `missing` says how much there is too little: nothing has changed then.
 */
struct vl_ioctl_alloc {
	uint64_t size;    /* bytes */
	uint64_t missing; /* out: bytes, with ENOMEM */
	uint64_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_alloc) == 24, "vl_ioctl_alloc is ABI");

#define VL_IOCTL_ALLOC _IOWR('V', 3, struct vl_ioctl_alloc)

/* Whose answer `result` is. */
#define VL_STEP_NONE       0 /* all went well */
#define VL_STEP_VIRTUALIZE 1 /* VL_CALL_VIRTUALIZE, by way of VL_IOCTL_SWITCH */
#define VL_STEP_CREATE     2 /* VL_CALL_DOMAIN_CREATE */

/**
 * Make the domain, whose memory VL_IOCTL_ALLOC took, and virtualize this kernel before, with
 * VL_LAYER_ALL, if it is in passthrough. If Vellum refuses, all is as it was. Errors: EFAULT;
 * EINVAL (no memory, or not as much as domain.memory_size, or reserved != 0); EBUSY (this file has
 * made one already); EOPNOTSUPP (this kernel cannot be virtualized, see VL_IOCTL_SWITCH).
 */
struct vl_ioctl_create {
	struct vl_domain_create domain;
	int64_t result; /* out: domain id, or Vellum's error */
	uint32_t step;  /* out: VL_STEP_* */
	uint32_t reserved;
};

#define VL_IOCTL_CREATE _IOWR('V', 4, struct vl_ioctl_create)

/**
 * Give the domain its memory; nothing can be written any more. Errors: EFAULT; EINVAL (there is
 * none to be given); EINTR (a signal that kills). A refusal of Vellum (*result) leaves it without
 * some.
 */
#define VL_IOCTL_GIVE _IOR('V', 5, int64_t)

/* Why a domain runs no more, index of on_stop[]. */
#define VL_STOP_POWEROFF 0
#define VL_STOP_REBOOT   1
#define VL_STOP_CRASH    2
#define VL_NR_STOPS      3

/* What becomes of it. */
#define VL_ON_STOP_DESTROY 0
#define VL_ON_STOP_KEEP    1 /* until VL_IOCTL_DESTROY */
#define VL_ON_STOP_TELL    2 /* the same, as long as the file that made it is open */

#define VL_COMMIT_PAUSED 1u /* it does not run before VL_CALL_DOMAIN_UNPAUSE */

/**
 * The domain is complete. Errors: EFAULT; EINVAL (none that has its memory, or another flag or
 * action, or reserved != 0). If Vellum refuses to let it run (`result`), it is not committed.
 */
struct vl_ioctl_commit {
	uint32_t flags;                /* VL_COMMIT_* */
	uint32_t on_stop[VL_NR_STOPS]; /* VL_ON_STOP_* */
	int64_t result;                /* out: 0, or Vellum's error */
	uint64_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_commit) == 32, "vl_ioctl_commit is ABI");

#define VL_IOCTL_COMMIT _IOWR('V', 6, struct vl_ioctl_commit)

/**
 * End a domain, whatever it does, and take its memory back. When the last one is gone, this kernel
 * goes back to passthrough, unless /sys/hypervisor/auto_devirtualize is off. Errors: EFAULT, EINVAL
 * (reserved != 0); ENOENT (this kernel made no such domain); EBUSY (it is in the making); EINTR (a
 * signal that kills, before anything was done).
 */
struct vl_ioctl_destroy {
	uint32_t domid;
	uint32_t reserved;
	int64_t result; /* out: 0, or Vellum's error; its memory is lost then */
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_destroy) == 16, "vl_ioctl_destroy is ABI");

#define VL_IOCTL_DESTROY _IOWR('V', 7, struct vl_ioctl_destroy)

/**
 * Say how much memory a domain is to have, up to what it was made with. To have less it gives pages
 * back itself, if and when its kernel does so; to have more, it is given pages here. Errors:
 * EFAULT; EINVAL (reserved != 0); ERANGE (0, or more than it was made with); ENOENT, EBUSY, EINTR
 * (as for VL_IOCTL_DESTROY); ENOMEM, and `missing` says how much there is too little.
 */
struct vl_ioctl_resize {
	uint32_t domid;
	uint32_t reserved;
	uint64_t size;    /* bytes */
	uint64_t missing; /* out: bytes, with ENOMEM */
	int64_t result;   /* out: 0, or Vellum's error */
};
VL_ABI_ASSERT(sizeof(struct vl_ioctl_resize) == 32, "vl_ioctl_resize is ABI");

#define VL_IOCTL_RESIZE _IOWR('V', 10, struct vl_ioctl_resize)

/**
 * How many changes there were: a domain came or went, or its state became another. poll() says
 * POLLIN as long as there are some that this file has not asked for. Errors: EFAULT.
 */
#define VL_IOCTL_CHANGES _IOR('V', 8, uint64_t)

/** The code of the hypercall page, for the domain's start area; `direct_map` is 0. Errors: EFAULT.
 */
struct vl_ioctl_page {
	uint8_t byte[VL_HYPERCALL_PAGE_SIZE];
};

#define VL_IOCTL_HYPERCALL_PAGE _IOR('V', 9, struct vl_ioctl_page)

#endif
