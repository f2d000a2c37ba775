// SPDX-License-Identifier: MIT
/*
 * See cpu/disks.h. Behind one lock: the controller, what its disks have told, and who
 * has which sectors. What a disk is is found out step by step, by disk_info being
 * called again, as nobody may wait for a disk.
 */
#include "cpu/disks.h"

#include "cpu/domain_platform.h"
#include "cpu/pci_owner.h"
#include "cpu/ports.h"
#include "lib/lock.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"

#define CHANNELS     2u
#define MASTER_BAR   4u
#define MASTER_PORTS 8u                        /* of each channel */
#define PAGES        (CHANNELS + VL_MAX_DISKS) /* a table each, and a sector each */
#define BUFFER_PAGES (IDE_MOST_BYTES / PAGE_SIZE)

_Static_assert(IDE_MOST_BYTES == VIRTIO_BLK_BYTES && IDE_SECTOR == SECTOR_SIZE, "one request");
_Static_assert(PARTITION_SECTOR == IDE_SECTOR && PARTITIONS == VL_MAX_PARTITIONS, "one sector");
_Static_assert(VL_TABLE_MBR == PARTITIONS_MBR && VL_TABLE_GPT == PARTITIONS_GPT &&
		       VL_TABLE_BAD_GPT == PARTITIONS_BAD_GPT,
	       "ABI");

struct machine_disk {
	bool known;
	int err; /* of a disk that is known: what is wrong with it */
	struct partition_table table;
	struct partition_scan scan;
	struct ide_op op;
};

static struct {
	bool begun;
	u32 function;
	ma_t pages;
	struct ide_channel channel[CHANNELS];
	struct machine_disk disk[VL_MAX_DISKS];
	struct extent_claims claims;
} disks;
static struct lock lock = LOCK_INIT(LOCK_DISK);

/* --- the machine --- */

static u32 port_in(void *context, u16 port, u8 size)
{
	(void)context;
	return ports_machine_in(port, size);
}

static void port_out(void *context, u16 port, u8 size, u32 value)
{
	(void)context;
	ports_machine_out(port, size, value);
}

static u64 now(void *context)
{
	(void)context;
	return rdtsc();
}

static struct ide_machine hardware = {.in = port_in, .out = port_out, .now = now};

static struct ide_channel *channel_of(u32 disk)
{
	return &disks.channel[disk / IDE_DRIVES];
}

static const struct ide_drive *drive_of(u32 disk)
{
	return &channel_of(disk)->drive[disk % IDE_DRIVES];
}

/* --- what a disk is --- */

static void read_next(u32 index, enum ide_kind kind)
{
	struct machine_disk *d = &disks.disk[index];
	ma_t page = {disks.pages.v + (CHANNELS + index) * PAGE_SIZE};

	d->op = (struct ide_op){.kind = kind,
				.drive = index % IDE_DRIVES,
				.lba = d->scan.wanted,
				.sectors = 1,
				.data = direct(page),
				.ma = page.v};
	d->known = ide_submit(channel_of(index), &d->op) < 0;
}

static void go_on(u32 index)
{
	struct machine_disk *d = &disks.disk[index];
	u64 sectors = drive_of(index)->sectors;
	bool more = false;

	if (d->op.kind == IDE_IDENTIFY) {
		d->err = d->op.result == -VL_ENODEV ? -VL_ENOENT : d->op.result;
		partition_begin(&d->scan, &d->table, sectors);
		more = d->err == 0 && sectors > 1;
	} else if (d->op.result < 0) {
		partition_stop(&d->scan);
	} else {
		more = partition_feed(&d->scan, d->op.data);
	}
	d->known = true;
	if (more)
		read_next(index, IDE_READ);
}

/* 0; -VL_EAGAIN: it has not told all yet. */
static int examine(u32 index)
{
	struct machine_disk *d = &disks.disk[index];

	if (!disks.begun || index >= VL_MAX_DISKS)
		return -VL_ENOENT;
	ide_poll(channel_of(index));
	if (!d->known && !d->op.waits)
		go_on(index);
	return d->known ? d->err : -VL_EAGAIN;
}

static void tell_counts(const struct ide_counts *c, struct vl_disk_info *info)
{
	info->reads = c->reads;
	info->writes = c->writes;
	info->flushes = c->flushes;
	info->errors = c->errors;
	info->timeouts = c->timeouts;
	info->dma_failures = c->dma_failures;
	info->resets = c->resets;
}

