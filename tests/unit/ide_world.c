// SPDX-License-Identifier: MIT
#include "tests/unit/ide_world.h"

#include <stdlib.h>
#include <string.h>

#define BUSY  0x80u
#define READY 0x40u
#define FAULT 0x20u
#define DRQ   0x08u
#define ERROR 0x01u

static struct ide_world_drive *selected(struct ide_world *w)
{
	return &w->drive[w->device >> 4 & 1];
}

static bool takes_dma(u8 code)
{
	return code == 0xc8 || code == 0x25 || code == 0xca || code == 0x35;
}

static bool is_write(u8 code)
{
	return code == 0x30 || code == 0x34 || code == 0xca || code == 0x35;
}

static bool troubled(struct ide_world *w, enum ide_trouble trouble)
{
	if (w->trouble != trouble || w->troubles == 0)
		return false;
	w->troubles--;
	return true;
}

/* A driver that goes beyond the disk, or what the test keeps of it, is wrong. */
static u8 *sector_at(struct ide_world_drive *d, u64 lba)
{
	if (lba < d->first || lba - d->first >= IDE_WORLD_DISK)
		abort();
	return d->cache[lba - d->first];
}

static void fail_command(struct ide_world *w, u8 status, u8 error)
{
	w->status = READY | status;
	w->error = error;
	w->left = 0;
}

static bool is_bad(struct ide_world *w, u64 lba, u64 sectors)
{
	return w->trouble == IDE_BAD_SECTOR && lba <= w->bad_sector &&
	       w->bad_sector < lba + sectors && troubled(w, IDE_BAD_SECTOR);
}

/* --- programmed I/O --- */

static void fetch_sector(struct ide_world *w)
{
	w->at = 0;
	if (w->left == 0) {
		w->status = READY;
		return;
	}
	if (is_bad(w, w->lba, 1)) {
		fail_command(w, ERROR, 0x40);
		return;
	}
	if (w->code != 0xec && !is_write(w->code))
		memcpy(w->sector, sector_at(selected(w), w->lba), IDE_SECTOR);
	w->status = READY | DRQ;
}

static void end_sector(struct ide_world *w)
{
	if (is_write(w->code))
		memcpy(sector_at(selected(w), w->lba), w->sector, IDE_SECTOR);
	w->left--;
	w->lba++;
	w->busy = w->slow;
	fetch_sector(w);
}

static u32 data_in(struct ide_world *w)
{
	u16 word;

	if (!(w->status & DRQ) || is_write(w->code) || takes_dma(w->code) || w->busy)
		abort();
	memcpy(&word, w->sector + w->at, 2);
	w->at += 2;
	if (w->at == IDE_SECTOR)
		end_sector(w);
	return word;
}

static void data_out(struct ide_world *w, u16 word)
{
	if (!(w->status & DRQ) || !is_write(w->code) || takes_dma(w->code) || w->busy)
		abort();
	memcpy(w->sector + w->at, &word, 2);
	w->at += 2;
	if (w->at == IDE_SECTOR)
		end_sector(w);
}

/* --- bus mastering --- */

static u8 *memory_at(struct ide_world *w, u64 ma, u64 size)
{
	if (ma < IDE_WORLD_BASE || size > IDE_WORLD_MEMORY ||
	    ma - IDE_WORLD_BASE > IDE_WORLD_MEMORY - size)
		abort();
	return w->memory + (ma - IDE_WORLD_BASE);
}

static void move(struct ide_world *w, u8 *memory)
{
	u8 *sector = sector_at(selected(w), w->lba++);

	if (is_write(w->code))
		memcpy(sector, memory, IDE_SECTOR);
	else
		memcpy(memory, sector, IDE_SECTOR);
	w->left--;
}

