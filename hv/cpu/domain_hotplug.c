// SPDX-License-Identifier: MIT
/*
 * Devices of a later domain that come and go while it runs.
 *
 * One that comes is held until all of its memory is there; one that goes is
 * out of reach first: of the guest, of the switch, of the work that waits for
 * the first vcpu; its memory follows. Both take a piece a call, so that
 * no call takes longer for a larger disk.
 */
#include "cpu/domain_io.h"

#include "cpu/domain_platform.h"
#include "cpu/io_device.h"
#include "mem/frames.h"
#include "public/errno.h"

#define PAGES_A_CALL ((u64)32) /* in one hold of the domain's lock (L2) */
#define PAGES_AN_END ((u64)64) /* where no lock is held */

bool io_device_need_page(struct io_device *d, u64 index)
{
	mfn_t mfn;

	if (index >= d->pages || d->page[index] != 0)
		return true;
	if (!frame_alloc_any(&mfn))
		return false;
	d->page[index] = mfn_to_ma(mfn).v | UNTOUCHED;
	return true;
}

static struct io_device *device_of(const struct domain *d, u64 index)
{
	return index < VL_MAX_DEVICES ? d->device[index] : NULL;
}

/* --- coming --- */

/* Up to so many pages. False: there is no frame for any, and nothing has changed. */
static bool grow(struct io_device *d)
{
	u64 begin = d->whole, end = min_u64(d->pages, begin + PAGES_A_CALL);

	while (d->whole < end && io_device_need_page(d, d->whole))
		d->whole++;
	return d->whole > begin || begin == end;
}

/* With the domain's lock: how many pages have no frame yet; or the error. */
static s64 show(struct io_device *d)
{
	if (d->state != IO_HELD)
		return 0;
	if (!grow(d))
		return -VL_ENOMEM;
	if (d->whole < d->pages)
		return (s64)(d->pages - d->whole);
	lock_take(&d->domain->irq_lock);
	d->state = IO_SHOWN;
	lock_release(&d->domain->irq_lock);
	return 0;
}

s64 domain_io_show(struct domain *d, u64 index)
{
	struct io_device *device;
	s64 answer = -VL_ENOENT;

	lock_take(&d->lock);
	device = device_of(d, index);
	if (device != NULL && device->state != IO_GONE)
		answer = show(device);
	lock_release(&d->lock);
	if (answer == 0)
		events_notify(d);
	return answer;
}

/* --- going --- */

/* With both locks: nobody comes to it from here on but to free it. */
static void cut_off(struct io_device *d)
{
	d->state = IO_GONE;
	io_device_unplug(d);
	io_device_set_line(d, false);
}

/* With the domain's lock. Whether the guest uses it still. */
static bool ask(struct io_device *d, u64 how)
{
	lock_take(&d->domain->irq_lock);
	if (d->state == IO_SHOWN)
		d->state = IO_LEAVING;
	if (how == VL_REMOVE_NOW || !io_device_is_seen(d))
		cut_off(d);
	domain_platform_let_go(d->domain);
	return d->state != IO_GONE;
}

u64 io_device_shrink(struct io_device *d, u64 frames)
{
	for (; frames > 0 && d->nr_pages > 0; frames--) {
		u64 page = d->page[--d->nr_pages];

		if (page != 0)
			frame_free(ma_to_mfn((ma_t){page & ~UNTOUCHED}));
	}
	return d->nr_pages;
}

static void unpublish(struct io_device *d)
{
	lock_take(&d->domain->irq_lock);
	d->domain->device[d->index] = NULL;
	d->domain->nr_devices--;
	lock_release(&d->domain->irq_lock);
}

/* With the domain's lock. What is left (VL_CALL_DEVICE_REMOVE); 0: the caller frees it. */
static s64 remove(struct io_device *d, u64 how)
{
	u64 left;

	if (d->state != IO_GONE && ask(d, how))
		return VL_REMOVE_WAITS;
	left = io_device_shrink(d, PAGES_A_CALL);
	if (left == 0)
		unpublish(d);
	return (s64)left;
}

s64 domain_io_remove(struct domain *d, u64 index, u64 how)
{
	struct io_device *device;
	s64 answer = -VL_ENOENT;
	bool news;

	lock_take(&d->lock);
	device = device_of(d, index);
	news = device != NULL && device->state == IO_SHOWN;
	if (device != NULL)
		answer = remove(device, how);
	lock_release(&d->lock);
	if (answer == 0)
		io_device_free(device);
	if (news)
		events_notify(d);
	return answer;
}

/* --- the domain's end --- */

/* Nobody runs who would have to be told. */
static u64 end(struct io_device *d)
{
	struct domain *owner = d->domain;
	u64 left;

	lock_take(&owner->lock);
	lock_take(&owner->irq_lock);
	if (d->state != IO_GONE)
		cut_off(d);
	if (d->nr_pages <= PAGES_AN_END) {
		owner->device[d->index] = NULL;
		owner->nr_devices--;
	}
	lock_release(&owner->irq_lock);
	lock_release(&owner->lock);
	left = io_device_shrink(d, PAGES_AN_END);
	if (left == 0)
		io_device_free(d);
	return max_u64(left, 1);
}

/* One device a call, or less; and nothing else is done in that call. */
u64 domain_io_end(struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_DEVICES; i++)
		if (d->device[i] != NULL)
			return end(d->device[i]);
	__atomic_store_n(&d->devices_wait, 0, __ATOMIC_SEQ_CST);
	d->devices_due = 0;
	return 0;
}