static bool can_be_safe(const struct ide_drive *d)
{
	return !d->cached || d->flush || d->flush_ext;
}

static void tell(u32 index, struct vl_disk_info *info)
{
	const struct partition_table *t = &disks.disk[index].table;
	const struct ide_drive *d = drive_of(index);

	info->sectors = d->sectors;
	info->flags = (d->dma ? VL_DISK_DMA : 0) | (can_be_safe(d) ? VL_DISK_SAFE : 0) |
		      (extent_is_used(&disks.claims, index) ? VL_DISK_USED : 0);
	info->table = t->kind;
	memcpy(info->model, d->model, sizeof(d->model));
	tell_counts(&channel_of(index)->counts, info);
	info->nr_partitions = t->count;
	info->left_out = t->left_out;
	for (u32 i = 0; i < t->count; i++)
		info->partition[i] = (struct vl_partition){
			.number = t->partition[i].number,
			.start = t->partition[i].extent.start,
			.sectors = t->partition[i].extent.sectors,
		};
}

int disks_info(u32 index, struct vl_disk_info *info)
{
	int err;

	memset(info, 0, sizeof(*info));
	lock_take(&lock);
	err = examine(index);
	if (err == 0)
		tell(index, info);
	lock_release(&lock);
	return err;
}

/* --- beginning and end --- */

static void begin_channel(u32 i, const struct pci_function *f)
{
	ma_t table = {disks.pages.v + i * PAGE_SIZE};
	u16 master = (u16)f->ports[MASTER_BAR].start;

	disks.channel[i] = (struct ide_channel){
		.machine = &hardware,
		.command = (u16)pci_legacy_ports[2 * i].start,
		.control = (u16)pci_legacy_ports[2 * i + 1].start,
		.master = master != 0 ? (u16)(master + i * MASTER_PORTS) : 0,
		.prd = direct(table),
		.prd_ma = table.v,
	};
	ide_begin(&disks.channel[i]);
}

static void begin(u32 function, const struct pci_function *f, mfn_t pages)
{
	hardware.ticks_per_ms = domain_clocks_tsc_khz();
	disks.function = function;
	disks.pages = mfn_to_ma(pages);
	memset(disks.disk, 0, sizeof(disks.disk));
	for (u32 i = 0; i < CHANNELS; i++)
		begin_channel(i, f);
	for (u32 i = 0; i < VL_MAX_DISKS; i++)
		read_next(i, IDE_IDENTIFY);
	disks.begun = true;
}

static void free_pages(mfn_t first, u64 count)
{
	for (u64 i = 0; i < count; i++)
		frame_free((mfn_t){first.v + i});
}

int disks_begin(u32 function)
{
	const struct pci_function *f;
	mfn_t pages;

	if (disks.begun)
		return disks.function == function ? -VL_EEXIST : -VL_EBUSY;
	if (!frame_alloc_run(PAGES, &pages))
		return -VL_ENOMEM;
	f = pci_owner_use(function, VL_PCI_DISK);
	if (f == NULL) {
		free_pages(pages, PAGES);
		return -VL_ENOENT;
	}
	lock_take(&lock);
	begin(function, f, pages);
	lock_release(&lock);
	return 0;
}

static bool is_used(void)
{
	bool used = false;

	for (u32 i = 0; i < VL_MAX_DISKS; i++)
		used = used || extent_is_used(&disks.claims, i);
	return used;
}

/* What was asked of the drives to learn what they are. */
static void forget(void)
{
	for (u32 i = 0; i < VL_MAX_DISKS; i++) {
		ide_cancel(channel_of(i), &disks.disk[i].op);
		disks.disk[i].known = true;
		disks.disk[i].err = -VL_EIO;
	}
}

/* -VL_EAGAIN: a drive that was in the middle of something is being reset. */
static int quiet(void)
{
	bool busy = false;

	if (is_used())
		return -VL_EBUSY;
	forget();
	for (u32 i = 0; i < CHANNELS; i++)
		busy = ide_poll(&disks.channel[i]) || busy;
	return busy ? -VL_EAGAIN : 0;
}

static void end(void)
{
	for (u32 i = 0; i < CHANNELS; i++)
		ide_end(&disks.channel[i]);
	disks.begun = false;
}

int disks_end(u32 function)
{
	int err;

	if (!disks.begun || disks.function != function)
		return -VL_ENOENT;
	lock_take(&lock);
	err = quiet();
	if (err == 0)
		end();
	lock_release(&lock);
	if (err < 0)
		return err;
	pci_owner_unuse(function);
	free_pages(ma_to_mfn(disks.pages), PAGES);
	return 0;
}

