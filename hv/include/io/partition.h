/* SPDX-License-Identifier: MIT */
/*
 * What is on a disk: the partitions of an MBR, with those of its extended one, or of
 * a GPT, and who uses which part of which disk. Sectors are handed in one by one,
 * as somebody reads them; what they say is nobody's promise. Pure.
 */
#ifndef VELLUM_IO_PARTITION_H
#define VELLUM_IO_PARTITION_H

#include "lib/types.h"

#define PARTITIONS         32u /* that are remembered of a disk */
#define PARTITION_SECTOR   512u
#define PARTITION_LOGICALS 60u /* of an extended partition; a chain has an end */

enum partition_kind {
	PARTITIONS_NONE, /* no table */
	PARTITIONS_MBR,
	PARTITIONS_GPT,
	PARTITIONS_BAD_GPT, /* there is one, but its checksums or numbers are wrong */
};

struct extent {
	u64 start, sectors;
};

struct partition {
	u32 number; /* as Linux counts: from 1; logical ones from 5 */
	struct extent extent;
};

struct partition_table {
	enum partition_kind kind;
	u32 count;
	u32 left_out; /* for which there is no room, or which lie beyond the disk */
	struct partition partition[PARTITIONS];
};

/** The reading of a table. */
struct partition_scan {
	struct partition_table *table;
	u64 sectors; /* of the disk */
	u64 wanted;  /* the sector to be read next */
	u32 state;   /* from here on private */
	u32 logicals;
	struct extent extended;
	u64 entries;
	u32 nr_entries, entry_size, entry_at;
	u32 crc, entries_crc;
};

void partition_begin(struct partition_scan *s, struct partition_table *table, u64 sectors);

/** The wanted sector. True: another one is wanted. What cannot be read is given up by
 * partition_stop(). */
bool partition_feed(struct partition_scan *s, const u8 *sector);
void partition_stop(struct partition_scan *s);

/** NULL: there is no such partition. */
const struct extent *partition_find(const struct partition_table *table, u32 number);

/* --- who uses what --- */

#define EXTENT_CLAIMS 32u

struct extent_claim {
	void *owner; /* NULL: free */
	u32 disk;
	bool writes;
	struct extent extent;
};

struct extent_claims {
	struct extent_claim claim[EXTENT_CLAIMS];
};

/** Readers share sectors, a writer shares its own with nobody. 0; -VL_EBUSY: one of them is in the
 * way; -VL_ENOSPC: there are too many claims. */
int extent_claim(struct extent_claims *all, const struct extent_claim *wanted);

/** All claims of an owner end; true if it had some. */
bool extent_release(struct extent_claims *all, const void *owner);

/** Whether somebody claims something of a disk. */
bool extent_is_used(const struct extent_claims *all, u32 disk);

#endif
