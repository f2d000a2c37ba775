/* SPDX-License-Identifier: MIT */
/*
 * Whose virtio device a call is about: a later domain's, or the caller's own.
 */
#ifndef VELLUM_HYPERCALL_DEVICE_OWNER_H
#define VELLUM_HYPERCALL_DEVICE_OWNER_H

#include "domain/domain.h"

/** The domain that gets a device, to be given back by device_owner_done(); with a line the caller
 * itself, whose other vcpus stand still until then. A negative error. */
s64 device_owner_new(struct domain *d, u64 domid, u32 line, struct domain **found);

/** The one that has devices; NULL: there is none. */
struct domain *device_owner(struct domain *d, u64 domid);

void device_owner_done(struct domain *d, struct domain *found);

#endif