void disks_stop(void)
{
	if (!disks.begun)
		return;
	lock_take(&lock);
	forget();
	for (u32 i = 0; i < EXTENT_CLAIMS; i++) {
		struct disk_user *u = disks.claims.claim[i].owner;

		if (u != NULL) {
			ide_cancel(u->channel, &u->op);
			u->channel = NULL;
		}
		disks.claims.claim[i].owner = NULL;
	}
	end();
	lock_release(&lock);
	free_pages(ma_to_mfn(disks.pages), PAGES);
}

/* --- users --- */

static bool is_within(u64 all, u64 start, u64 sectors)
{
	return start < all && sectors != 0 && sectors <= all - start;
}

static int find_extent(const struct vl_disk_extent *w, struct extent *found)
{
	const struct extent *of = &(struct extent){0, drive_of(w->disk)->sectors};
	u64 sectors;

	if (w->partition != 0)
		of = partition_find(&disks.disk[w->disk].table, w->partition);
	if (of == NULL)
		return -VL_ENOENT;
	sectors = w->sectors != 0 || w->start >= of->sectors ? w->sectors : of->sectors - w->start;
	if (!is_within(of->sectors, w->start, sectors))
		return -VL_EINVAL;
	*found = (struct extent){of->start + w->start, sectors};
	return 0;
}

static int claim(struct disk_user *u, const struct vl_disk_extent *w)
{
	struct extent_claim c = {
		.owner = u, .disk = w->disk, .writes = !(w->flags & VL_DEVICE_READ_ONLY)};
	int err = examine(w->disk);

	if (err == 0)
		err = find_extent(w, &c.extent);
	if (err == 0 && c.writes && !can_be_safe(drive_of(w->disk)))
		err = -VL_EOPNOTSUPP;
	if (err == 0)
		err = extent_claim(&disks.claims, &c);
	if (err < 0)
		return err;
	u->extent = c.extent;
	u->op.drive = w->disk % IDE_DRIVES;
	u->channel = channel_of(w->disk);
	return 0;
}

static int begin_request(void *context, u32 type, u64 sector, u32 sectors, bool through)
{
	struct disk_user *u = context;
	int err = -VL_ENODEV;

	u->op.kind = type == VIRTIO_BLK_IN    ? IDE_READ
		     : type == VIRTIO_BLK_OUT ? IDE_WRITE
					      : IDE_FLUSH;
	u->op.lba = u->extent.start + sector;
	u->op.sectors = sectors;
	u->op.through = through;
	lock_take(&lock);
	if (u->channel != NULL)
		err = ide_submit(u->channel, &u->op);
	if (err == 0)
		ide_poll(u->channel);
	lock_release(&lock);
	return err;
}

static bool poll_request(void *context, int *result)
{
	struct disk_user *u = context;
	bool done;

	lock_take(&lock);
	if (u->channel != NULL && u->op.waits)
		ide_poll(u->channel);
	done = !u->op.waits;
	*result = u->channel != NULL ? u->op.result : -VL_ENODEV;
	lock_release(&lock);
	return done;
}

int disks_open(struct disk_user *u, const struct vl_disk_extent *w, struct disk *disk)
{
	mfn_t buffer;
	int err;

	if (!frame_alloc_run(BUFFER_PAGES, &buffer))
		return -VL_ENOMEM;
	u->op.ma = mfn_to_ma(buffer).v;
	u->op.data = direct((ma_t){u->op.ma});
	memset(u->op.data, 0, IDE_MOST_BYTES);
	lock_take(&lock);
	err = claim(u, w);
	lock_release(&lock);
	*disk = (struct disk){
		.sectors = u->extent.sectors,
		.read_only = w->flags & VL_DEVICE_READ_ONLY,
		.buffer = u->op.data,
		.begin = begin_request,
		.poll = poll_request,
		.context = u,
	};
	return err;
}

void disks_close(struct disk_user *u)
{
	lock_take(&lock);
	if (u->channel != NULL) {
		ide_cancel(u->channel, &u->op);
		extent_release(&disks.claims, u);
		u->channel = NULL;
	}
	lock_release(&lock);
	if (u->op.data != NULL)
		free_pages(ma_to_mfn((ma_t){u->op.ma}), BUFFER_PAGES);
	u->op.data = NULL;
}
