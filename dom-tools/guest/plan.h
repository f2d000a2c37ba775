/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of a later guest go in its memory, which is one range
 * without holes. The kernel is where it was linked to; the start area and the
 * RAM disk are as high as they can be. Pure.
 */
#ifndef DOM_TOOLS_GUEST_PLAN_H
#define DOM_TOOLS_GUEST_PLAN_H

#include "lib/types.h"
#include "public/device.h"

/** No guest has memory from here on: what the first tables map is enough then. */
#define GUEST_END (4 * GIB)

/** What has to go in; sizes in bytes. */
struct guest_parts {
	struct range kernel; /* physical, bss included */
	u64 start_size;      /* of the start area, a multiple of the page size */
	u64 initrd_size;     /* 0: none */
	u64 initrd_max;      /* highest address that its last byte may have */
};

struct guest_plan {
	struct range ram;
	struct range start;
	struct range initrd; /* exact bytes, starts at a page; empty if there is none */
};

/**
 * Plan for a guest whose memory is [ram_start, ram_start + size), both multiples of the page size.
 * Returns whether it fits.
 */
bool guest_plan(const struct guest_parts *parts, u64 ram_start, u64 size, struct guest_plan *out);

/** The least size of a memory that starts at `ram_start` for which guest_plan() succeeds; 0 if no
 * size does, because the kernel lies below. */
u64 guest_least(const struct guest_parts *parts, u64 ram_start);

/**
 * Choose where its memory of `size` bytes starts: in one of the RAM ranges of the machine's first
 * guest, so that it could be at home. Returns whether there is a place; `out` is the plan then.
 */
bool guest_choose(const struct guest_parts *parts, const struct vl_ioctl_memory *machine, u64 size,
		  struct guest_plan *out);

#endif
