// SPDX-License-Identifier: MIT
/*
 * The devices of a later domain, behind its irq_lock like its platform.
 *
 * What one exit does is bounded (ROUNDS). What is left, the first vcpu goes on
 * with at the end of its next exit, the one after its time slice at the latest: its timer is set
 * to now, but behind this exit's look at timers (sched_exit()). Everything that waits for the CPU
 * has had its chance by then.
 */
#include "cpu/domain_io.h"

#include "cpu/disks.h"
#include "cpu/domain_platform.h"
#include "cpu/guest_view.h"
#include "cpu/io_device.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "public/errno.h"

#define REQUESTS_A_BATCH 1u
#define ROUNDS           8u  /* of a kick: VIRTIO_NET_ROUND, or a batch of requests */
#define OWED_A_MS        1u  /* interrupts for what was sent, if nothing else comes */
#define LOOKS_A_MS       20u /* at a request that a disk of the machine has not done */

_Static_assert(VL_DEVICE_NET == VIRTIO_ID_NET && VL_DEVICE_BLOCK == VIRTIO_ID_BLOCK, "ABI");
_Static_assert(VL_SECTOR_SIZE == SECTOR_SIZE, "ABI");

/* --- memory --- */

static void *disk_page(void *context, u64 index)
{
	const struct io_device *d = context;
	void *page = direct((ma_t){d->page[index] & ~UNTOUCHED});

	if (d->page[index] & UNTOUCHED)
		memset(page, 0, PAGE_SIZE);
	d->page[index] &= ~UNTOUCHED;
	return page;
}

/* --- work, in an exit of the domain's own --- */

static void set_line(struct io_device *d)
{
	io_device_set_line(d, virtio_mmio_line(d->mmio));
}

/* The device of a window; NULL: the guest sees none there. With irq_lock: in another hold it may be
 * another one. */
static struct io_device *seen(const struct domain *d, u32 index)
{
	struct io_device *device = d->device[index];

	return device != NULL && io_device_is_seen(device) ? device : NULL;
}

/* The next one in turn, so that a device that is never done keeps no other from its turn. */
static u32 next_waiting(u32 waits, u32 turn)
{
	u32 behind = waits & ~0u << turn;

	return (u32)__builtin_ctz(behind != 0 ? behind : waits);
}

static bool is_busy(const struct io_device *d)
{
	return d != NULL && (d->masked || (d->mmio->id == VIRTIO_ID_BLOCK && d->blk.busy));
}

/* At once, unless all that waits is for disks. */
static u64 next_look(const struct domain *d)
{
	u32 waits = __atomic_load_n(&d->devices_wait, __ATOMIC_ACQUIRE);
	bool all_busy = true;

	for (u32 left = waits; left != 0; left &= left - 1)
		all_busy = all_busy && is_busy(seen(d, (u32)__builtin_ctz(left)));
	if (waits == 0)
		return d->devices_due != 0 ? d->devices_due : CLOCK_NEVER;
	return rdtsc() + (all_busy ? domain_clocks_tsc_khz() / LOOKS_A_MS : 0);
}

static void set_look(struct vcpu *v)
{
	const struct domain *d = v->domain;

	if (d->platform != NULL)
		platform_set_work(d->platform, next_look(d), rdtsc());
	else
		sched_timer(v, next_look(d));
}

/* The driver of a network device is told later of what was sent: with what comes next, which it
 * nearly always is, or after a while, if the vcpu with the timer for it is here. */
static bool work_net(struct vcpu *v, struct io_device *device, const struct guest_memory *m)
{
	const struct net_link link = io_device_link(device);
	struct domain *d = device->domain;
	bool more = virtio_net_serve(&device->net, m, &link, v->cpu == 0);

	if (device->net.owed != 0 && d->devices_due == 0) {
		d->devices_due = rdtsc() + domain_clocks_tsc_khz() / OWED_A_MS;
		set_look(v);
	}
	return more;
}

/* Whether there is more. */
static bool work(struct vcpu *v, struct io_device *d)
{
	struct guest_view view;
	const struct guest_memory m = {guest_view_find, &view};

	guest_view_init(&view, d->domain);
	if (d->mmio->id == VIRTIO_ID_BLOCK)
		return virtio_blk_serve(&d->blk, &m, REQUESTS_A_BATCH);
	return work_net(v, d, &m);
}

