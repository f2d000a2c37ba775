/* SPDX-License-Identifier: MIT */
/*
 * The contents of a later guest's memory when its first vcpu begins: kernel,
 * RAM disk, and the start area that public/start.h describes, filled by the
 * same code that fills the first guest's.
 */
#ifndef DOM_TOOLS_GUEST_IMAGE_H
#define DOM_TOOLS_GUEST_IMAGE_H

#include "dom-tools/guest/plan.h"
#include "dom-tools/image/kernel.h"
#include "dom-tools/lib/error.h"
#include "dom-tools/lib/file.h"
#include "public/device.h"
#include "public/start.h"

/** Bytes of the longest command line. */
#define GUEST_CMDLINE_MOST 2047

/** All that it is made from. */
struct guest_image {
	const struct kernel *kernel;
	struct file_map kernel_file;
	struct file_map ramdisk; /* size 0: none */
	const char *cmdline;
	uint32_t domid;
	uint64_t tsc_khz;   /* 0: not told */
	uint32_t lapic_khz; /* 0: not told */
	const struct vl_ioctl_page *hypercall_page;
};

/** Takes `size` bytes for the guest's memory, `offset` from its start. Returns 0 or a negative
 * errno with its sentence in `e`. */
typedef int (*guest_sink)(void *context, uint64_t offset, const void *data, size_t size,
			  struct vl_error *e);

/** What has to go into the memory of a guest; `ramdisk_size` 0: none. */
struct guest_parts guest_parts(const struct kernel *kernel, uint64_t ramdisk_size);

/**
 * Write all of it by `sink`, and store how its vcpu begins. What is not written has to be 0.
 * Returns 0 or a negative errno with its sentence in `e`: the sink's, ENOMEM, or E2BIG (a command
 * line that is longer than the kernel or the start area takes).
 */
int guest_image_write(const struct guest_image *image, const struct guest_plan *plan,
		      guest_sink sink, void *context, struct vl_vcpu_start *start,
		      struct vl_error *e);

#endif
