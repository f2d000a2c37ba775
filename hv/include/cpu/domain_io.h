/* SPDX-License-Identifier: MIT */
/*
 * The virtio devices of later domains (public/hypercall.h, VL_DEVICE_BASE): their
 * windows, their interrupt lines, what their disks are made of, and the switch
 * between all of them.
 *
 * What a queue says is done by the domain's own vcpus, in their exits, so that nobody else
 * touches its memory, and its work counts as its own.
 */
#ifndef VELLUM_CPU_DOMAIN_IO_H
#define VELLUM_CPU_DOMAIN_IO_H

#include "cpu/vcpu.h"
#include "io/switch.h"

/** Whether [pa, pa + size) has a part in a window of the vcpu's domain, with or without a device.
 */
bool domain_io_overlaps(const struct vcpu *v, u64 pa, u64 size);

/** An access of the vcpu to a window, of 1, 2 or 4 bytes. */
u32 domain_io_read(struct vcpu *v, u64 pa, u8 size);
void domain_io_write(struct vcpu *v, u64 pa, u8 size, u32 value);

/** Whether the domain's devices wait for its first vcpu. */
static inline bool domain_io_waits(const struct domain *d)
{
	return __atomic_load_n(&d->devices_wait, __ATOMIC_ACQUIRE) != 0 ||
	       (d->devices_due != 0 && rdtsc() >= d->devices_due);
}

/** Its first vcpu, if they wait, with the domain's irq_lock: a bounded piece of that. */
void domain_io_work(struct vcpu *v);

/** A bounded piece of the end of a domain's devices, whose vcpus do not run any more; 0: there is
 * nothing left. */
u64 domain_io_end(struct domain *d);

/** All of it; as domain_platform_destroy(). */
static inline void domain_io_destroy(struct domain *d)
{
	while (domain_io_end(d) != 0)
		;
}

/* --- the switch, for an uplink: a port without an owner --- */

/** Take its lock. */
struct net_switch *domain_io_switch(void);
void domain_io_switch_done(void);

/** With it: such a port sends a frame, and whoever gets it looks. */
void domain_io_send(u32 port, const struct frame_source *f);

/** Whether this is the name of a bridge, in SWITCH_NAME_SIZE bytes. */
bool domain_io_bridge_is_good(const char *name);

/* --- calls of others --- */

/** Which of VL_CALL_DEVICE_ADD's conditions `wanted` does not meet, as a negative error. */
int domain_io_check(const struct vl_device *wanted);

/** A checked one; of a domain that is used (domain_use()). Its index, or a negative error. */
s64 domain_io_add(struct domain *d, const struct vl_device *wanted);

/** The same for sectors of a disk of the machine's, as call disk_add has it. */
s64 domain_io_add_disk(struct domain *d, const struct vl_disk_extent *wanted);

/** The guest is to see one that is held; is to do without it. A piece a call, and answers as
 * VL_CALL_DEVICE_SHOW and VL_CALL_DEVICE_REMOVE have them; of a domain that is used. */
s64 domain_io_show(struct domain *d, u64 index);
s64 domain_io_remove(struct domain *d, u64 index, u64 how);

/** Write to a disk; -VL_ENOENT: there is none; -VL_EINVAL: it is too small; -VL_ENOMEM: it is held,
 * and there is no memory for the page. */
s64 domain_io_fill(struct domain *d, u64 index, u64 offset, const void *from, u64 size);

/** False: there is no such device. */
bool domain_io_info(struct domain *d, u64 index, struct vl_device *info);

#endif