/* One device a hold of the lock (L2). Its bit goes before it is looked at, so that what comes then
 * is not overlooked. */
static void work_one(struct vcpu *v)
{
	struct domain *d = v->domain;
	u32 i = next_waiting(__atomic_load_n(&d->devices_wait, __ATOMIC_ACQUIRE), d->devices_turn);
	struct io_device *device = seen(d, i);

	d->devices_turn = (i + 1) % VL_MAX_DEVICES;
	__atomic_and_fetch(&d->devices_wait, ~(1u << i), __ATOMIC_SEQ_CST);
	if (device != NULL && work(v, device))
		__atomic_or_fetch(&d->devices_wait, 1u << i, __ATOMIC_SEQ_CST);
	if (device != NULL)
		set_line(device);
}

static void say_what_is_owed(struct domain *d)
{
	d->devices_due = 0;
	for (u32 i = 0; i < VL_MAX_DEVICES; i++) {
		struct io_device *device = seen(d, i);

		if (device == NULL || device->mmio->id != VIRTIO_ID_NET)
			continue;
		virtio_net_say(&device->net);
		set_line(device);
	}
}

void domain_io_work(struct vcpu *v)
{
	struct domain *d = v->domain;

	if (__atomic_load_n(&d->devices_wait, __ATOMIC_ACQUIRE) != 0)
		work_one(v);
	if (d->devices_due != 0 && rdtsc() >= d->devices_due)
		say_what_is_owed(d);
	set_look(v);
}

/* --- the windows --- */

bool domain_io_overlaps(const struct vcpu *v, u64 pa, u64 size)
{
	const struct range windows = {VL_DEVICE_BASE, VL_DEVICE_ADDRESS(VL_MAX_DEVICES)};
	const struct range ioapic = {IOAPIC_PAGE, IOAPIC_PAGE + PAGE_SIZE};
	const struct range here = {pa, pa + size};

	if (has_platform(v))
		return range_overlaps(windows, here);
	return v->domain->nr_devices != 0 &&
	       (range_overlaps(windows, here) || range_overlaps(ioapic, here));
}

static u32 index_of(u64 pa)
{
	return (u32)((pa - VL_DEVICE_BASE) / VL_DEVICE_SIZE);
}

/* A placeholder (virtio 1.1, section 4.2.2: device id 0), of which drivers take no notice. */
static u32 read_empty(u32 offset, u8 size)
{
	if (size == sizeof(u32) && offset == VIRTIO_REG_MAGIC)
		return VIRTIO_MAGIC;
	return size == sizeof(u32) && offset == VIRTIO_REG_VERSION ? VIRTIO_VERSION : 0;
}

u32 domain_io_read(struct vcpu *v, u64 pa, u8 size)
{
	u32 offset = (u32)(pa % VL_DEVICE_SIZE), value;
	struct domain *d = v->domain;
	const struct io_device *device;

	lock_take(&d->irq_lock);
	if (pa < VL_DEVICE_BASE) {
		value = own_ioapic()[offset / sizeof(u32)];
	} else {
		device = seen(d, index_of(pa));
		value = device != NULL ? virtio_mmio_read(device->mmio, offset, size)
				       : read_empty(offset, size);
	}
	lock_release(&d->irq_lock);
	return value;
}

/* One batch, and what it does to the line. True if there is more. */
static bool work_once(struct vcpu *v, u32 index)
{
	struct io_device *device;
	bool more;

	lock_take(&v->domain->irq_lock);
	device = seen(v->domain, index);
	more = device != NULL && work(v, device);
	if (device != NULL)
		set_line(device);
	domain_platform_unlock(v);
	return more;
}

static void kick(struct vcpu *v, u32 index)
{
	bool more = true;

	for (u32 i = 0; more && i < ROUNDS; i++)
		more = work_once(v, index);
	if (!more)
		return;
	__atomic_or_fetch(&v->domain->devices_wait, 1u << index, __ATOMIC_SEQ_CST);
	if (v->cpu != 0 && remote_vcpu(v->domain, 0) != NULL)
		sched_wake(remote_vcpu(v->domain, 0));
}

