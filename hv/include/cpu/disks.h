/* SPDX-License-Identifier: MIT */
/*
 * The disks of an IDE controller that is Vellum's, and the parts of them that later
 * domains have. A disk's requests are gone on with by whoever asks whether his own is done,
 * so that a domain that does not run holds up nobody.
 */
#ifndef VELLUM_CPU_DISKS_H
#define VELLUM_CPU_DISKS_H

#include "io/ide.h"
#include "io/partition.h"
#include "io/virtio_blk.h"
#include "public/hypercall.h"

/** A part of a disk that a domain has. */
struct disk_user {
	struct ide_channel *channel; /* NULL: it has none any more */
	struct extent extent;
	struct ide_op op;
};

/** See calls disk_begin, disk_end and disk_info. The first two: alone, with the first guest's other
 * vcpus standing still. */
int disks_begin(u32 function);
int disks_end(u32 function);
int disks_info(u32 index, struct vl_disk_info *info);

/** The machine changes hands: what is under way is left, and users have no disk any more. Alone. */
void disks_stop(void);

/** A part of a disk for a domain, as call disk_add has it: 0, or a negative error, and `disk` is
 * filled in. `user` is cleared memory that stays until disks_close(), which is right after
 * an error, too. */
int disks_open(struct disk_user *user, const struct vl_disk_extent *wanted, struct disk *disk);
void disks_close(struct disk_user *user);

#endif
