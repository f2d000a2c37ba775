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

static u8 get_id(const struct virtio_blk *b, const struct virtqueue_chain *c,
		 const struct guest_memory *m, u32 *written)
{
	static const char ids[][ID_SIZE] = {"vellum-ram-disk", "vellum-disk"};
	const char *id = ids[b->disk.page == NULL];
	u32 n = (u32)min_u64(ID_SIZE, c->writable - STATUS_SIZE);

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
		return get_id(b, c, m, written);
	default:
		return VIRTIO_BLK_UNSUPP;
	}
}

static void answer(struct virtio_blk *b, const struct guest_memory *m,
		   const struct virtqueue_chain *c, u8 status, u32 written)
{
	b->refused += status != VIRTIO_BLK_OK;
	virtqueue_write(c, m, c->writable - STATUS_SIZE, &status, STATUS_SIZE);
	if (virtio_mmio_give(&b->mmio, m, 0, c->head, written + STATUS_SIZE))
		virtio_mmio_interrupt(&b->mmio);
}

/* --- of a device --- */

static bool is_for_device(const struct virtio_blk *b, u32 type)
{
	return b->disk.page == NULL &&
	       (type == VIRTIO_BLK_IN || type == VIRTIO_BLK_OUT || type == VIRTIO_BLK_FLUSH);
}

/* A driver that has not taken FLUSH expects that what is written is safe. */
static bool is_safe_at_once(const struct virtio_blk *b)
{
	return !(b->mmio.driver_features & VIRTIO_BLK_F_FLUSH);
}

static u32 bytes_of(const struct virtqueue_chain *c, u32 type)
{
	if (type == VIRTIO_BLK_FLUSH)
		return 0;
	return type == VIRTIO_BLK_IN ? c->writable - STATUS_SIZE : c->readable - HEADER_SIZE;
}

static bool may_begin(const struct virtio_blk *b, const struct virtqueue_chain *c,
		      const struct guest_memory *m, const struct virtio_blk_header *h)
{
	u32 bytes = bytes_of(c, h->type);

	if (h->type == VIRTIO_BLK_FLUSH)
		return true;
	if ((h->type == VIRTIO_BLK_OUT && b->disk.read_only) ||
	    !is_on_disk(&b->disk, h->sector, bytes))
		return false;
	return h->type == VIRTIO_BLK_IN || virtqueue_read(c, m, HEADER_SIZE, b->disk.buffer, bytes);
}

static void begin(struct virtio_blk *b, const struct guest_memory *m,
		  const struct virtqueue_chain *c, const struct virtio_blk_header *h)
{
	u32 bytes = bytes_of(c, h->type);

	if (!may_begin(b, c, m, h)) {
		answer(b, m, c, VIRTIO_BLK_IOERR, 0);
		return;
	}
	if (h->type != VIRTIO_BLK_FLUSH && bytes == 0) {
		answer(b, m, c, VIRTIO_BLK_OK, 0);
		return;
	}
	if (b->disk.begin(b->disk.context, h->type, h->sector, bytes / SECTOR_SIZE,
			  is_safe_at_once(b)) < 0) {
		answer(b, m, c, VIRTIO_BLK_IOERR, 0);
		return;
	}
	b->busy = true;
	b->resets = b->mmio.resets;
	b->type = h->type;
	b->chain = *c;
}

/* Its memory may have gone meanwhile. */
static void end(struct virtio_blk *b, const struct guest_memory *m, int result)
{
	const struct virtqueue_chain *c = &b->chain;
	u32 bytes = bytes_of(c, b->type);

	if (result == 0 && b->type == VIRTIO_BLK_IN &&
	    !virtqueue_write(c, m, 0, b->disk.buffer, bytes))
		result = -1;
	if (result == 0) {
		b->reads += b->type == VIRTIO_BLK_IN;
		b->read_bytes += b->type == VIRTIO_BLK_IN ? bytes : 0;
		b->writes += b->type == VIRTIO_BLK_OUT;
		b->write_bytes += b->type == VIRTIO_BLK_OUT ? bytes : 0;
	}
	answer(b, m, c, (u8)(result == 0 ? VIRTIO_BLK_OK : VIRTIO_BLK_IOERR),
	       result == 0 && b->type == VIRTIO_BLK_IN ? bytes : 0);
}

/* Whether the next one may begin. What was under way when the driver reset the device is nobody's.
 */
static bool is_free(struct virtio_blk *b, const struct guest_memory *m)
{
	int result;

	if (!b->busy)
		return true;
	if (!b->disk.poll(b->disk.context, &result))
		return false;
	b->busy = false;
	if (b->resets == b->mmio.resets && virtio_mmio_runs(&b->mmio, 0))
		end(b, m, result);
	return true;
}

/* --- of both --- */

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
	if (is_for_device(b, h.type)) {
		begin(b, m, c, &h);
		return;
	}
	status = perform(b, c, m, &h, &written);
	answer(b, m, c, status, written);
}

bool virtio_blk_serve(struct virtio_blk *b, const struct guest_memory *m, u32 most)
{
	struct virtqueue_chain c;

	for (; is_free(b, m) && most > 0 && virtio_mmio_take(&b->mmio, m, 0, VIRTQUEUE_ALL, &c);
	     most--)
		serve_one(b, m, &c);
	return b->busy ||
	       (virtio_mmio_runs(&b->mmio, 0) && virtqueue_has_more(&b->mmio.queue[0], m));
}

bool virtio_blk_fill(struct virtio_blk *b, u64 offset, const void *from, u64 size)
{
	u64 all = b->disk.sectors * SECTOR_SIZE;

	if (b->disk.page == NULL || offset > all || size > all - offset)
		return false;
	for (u64 done = 0; done < size;) {
		u64 at = offset + done, n = min_u64(size - done, PAGE_SIZE - at % PAGE_SIZE);
		u8 *page = b->disk.page(b->disk.context, at / PAGE_SIZE);

		memcpy(page + at % PAGE_SIZE, (const u8 *)from + done, n);
		done += n;
	}
	return true;
}
