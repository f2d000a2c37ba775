/* SPDX-License-Identifier: MIT */
/*
 * One virtio device of a later domain, as the files of cpu/domain_io.h share
 * it: domain_io.c, which does its work, domain_net.c, which is its way to
 * others, and domain_hotplug.c, which lets it come and go while the domain runs.
 *
 * Which state it is in changes behind both locks of the domain, so either is
 * enough to read it. One that the guest does not see (held, gone) is behind the
 * domain's `lock` alone: its memory comes and goes there, a piece at a time.
 */
#ifndef VELLUM_CPU_IO_DEVICE_H
#define VELLUM_CPU_IO_DEVICE_H

#include "domain/domain.h"
#include "io/switch.h"
#include "io/virtio_blk.h"
#include "io/virtio_net.h"

#define UNTOUCHED ((u64)1) /* of an entry of `page`: not cleared yet */

struct disk_user; /* cpu/disks.h */

/* As device_info tells of them. */
enum io_state {
	IO_SHOWN,                       /* the guest's */
	IO_HELD = VL_DEVICE_HELD,       /* not yet */
	IO_LEAVING = VL_DEVICE_LEAVING, /* the guest's until its driver resets it */
	IO_GONE,                        /* its memory is being freed */
};

struct io_device {
	struct domain *domain;
	u32 index;
	u32 flags; /* VL_DEVICE_*, but VL_DEVICE_HELD */
	enum io_state state;
	u32 line;                   /* of the first guest's: a pin of the IOAPIC */
	bool raised, masked;        /* and whether its message was sent; could not be */
	u32 port;                   /* of a network device */
	struct switch_queue *queue; /* and its port's */
	struct disk_user *real;     /* of a disk of the machine's */
	u64 *page;    /* of another disk: ma of each of its pages, and UNTOUCHED; 0: none */
	u64 pages;    /* that it has room for */
	u64 nr_pages; /* none has a frame from this one on */
	u64 whole;    /* all before this one have */
	struct virtio_mmio *mmio; /* in one of: */
	union {
		struct virtio_net net;
		struct virtio_blk blk;
	};
};

/** Whether it is in its window: one that is to go leaves that when its driver resets it, and
 * nothing brings it back. */
static inline bool io_device_is_seen(const struct io_device *d)
{
	return d->state == IO_SHOWN || (d->state == IO_LEAVING && d->mmio->status != 0);
}

/** Give the page its frame, if there is such a page and it has none, behind the domain's `lock`;
 * false: there is no memory.
 */
bool io_device_need_page(struct io_device *d, u64 index);

/** Its interrupt line is so from here on; with the domain's irq_lock. */
void io_device_set_line(struct io_device *d, bool high);

/** A network device gets its port: 0, or as switch_attach(). */
int io_device_plug(struct io_device *d, const struct vl_device *wanted);

/** Its way to the switch, with the domain's irq_lock. */
struct net_link io_device_link(struct io_device *d);

/** It has no port any more; with the domain's irq_lock. */
void io_device_unplug(struct io_device *d);

/** Free up to so many of its pages, which nobody reaches any more: how many there may be still. */
u64 io_device_shrink(struct io_device *d, u64 pages);

/** The end of one that is in no domain any more, or not yet. */
void io_device_free(struct io_device *d);

#endif