/* The line falls with each acknowledge, and rises if there is more: an 8259 counts edges. */
static int write(struct io_device *d, u32 offset, u8 size, u32 value)
{
	struct guest_view view;
	const struct guest_memory m = {guest_view_find, &view};
	int kicked;

	guest_view_init(&view, d->domain);
	kicked = virtio_mmio_write(d->mmio, &m, offset, size, value);
	if (offset == VIRTIO_REG_INTERRUPT_ACK)
		io_device_set_line(d, false);
	set_line(d);
	return kicked;
}

void domain_io_write(struct vcpu *v, u64 pa, u8 size, u32 value)
{
	u32 offset = (u32)(pa % VL_DEVICE_SIZE);
	int kicked = VIRTIO_NOTHING;
	struct io_device *device;

	lock_take(&v->domain->irq_lock);
	device = pa < VL_DEVICE_BASE ? NULL : seen(v->domain, index_of(pa));
	if (device != NULL)
		kicked = write(device, offset, size, value);
	else if (pa < VL_DEVICE_BASE)
		own_ioapic()[offset / sizeof(u32)] = value;
	domain_platform_unlock(v);
	if (kicked != VIRTIO_NOTHING)
		kick(v, index_of(pa));
}

/* --- making and ending --- */

static bool is_zero(const void *p, size_t size)
{
	const u8 *bytes = p;
	size_t i = 0;

	while (i < size && bytes[i] == 0)
		i++;
	return i == size;
}

bool domain_io_bridge_is_good(const char *name)
{
	size_t n = 0;

	while (n < SWITCH_NAME_SIZE && name[n] > ' ' && name[n] <= '~')
		n++;
	return n > 0 && n < SWITCH_NAME_SIZE && is_zero(name + n, SWITCH_NAME_SIZE - n);
}

int domain_io_check(const struct vl_device *w)
{
	bool good;

	if (w->kind == VL_DEVICE_NET)
		good = !(w->flags & ~(VL_DEVICE_ANY_MAC | VL_DEVICE_HELD)) && w->size == 0 &&
		       switch_mac_is_good(w->mac) && domain_io_bridge_is_good(w->bridge);
	else
		good = w->kind == VL_DEVICE_BLOCK &&
		       !(w->flags & ~(VL_DEVICE_READ_ONLY | VL_DEVICE_HELD)) && w->size != 0 &&
		       w->size % VL_SECTOR_SIZE == 0 && w->size <= VL_DISK_MOST &&
		       is_zero(w->mac, sizeof(w->mac)) && is_zero(w->bridge, sizeof(w->bridge));
	good = good && w->zero == 0 &&
	       is_zero(&w->status, sizeof(*w) - offsetof(struct vl_device, status));
	return good ? 0 : -VL_EINVAL;
}

