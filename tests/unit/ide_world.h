/* SPDX-License-Identifier: MIT */
/*
 * One channel of a PIIX IDE function with up to two drives, as a driver sees it
 * through ports: registers, states, bus mastering over a descriptor table. Drives have a cache that
 * only a flush empties. What can go wrong is asked for by `trouble`.
 */
#ifndef VELLUM_TESTS_UNIT_IDE_WORLD_H
#define VELLUM_TESTS_UNIT_IDE_WORLD_H

#include "io/ide.h"

#define IDE_WORLD_COMMAND 0x1f0
#define IDE_WORLD_CONTROL 0x3f6
#define IDE_WORLD_MASTER  0xc000
#define IDE_WORLD_MEMORY  (4 * IDE_MOST_BYTES)
#define IDE_WORLD_BASE    0x3f00000u /* ma of memory[] */
#define IDE_WORLD_DISK    600u       /* sectors of which contents are kept, from `first` on */

enum ide_trouble {
	IDE_NO_TROUBLE,
	IDE_HANGS,        /* busy for ever, but for a reset */
	IDE_STUCK,        /* the same, whatever one does */
	IDE_MASTER_ERROR, /* the bus master reports an error */
	IDE_MASTER_SHORT, /* it takes the table for shorter than it is */
	IDE_MASTER_NEVER, /* it does not end */
	IDE_BAD_CABLE,    /* the drive reports a CRC error of a transfer by bus mastering */
	IDE_BAD_SECTOR,   /* the drive cannot read, or write, bad_sector */
	IDE_FLUSH_FAILS,  /* the drive reports a fault */
};

struct ide_world_drive {
	bool present, packet; /* packet: it is no disk */
	u64 first;            /* sector that contents are kept from */
	u8 cache[IDE_WORLD_DISK][IDE_SECTOR], medium[IDE_WORLD_DISK][IDE_SECTOR];
	u16 identity[256];
};

struct ide_world {
	struct ide_machine machine;
	u64 now;
	u8 memory[IDE_WORLD_MEMORY];
	struct ide_world_drive drive[2];
	enum ide_trouble trouble;
	u32 troubles; /* how often */
	u64 bad_sector;
	u32 slow; /* reads of a status register for which a command keeps the drive busy */
	/* what was seen: */
	u32 commands[256], resets, accesses;
	/* registers */
	u8 status, error, device, control, code;
	u8 count, low, mid, high, old_low, old_mid, old_high;
	u8 master_command, master_status;
	u32 table;
	u32 busy; /* reads left */
	bool hangs;
	u8 sector[IDE_SECTOR];
	u32 at, left; /* bytes of sector[]; sectors */
	u64 lba;
};

/** Both drives are disks of `sectors`, with LBA48 if that takes it, DMA, and a cache that can be
 * flushed. */
void ide_world_init(struct ide_world *w, u64 sectors);

/** Page i of its memory, by which a driver knows it: */
u8 *ide_world_page(struct ide_world *w, u32 i);
u64 ide_world_ma(u32 i);

#endif