/* All of the table at once; a PIIX takes no entry over a boundary of 64 KiB. */
static void walk_table(struct ide_world *w, u32 most)
{
	u32 entry[2] = {0, 0};

	for (u32 i = 0; i < most && w->left > 0 && !(entry[1] >> 31); i++) {
		memcpy(entry, memory_at(w, w->table + 8 * i, 8), 8);
		u32 size = entry[1] & 0xffff;

		if (size == 0 || size % IDE_SECTOR ||
		    entry[0] / 65536 != (entry[0] + size - 1) / 65536)
			abort();
		for (u32 at = 0; at < size && w->left > 0; at += IDE_SECTOR)
			move(w, memory_at(w, entry[0] + at, IDE_SECTOR));
	}
}

static void run_master(struct ide_world *w)
{
	bool to_ram = w->master_command & 8;

	if (!(w->master_command & 1) || !(w->status & DRQ) || !takes_dma(w->code))
		return;
	if (to_ram == is_write(w->code))
		abort();
	if (is_bad(w, w->lba, w->left)) {
		fail_command(w, ERROR, 0x40);
	} else if (troubled(w, IDE_BAD_CABLE)) {
		fail_command(w, ERROR, 0x84);
	} else if (troubled(w, IDE_MASTER_ERROR)) {
		w->master_status = (u8)((w->master_status & ~1u) | 2);
		return;
	} else if (troubled(w, IDE_MASTER_NEVER)) {
		w->hangs = true;
		return;
	} else {
		walk_table(w, troubled(w, IDE_MASTER_SHORT) ? 1 : 8192);
		w->status = w->left > 0 ? READY | DRQ : READY;
	}
	w->master_status &= (u8)~1u;
}

/* --- commands --- */

static void flush(struct ide_world *w)
{
	struct ide_world_drive *d = selected(w);

	if (troubled(w, IDE_FLUSH_FAILS)) {
		fail_command(w, FAULT, 0x04);
		return;
	}
	memcpy(d->medium, d->cache, sizeof(d->medium));
	w->status = READY;
}

static void identify(struct ide_world *w)
{
	struct ide_world_drive *d = selected(w);

	if (d->packet) {
		fail_command(w, ERROR, 0x04);
		return;
	}
	memcpy(w->sector, d->identity, IDE_SECTOR);
	w->left = 1;
	fetch_sector(w);
}

static void take_command(struct ide_world *w, u8 code)
{
	bool wide = code == 0x24 || code == 0x25 || code == 0x34 || code == 0x35;

	if (w->busy || (w->status & DRQ) || w->hangs)
		abort();
	w->commands[code]++;
	w->code = code;
	w->error = 0;
	w->busy = w->slow;
	w->left = w->count == 0 ? 256 : w->count;
	w->lba = w->low | (u32)w->mid << 8 | (u32)w->high << 16;
	if (wide)
		w->lba |= (u64)(w->old_low | (u32)w->old_mid << 8) << 24 | (u64)w->old_high << 40;
	else
		w->lba |= (u32)(w->device & 15) << 24;
	if (troubled(w, IDE_HANGS) || w->trouble == IDE_STUCK)
		w->hangs = true;
	else if (code == 0xec)
		identify(w);
	else if (code == 0xe7 || code == 0xea)
		flush(w);
	else if (takes_dma(code))
		w->status = READY | DRQ;
	else if (code == 0x20 || code == 0x24 || is_write(code))
		fetch_sector(w);
	else
		abort();
	run_master(w);
}

static void set_control(struct ide_world *w, u8 value)
{
	if ((w->control & 4) && !(value & 4)) {
		w->resets++;
		w->hangs = w->trouble == IDE_STUCK;
		w->busy = 20;
		w->status = READY;
		w->device = 0;
	}
	w->control = value;
}

/* --- ports --- */

static u8 read_status(struct ide_world *w)
{
	if (!selected(w)->present)
		return 0;
	if (w->hangs || (w->control & 4))
		return BUSY;
	if (w->busy > 0) {
		w->busy--;
		return BUSY;
	}
	return w->status;
}

