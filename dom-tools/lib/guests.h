/* SPDX-License-Identifier: MIT */
/*
 * Making, ending and steering other domains: the ioctls and hypercalls for it
 * as C functions, with a sentence for each way in which they fail.
 *
 * Every function returns 0, or a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_LIB_GUESTS_H
#define DOM_TOOLS_LIB_GUESTS_H

#include <stdbool.h>

#include "dom-tools/lib/client.h"
#include "public/device.h"
#include "public/start.h"

/** What the kernel that this runs on has for other domains. */
int vl_guest_memory(struct vl_client *c, struct vl_ioctl_memory *m, struct vl_error *e);

/* The steps of public/device.h, in their order. ENOMEM says how much is missing. */
int vl_guest_alloc(struct vl_client *c, uint64_t size, struct vl_error *e);
int vl_guest_create(struct vl_client *c, const struct vl_domain_create *d, uint32_t *domid,
		    struct vl_error *e);
int vl_guest_write(struct vl_client *c, uint64_t offset, const void *data, size_t size,
		   struct vl_error *e);
int vl_guest_give(struct vl_client *c, struct vl_error *e);
int vl_guest_start(struct vl_client *c, uint32_t domid, const struct vl_vcpu_start *start,
		   struct vl_error *e);
/** A virtio device for it, before it runs; *index tells which one it is. EEXIST: its address is
 * another's; ENOMEM: Vellum's partition has no room. */
int vl_guest_add_device(struct vl_client *c, uint32_t domid, const struct vl_device *device,
			uint32_t *index, struct vl_error *e);

/** What one of its disks is to contain, any number of bytes at `offset`. */
int vl_guest_fill_disk(struct vl_client *c, uint32_t domid, uint32_t index, uint64_t offset,
		       const void *data, size_t size, struct vl_error *e);

int vl_guest_commit(struct vl_client *c, bool paused, const uint32_t on_stop[VL_NR_STOPS],
		    struct vl_error *e);

/** The hypercall page for a guest's start area. */
int vl_guest_hypercall_page(struct vl_client *c, struct vl_ioctl_page *page, struct vl_error *e);

/** End a domain that is complete. ENOENT: this kernel made none of that id. */
int vl_guest_destroy(struct vl_client *c, const struct vl_domain_info *d, struct vl_error *e);

/**
 * End the guest that this runs in, for good, and leave the machine to the one other domain, whose
 * memory comes home as VL_REMAP_* say. Returns only if that cannot be.
 */
int vl_guest_hand_over(struct vl_client *c, uint64_t how, struct vl_error *e);

/**
 * Of the guest that this runs in: how its memory comes home from here on (VL_HOME_KEEP: as it
 * does), how far that is, and whether anything is left. ENOSYS: Vellum is too old.
 */
int vl_guest_home(struct vl_client *c, uint64_t how, struct vl_home_info *h, uint64_t *left,
		  struct vl_error *e);

/**
 * Equal pages of other guests: have Vellum look for them, so many pages a second; give each page a
 * frame of its own again, and look no more; what is shared.
 */
int vl_share_on(struct vl_client *c, uint32_t rate, struct vl_error *e);
int vl_share_off(struct vl_client *c, struct vl_error *e);
int vl_share_stats(struct vl_client *c, struct vl_share_info *info, struct vl_error *e);

/** Keep it from running, and let it. */
int vl_guest_pause(struct vl_client *c, const struct vl_domain_info *d, struct vl_error *e);
int vl_guest_unpause(struct vl_client *c, const struct vl_domain_info *d, struct vl_error *e);

/** Ask it to end itself, VL_SHUTDOWN_*. */
int vl_guest_shutdown(struct vl_client *c, const struct vl_domain_info *d, uint32_t reason,
		      struct vl_error *e);

/** Set a domain's weight unless it is 0, and store what it is then. */
int vl_guest_weight(struct vl_client *c, const struct vl_domain_info *d, uint32_t weight,
		    uint32_t *now, struct vl_error *e);

/**
 * Say how much memory it is to have, in bytes. ERANGE: more than it was made with; ENOMEM says how
 * much is missing.
 */
int vl_guest_resize(struct vl_client *c, const struct vl_domain_info *d, uint64_t size,
		    struct vl_error *e);

/** Wait until it has that many bytes of memory; or ENOENT: it is gone. */
int vl_guest_wait_memory(struct vl_client *c, uint32_t domid, uint64_t size, struct vl_error *e);

/** Wait until the domain is no more, or runs no more if `stopped`. */
int vl_guest_wait(struct vl_client *c, uint32_t domid, bool stopped, struct vl_error *e);

/** Whether a domain in this state has stopped for good. */
bool vl_state_is_end(uint32_t state);

/** One piece of what a guest wrote to its console; see vl_read_log(). */
int vl_guest_console_read(struct vl_client *c, uint32_t domid, uint64_t pos,
			  struct vl_log_chunk *chunk, struct vl_error *e);

/** Input for its console; *taken is how many bytes it had room for. */
int vl_guest_console_write(struct vl_client *c, uint32_t domid, const void *text, size_t size,
			   size_t *taken, struct vl_error *e);

#endif
