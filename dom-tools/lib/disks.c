/* SPDX-License-Identifier: MIT */
/*
 * Calls about the machine's disks, see disks.h. A disk takes its time, and Vellum does not wait: it
 * says EAGAIN, and is asked again.
 */
#include "dom-tools/lib/disks.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/request.h"

#define LOOKS    30000 /* at a disk, one a millisecond */
#define A_MOMENT 1000000

/* The call until it does not say EAGAIN. */
static int ask(struct vl_client *c, struct request *r, struct vl_error *e)
{
	const struct timespec moment = {.tv_nsec = A_MOMENT};
	uint64_t nothing;
	int rc = request_answer(c, r, &nothing, e);

	for (int i = 0; i < LOOKS && rc == -EAGAIN; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
		rc = request_answer(c, r, &nothing, e);
	}
	return rc;
}

int vl_disks_end(struct vl_client *c, uint32_t function, struct vl_error *e)
{
	struct request r = {.name = "disk_end", .io.nr = VL_CALL_DISK_END, .io.arg[0] = function};
	int rc = ask(c, &r, e);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBUSY)
		return vl_fail(e, EBUSY, "a guest has a disk of it; destroy that guest first");
	return rc;
}

static int begin(struct vl_client *c, const struct vl_pci_function *f, struct vl_error *e)
{
	struct request r = {
		.name = "disk_begin", .io.nr = VL_CALL_DISK_BEGIN, .io.arg[0] = f->function};
	uint64_t nothing;
	int rc;

	if (f->flags & VL_PCI_IN_USE)
		return 0;
	rc = request_answer(c, &r, &nothing, e);
	if (rc == -ENOMEM)
		return vl_fail(e, ENOMEM,
			       "Vellum's partition has no room for disks; boot with a larger "
			       "vellum_mem=");
	return rc;
}

static int begin_any(struct vl_client *c, const char *name, struct vl_error *e)
{
	struct vl_pci_taken taken;
	int rc = vl_pci_taken(c, &taken, e);

	for (uint32_t i = 0; rc == 0 && i < taken.count; i++)
		if (taken.function[i].kind == VL_PCI_DISK)
			return begin(c, &taken.function[i], e);
	if (rc)
		return rc;
	return vl_fail(
		e, ENODEV,
		"`phy:%s` is a disk of this guest's; give its IDE controller to Vellum first: "
		"`vl info --devices` lists it, `vl pci-take BUS:DEVICE.FUNCTION` does that",
		name);
}

static int get_info(struct vl_client *c, uint32_t disk, struct vl_disk_info *info,
		    struct vl_error *e)
{
	struct request r = {.name = "disk_info", .io.nr = VL_CALL_DISK_INFO, .io.arg[0] = disk};
	int rc;

	request_buffer(&r, 1, info, sizeof(*info));
	rc = ask(c, &r, e);
	if (rc == -ENOENT)
		return vl_fail(e, ENOENT, "there is no disk ide%" PRIu32, disk);
	if (rc == -EIO || rc == -EAGAIN || rc == -ETIMEDOUT)
		return vl_fail(e, EIO, "disk ide%" PRIu32 " does not answer", disk);
	if (rc == 0 && info->nr_partitions > VL_MAX_PARTITIONS)
		return request_nonsense(&r, e, "more partitions than there can be");
	return rc;
}

static int add_failed(int rc, const struct vl_disk_extent *w, const struct vl_disk_info *info,
		      const char *name, struct vl_error *e)
{
	switch (-rc) {
	case ENOENT:
		return vl_fail(e, ENOENT, "disk ide%" PRIu32 " has no partition %" PRIu32 "%s",
			       w->disk, w->partition,
			       info->table == VL_TABLE_BAD_GPT ? ": its partition table is damaged"
							       : "");
	case EINVAL:
		return vl_fail(e, EINVAL,
			       "`phy:%s` ends beyond what there is; disk ide%" PRIu32
			       " has %" PRIu64 " bytes",
			       name, w->disk, info->sectors * VL_SECTOR_SIZE);
	case EBUSY:
		return vl_fail(
			e, EBUSY,
			"another guest has `phy:%s`, or some of it, and one of the two is to "
			"write to it; give both of them access=ro, or other sectors",
			name);
	case EOPNOTSUPP:
		return vl_fail(e, EOPNOTSUPP,
			       "disk ide%" PRIu32
			       " cannot be told to make safe what was written; write access=ro",
			       w->disk);
	case ENOMEM:
		return vl_fail(e, ENOMEM,
			       "Vellum's partition has no room for `phy:%s`; boot with a larger "
			       "vellum_mem=",
			       name);
	case ENOSPC:
		return vl_fail(e, ENOSPC, "all guests together have too many disks of the machine");
	default:
		return rc;
	}
}

int vl_guest_add_disk(struct vl_client *c, uint32_t domid, const struct vl_disk_extent *extent,
		      const char *name, uint32_t *index, struct vl_error *e)
{
	struct request r = {.name = "disk_add", .io.nr = VL_CALL_DISK_ADD, .io.arg[0] = domid};
	struct vl_disk_extent buffer = *extent;
	struct vl_disk_info info = {0};
	int rc = begin_any(c, name, e);

	if (rc == 0)
		rc = get_info(c, extent->disk, &info, e);
	if (rc)
		return rc;
	request_buffer(&r, 1, &buffer, sizeof(buffer));
	rc = ask(c, &r, e);
	*index = (uint32_t)r.io.result;
	return rc ? add_failed(rc, extent, &info, name, e) : 0;
}