static u32 world_in(void *context, u16 port, u8 size)
{
	struct ide_world *w = context;

	w->accesses++;
	w->now++;
	if (port == IDE_WORLD_COMMAND && size == 2)
		return data_in(w);
	if (size != 1)
		abort();
	switch (port) {
	case IDE_WORLD_COMMAND + 1:
		return w->error;
	case IDE_WORLD_COMMAND + 7:
	case IDE_WORLD_CONTROL:
		return read_status(w);
	case IDE_WORLD_MASTER:
		return w->master_command;
	case IDE_WORLD_MASTER + 2:
		return w->master_status;
	default:
		abort();
	}
}

static void shift(u8 *old, u8 *now, u8 value)
{
	*old = *now;
	*now = value;
}

static void write_master(struct ide_world *w, u16 port, u32 value)
{
	switch (port - IDE_WORLD_MASTER) {
	case 0:
		if ((value & 1) && !(w->master_command & 1))
			w->master_status |= 1;
		if (!(value & 1))
			w->master_status &= (u8)~1u;
		w->master_command = (u8)value;
		run_master(w);
		break;
	case 2:
		w->master_status =
			(u8)((w->master_status & ~(value & 6)) & (0x9f | (value & 0x60)));
		break;
	case 4:
		w->table = value;
		break;
	default:
		abort();
	}
}

static void write_command_block(struct ide_world *w, u16 port, u8 value)
{
	static u8 nothing;

	switch (port - IDE_WORLD_COMMAND) {
	case 2:
		shift(&nothing, &w->count, value);
		break;
	case 3:
		shift(&w->old_low, &w->low, value);
		break;
	case 4:
		shift(&w->old_mid, &w->mid, value);
		break;
	case 5:
		shift(&w->old_high, &w->high, value);
		break;
	case 6:
		w->device = value;
		break;
	case 7:
		if (selected(w)->present)
			take_command(w, value);
		break;
	default:
		abort();
	}
}

static void world_out(void *context, u16 port, u8 size, u32 value)
{
	struct ide_world *w = context;

	w->accesses++;
	w->now++;
	if (port == IDE_WORLD_COMMAND && size == 2)
		data_out(w, (u16)value);
	else if (port == IDE_WORLD_CONTROL)
		set_control(w, (u8)value);
	else if (port >= IDE_WORLD_MASTER)
		write_master(w, port, value);
	else if (size == 1)
		write_command_block(w, port, (u8)value);
	else
		abort();
}

static u64 world_now(void *context)
{
	const struct ide_world *w = context;

	return w->now;
}

/* --- its beginning --- */

static void make_identity(u16 *id, u64 sectors)
{
	static const char model[] = "MODEL OF A DISK";

	for (u32 i = 0; i < 40; i++) {
		u8 letter = i < sizeof(model) - 1 ? (u8)model[i] : ' ';

		id[27 + i / 2] |= (u16)(letter << (i % 2 ? 0 : 8));
	}
	id[49] = 1 << 8 | 1 << 9;
	id[53] = 6;
	id[60] = (u16)(sectors < 1u << 28 ? sectors : 0xffff);
	id[61] = (u16)(sectors < 1u << 28 ? sectors >> 16 : 0x0fff);
	id[82] = id[85] = 1 << 5;
	id[83] = 1 << 14 | 1 << 12 | (sectors < 1u << 28 ? 0 : 1 << 13 | 1 << 10);
	id[88] = 0x203f;
	id[100] = (u16)sectors;
	id[101] = (u16)(sectors >> 16);
	id[102] = (u16)(sectors >> 32);
}

void ide_world_init(struct ide_world *w, u64 sectors)
{
	memset(w, 0, sizeof(*w));
	w->machine = (struct ide_machine){world_in, world_out, world_now, 1000, w};
	w->status = READY;
	w->slow = 3;
	w->master_status = 0x60;
	for (u32 i = 0; i < 2; i++) {
		w->drive[i].present = true;
		make_identity(w->drive[i].identity, sectors);
	}
}

u8 *ide_world_page(struct ide_world *w, u32 i)
{
	return w->memory + i * PAGE_SIZE;
}

u64 ide_world_ma(u32 i)
{
	return IDE_WORLD_BASE + i * PAGE_SIZE;
}