static u64 frames_of(u64 bytes)
{
	return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static void *alloc(u64 bytes)
{
	mfn_t mfn;

	if (!frame_alloc_run(frames_of(bytes), &mfn))
		return NULL;
	return memset(direct(mfn_to_ma(mfn)), 0, bytes);
}

static void release(void *p, u64 bytes)
{
	mfn_t first = ma_to_mfn((ma_t){(u64)p - DIRECT_BASE});

	for (u64 i = 0; p != NULL && i < frames_of(bytes); i++)
		frame_free((mfn_t){first.v + i});
}

void io_device_free(struct io_device *d)
{
	io_device_shrink(d, d->nr_pages);
	release(d->page, d->pages * sizeof(u64));
	release(d->queue, sizeof(*d->queue));
	if (d->real != NULL)
		disks_close(d->real);
	release(d->real, sizeof(*d->real));
	release(d, sizeof(*d));
}

static bool create_net(struct io_device *d, const struct vl_device *w)
{
	virtio_net_init(&d->net, w->mac);
	d->mmio = &d->net.mmio;
	d->queue = alloc(sizeof(*d->queue));
	return d->queue != NULL;
}

/* Half of what is free stays for what domains need to live. */
static bool create_disk(struct io_device *d, const struct vl_device *w)
{
	const struct disk disk = {.sectors = w->size / SECTOR_SIZE,
				  .read_only = w->flags & VL_DEVICE_READ_ONLY,
				  .page = disk_page,
				  .context = d};

	virtio_blk_init(&d->blk, &disk);
	d->mmio = &d->blk.mmio;
	d->pages = frames_of(w->size);
	if (d->pages > frames_free_count() / 2)
		return false;
	d->page = alloc(d->pages * sizeof(u64));
	if (d->page == NULL)
		return false;
	d->nr_pages = d->pages;
	while (d->state != IO_HELD && d->whole < d->pages && io_device_need_page(d, d->whole))
		d->whole++;
	return d->state == IO_HELD || d->whole == d->pages;
}

/* With both locks of the domain: from here on its vcpus see it. */
static s64 publish(struct domain *d, struct io_device *device, const struct vl_device *w)
{
	u32 i = 0;
	int err = 0;

	if (d->platform == NULL && !domain_owns_machine(d))
		return -VL_ENOENT;
	while (i < VL_MAX_DEVICES && d->device[i] != NULL)
		i++;
	if (i == VL_MAX_DEVICES)
		return -VL_ENOSPC;
	device->index = i;
	if (w->kind == VL_DEVICE_NET)
		err = io_device_plug(device, w);
	if (err < 0)
		return err;
	d->device[i] = device;
	d->nr_devices++;
	return i;
}

static s64 add(struct domain *d, struct io_device *device, const struct vl_device *wanted)
{
	bool seen_at_once = device->state == IO_SHOWN; /* it may be gone by the end of this */
	s64 answer;

	device->domain = d;
	device->flags |= wanted->flags & ~VL_DEVICE_HELD;
	lock_take(&d->lock);
	lock_take(&d->irq_lock);
	answer = publish(d, device, wanted);
	lock_release(&d->irq_lock);
	lock_release(&d->lock);
	if (answer >= 0 && seen_at_once)
		events_notify(d);
	return answer;
}

s64 domain_io_add(struct domain *d, const struct vl_device *wanted)
{
	struct io_device *device = alloc(sizeof(*device));
	s64 answer = -VL_ENOMEM;

	if (device == NULL)
		return answer;
	device->state = wanted->flags & VL_DEVICE_HELD ? IO_HELD : IO_SHOWN;
	device->line = wanted->line;
	if (wanted->kind == VL_DEVICE_NET ? create_net(device, wanted)
					  : create_disk(device, wanted))
		answer = add(d, device, wanted);
	if (answer < 0)
		io_device_free(device);
	return answer;
}

static s64 create_real(struct io_device *d, const struct vl_disk_extent *w)
{
	struct disk disk;
	int err;

	d->flags = VL_DEVICE_REAL;
	d->real = alloc(sizeof(*d->real));
	if (d->real == NULL)
		return -VL_ENOMEM;
	err = disks_open(d->real, w, &disk);
	if (err < 0)
		return err;
	virtio_blk_init(&d->blk, &disk);
	d->mmio = &d->blk.mmio;
	return 0;
}

s64 domain_io_add_disk(struct domain *d, const struct vl_disk_extent *wanted)
{
	const struct vl_device as = {.kind = VL_DEVICE_BLOCK, .flags = wanted->flags};
	struct io_device *device = alloc(sizeof(*device));
	s64 answer;

	if (device == NULL)
		return -VL_ENOMEM;
	device->line = wanted->line;
	answer = create_real(device, wanted);
	if (answer == 0)
		answer = add(d, device, &as);
	if (answer < 0)
		io_device_free(device);
	return answer;
}

/* --- for others --- */

/* Of a disk that is held, each page that is written to gets a frame: there are two at most. */
static s64 fill(struct io_device *d, u64 offset, const void *from, u64 size)
{
	bool good;

	if (!io_device_need_page(d, offset / PAGE_SIZE) ||
	    !io_device_need_page(d, (offset + size - 1) / PAGE_SIZE))
		return -VL_ENOMEM;
	lock_take(&d->domain->irq_lock);
	good = virtio_blk_fill(&d->blk, offset, from, size);
	lock_release(&d->domain->irq_lock);
	return good ? (s64)size : -VL_EINVAL;
}

s64 domain_io_fill(struct domain *d, u64 index, u64 offset, const void *from, u64 size)
{
	struct io_device *device;
	s64 answer = -VL_ENOENT;

	if (index >= VL_MAX_DEVICES)
		return answer;
	lock_take(&d->lock);
	device = d->device[index];
	if (device != NULL && device->state != IO_GONE && device->mmio->id == VIRTIO_ID_BLOCK)
		answer = fill(device, offset, from, size);
	lock_release(&d->lock);
	return answer;
}
