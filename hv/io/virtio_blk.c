// SPDX-License-Identifier: MIT
/*
 * The virtio disk, see io/virtio_blk.h.
 */
#include "io/virtio_blk.h"

#include "lib/string.h"

#define HEADER_SIZE  ((u32)sizeof(struct virtio_blk_header))
#define STATUS_SIZE  1u
#define ID_SIZE      20u
#define SIZE_MAX_AT  8u /* in the configuration, behind the capacity */
#define SEG_MAX_AT   12u
#define CONFIG_BYTES 16u

_Static_assert(VIRTIO_BLK_SEGMENTS + 2 <= VIRTQUEUE_PARTS, "header, segments and status");

void virtio_blk_init(struct virtio_blk *b, const struct disk *disk)
{
	const u32 size = VIRTIO_BLK_SEGMENT_SIZE, segments = VIRTIO_BLK_SEGMENTS;

	memset(b, 0, sizeof(*b));
	b->disk = *disk;
	b->mmio.id = VIRTIO_ID_BLOCK;
	b->mmio.nr_queues = 1;
	b->mmio.features = VIRTIO_F_VERSION | VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX |
			   VIRTIO_BLK_F_FLUSH | (disk->read_only ? VIRTIO_BLK_F_RO : 0);
	b->mmio.config_size = CONFIG_BYTES;
	memcpy(b->mmio.config, &disk->sectors, sizeof(disk->sectors));
	memcpy(b->mmio.config + SIZE_MAX_AT, &size, sizeof(size));
	memcpy(b->mmio.config + SEG_MAX_AT, &segments, sizeof(segments));
	virtio_mmio_reset(&b->mmio);
}

static bool is_on_disk(const struct disk *d, u64 sector, u64 bytes)
{
	return bytes % SECTOR_SIZE == 0 && bytes <= VIRTIO_BLK_BYTES && sector <= d->sectors &&
	       bytes / SECTOR_SIZE <= d->sectors - sector;
}

/* A page of the disk at a time. */
static bool transfer(const struct disk *d, const struct virtqueue_chain *c,
		     const struct guest_memory *m, u64 offset, u32 bytes, bool write)
{
	for (u32 done = 0; done < bytes;) {
		u64 at = offset + done;
		u32 n = (u32)min_u64(bytes - done, PAGE_SIZE - at % PAGE_SIZE);
		u8 *page = d->page(d->context, at / PAGE_SIZE);
		bool good =
			write ? virtqueue_read(c, m, HEADER_SIZE + done, page + at % PAGE_SIZE, n)
			      : virtqueue_write(c, m, done, page + at % PAGE_SIZE, n);

		if (!good)
			return false;
		done += n;
	}
	return true;
}

static u8 read_sectors(struct virtio_blk *b, const struct virtqueue_chain *c,
		       const struct guest_memory *m, u64 sector, u32 *written)
{
	u32 bytes = c->writable - STATUS_SIZE;

	if (!is_on_disk(&b->disk, sector, bytes) ||
	    !transfer(&b->disk, c, m, sector * SECTOR_SIZE, bytes, false))
		return VIRTIO_BLK_IOERR;
	b->reads++;
	b->read_bytes += bytes;
	*written = bytes;
	return VIRTIO_BLK_OK;
}

static u8 write_sectors(struct virtio_blk *b, const struct virtqueue_chain *c,
			const struct guest_memory *m, u64 sector)
{
	u32 bytes = c->readable - HEADER_SIZE;

	if (b->disk.read_only || !is_on_disk(&b->disk, sector, bytes) ||
	    !transfer(&b->disk, c, m, sector * SECTOR_SIZE, bytes, true))
		return VIRTIO_BLK_IOERR;
	b->writes++;
	b->write_bytes += bytes;
	return VIRTIO_BLK_OK;
}

static u8 get_id(const struct virtqueue_chain *c, const struct guest_memory *m, u32 *written)
{
	static const char id[ID_SIZE] = "vellum-ram-disk";
	u32 n = (u32)min_u64(sizeof(id), c->writable - STATUS_SIZE);

	*written = n;
	return virtqueue_write(c, m, 0, id, n) ? (u8)VIRTIO_BLK_OK : (u8)VIRTIO_BLK_IOERR;
}

static u8 perform(struct virtio_blk *b, const struct virtqueue_chain *c,
		  const struct guest_memory *m, const struct virtio_blk_header *h, u32 *written)
{
	switch (h->type) {
	case VIRTIO_BLK_IN:
		return read_sectors(b, c, m, h->sector, written);
	case VIRTIO_BLK_OUT:
		return write_sectors(b, c, m, h->sector);
	case VIRTIO_BLK_FLUSH:
		return VIRTIO_BLK_OK;
	case VIRTIO_BLK_GET_ID:
		return get_id(c, m, written);
	default:
		return VIRTIO_BLK_UNSUPP;
	}
}

/* A request without room for header or status cannot even fail. */
static void serve_one(struct virtio_blk *b, const struct guest_memory *m,
		      const struct virtqueue_chain *c)
{
	struct virtio_blk_header h;
	u32 written = 0;
	u8 status;

	if (c->writable < STATUS_SIZE || !virtqueue_read(c, m, 0, &h, HEADER_SIZE)) {
		virtio_mmio_break(&b->mmio);
		return;
	}
	status = perform(b, c, m, &h, &written);
	b->refused += status != VIRTIO_BLK_OK;
	virtqueue_write(c, m, c->writable - STATUS_SIZE, &status, STATUS_SIZE);
	virtio_mmio_give(&b->mmio, m, 0, c->head, written + STATUS_SIZE);
}

bool virtio_blk_serve(struct virtio_blk *b, const struct guest_memory *m, u32 most)
{
	struct virtqueue_chain c;

	for (; most > 0 && virtio_mmio_take(&b->mmio, m, 0, &c); most--)
		serve_one(b, m, &c);
	return virtio_mmio_runs(&b->mmio, 0) && virtqueue_has_more(&b->mmio.queue[0], m);
}

bool virtio_blk_fill(struct virtio_blk *b, u64 offset, const void *from, u64 size)
{
	u64 all = b->disk.sectors * SECTOR_SIZE;

	if (offset > all || size > all - offset)
		return false;
	for (u64 done = 0; done < size;) {
		u64 at = offset + done, n = min_u64(size - done, PAGE_SIZE - at % PAGE_SIZE);
		u8 *page = b->disk.page(b->disk.context, at / PAGE_SIZE);

		memcpy(page + at % PAGE_SIZE, (const u8 *)from + done, n);
		done += n;
	}
	return true;
}
