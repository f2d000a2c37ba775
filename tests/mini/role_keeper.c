// SPDX-License-Identifier: MIT
/*
 * An heir that writes to a partition of the machine's disk until it owns the machine, in the middle
 * of a request: what was flushed is there, of the request each sector is as it was or as it was to
 * be, and all behind is as it was. It looks by itself, so before it comes home, too. Words:
 * start=HEX, the first sector of its partition.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/ide.h"
#include "mini/role_io.h"
#include "mini/virtio.h"
#include "public/calls.h"
#include "public/errno.h"

#define SECTORS (LOG_BYTES / IDE_SECTOR) /* of a piece */
#define BEHIND  4u                       /* pieces that are looked at, behind the last one */

static u8 sector[IDE_SECTOR] __attribute__((aligned(16)));
static u64 pieces;     /* that are flushed */
static bool was_asked; /* of the next one: */
static bool was_written;

static bool owns(void)
{
	return vl_call_verify_image(hypercall_page) != -VL_EPERM;
}

/* False: the machine has changed hands before the answer. */
static bool await(struct virtio *v)
{
	u32 size;

	while (virtio_used(v, 0, &size) < 0)
		if (owns())
			return false;
	return true;
}

static bool write_piece(struct virtio *v)
{
	was_written = false;
	was_asked = true;
	role_log_offer(v, pieces);
	if (!await(v))
		return false;
	role_log_check();
	was_written = true;
	role_flush_offer(v);
	if (!await(v))
		return false;
	role_log_check();
	was_asked = false;
	pieces++;
	return true;
}

void keeper_write(void)
{
	struct virtio *v = role_log_start();

	while (write_piece(v))
		print("flushed %lu\n", pieces);
	print("\n# keeper: %lu pieces are flushed, %s\n", pieces,
	      was_written ? "one more is written" : "one was under way");
}

static bool sector_is(u64 n, bool written)
{
	for (u32 i = 0; i < IDE_SECTOR; i++)
		if (sector[i] != (written ? LOG_BYTE(n * IDE_SECTOR + i) : 0))
			return false;
	return true;
}

/* How many of the piece's sectors are as they were to be, where `may` is whether they may be as
 * they were. */
static u32 check_piece(u64 first, u64 piece, bool must, bool may)
{
	u32 written = 0;
	u8 status;

	for (u64 n = piece * SECTORS; n < (piece + 1) * SECTORS; n++) {
		bool is_written;

		if (!ide_read_natively(first + n, sector, &status))
			panic("status %#x at sector %lu", status, n);
		is_written = sector_is(n, true);
		if (is_written ? !may : must || !sector_is(n, false))
			panic("sector %lu of %lu pieces is not what it must be", n, pieces);
		written += is_written;
	}
	return written;
}

void keeper_check(void)
{
	u64 first = 0;
	u32 written;

	cmdline_get_hex("start", &first);
	for (u64 i = 0; i < pieces; i++)
		check_piece(first, i, true, true);
	written = check_piece(first, pieces, was_written, was_asked);
	for (u64 i = 1; i <= BEHIND; i++)
		check_piece(first, pieces + i, false, false);
	print("# keeper: %lu pieces are there, and %u sectors of the next one\n", pieces, written);
}
