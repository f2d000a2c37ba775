// SPDX-License-Identifier: MIT
/*
 * Partition tables and claims, see io/partition.h: MBR (the PC's), extended
 * partitions as a chain in ascending order, GPT (UEFI 2.10, chapter 5), of which
 * the first copy counts.
 */
#include "io/partition.h"

#include "lib/string.h"
#include "public/errno.h"

enum partition_state {
	STATE_FIRST,   /* sector 0 */
	STATE_LOGICAL, /* a table in the extended partition */
	STATE_HEADER,  /* of a GPT */
	STATE_ENTRIES, /* of it */
	STATE_DONE,
};

#define TABLE_AT   446u /* in a sector */
#define ENTRY_SIZE 16u
#define PRIMARIES  4u
#define TYPE_AT    4u
#define START_AT   8u
#define SECTORS_AT 12u
#define TYPE_GPT   0xeeu

#define GPT_SIZE_LEAST   92u
#define GPT_HEADER_AT    1u /* sector */
#define GPT_ENTRY_LEAST  128u
#define GPT_ENTRIES_MOST 1024u
#define GPT_FIRST_AT     32u /* in an entry */
#define GPT_LAST_AT      40u
#define GUID_SIZE        16u

static u32 get32(const u8 *at)
{
	return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

static u64 get64(const u8 *at)
{
	return get32(at) | (u64)get32(at + 4) << 32;
}

/* Four bits at a time: crc32.c's tables are in use during a call, and these are few bytes. */
static u32 crc_update(u32 crc, const u8 *data, size_t size)
{
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < size; i++) {
		crc = crc >> 4 ^ table[(crc ^ data[i]) & 15];
		crc = crc >> 4 ^ table[(crc ^ data[i] >> 4) & 15];
	}
	return crc;
}

static bool contains(struct extent outer, struct extent inner)
{
	return inner.sectors != 0 && inner.start >= outer.start &&
	       inner.start - outer.start <= outer.sectors &&
	       inner.sectors <= outer.sectors - (inner.start - outer.start);
}

static void add(struct partition_scan *s, u32 number, struct extent e)
{
	struct partition_table *t = s->table;

	if (contains((struct extent){1, s->sectors - 1}, e) && t->count < PARTITIONS)
		t->partition[t->count++] = (struct partition){number, e};
	else
		t->left_out++;
}

static bool want(struct partition_scan *s, enum partition_state state, u64 sector)
{
	s->state = state;
	s->wanted = sector;
	return true;
}

static bool done(struct partition_scan *s)
{
	s->state = STATE_DONE;
	return false;
}

static bool bad_gpt(struct partition_scan *s)
{
	*s->table = (struct partition_table){.kind = PARTITIONS_BAD_GPT};
	return done(s);
}

/* --- MBR --- */

static bool is_table(const u8 *sector)
{
	return sector[510] == 0x55 && sector[511] == 0xaa;
}

static const u8 *entry_of(const u8 *sector, u32 i)
{
	return sector + TABLE_AT + i * ENTRY_SIZE;
}

static bool is_extended(const u8 *entry)
{
	return entry[TYPE_AT] == 0x05 || entry[TYPE_AT] == 0x0f || entry[TYPE_AT] == 0x85;
}

static struct extent extent_of(const u8 *entry)
{
	return (struct extent){get32(entry + START_AT), get32(entry + SECTORS_AT)};
}

/* A boot sector of a file system has the same signature; then the first byte of an entry is no
 * flag. */
static bool has_flags(const u8 *sector)
{
	bool good = true;

	for (u32 i = 0; i < PRIMARIES; i++)
		good = good && (entry_of(sector, i)[0] & 0x7f) == 0;
	return good;
}

static bool has_gpt(const u8 *sector)
{
	for (u32 i = 0; i < PRIMARIES; i++)
		if (entry_of(sector, i)[TYPE_AT] == TYPE_GPT)
			return true;
	return false;
}

static bool feed_first(struct partition_scan *s, const u8 *sector)
{
	struct extent disk = {1, s->sectors - 1};

	if (!is_table(sector) || !has_flags(sector))
		return done(s);
	if (has_gpt(sector))
		return want(s, STATE_HEADER, GPT_HEADER_AT);
	s->table->kind = PARTITIONS_MBR;
	for (u32 i = 0; i < PRIMARIES; i++) {
		const u8 *entry = entry_of(sector, i);

		if (is_extended(entry) && s->extended.sectors == 0)
			s->extended = extent_of(entry);
		else if (entry[TYPE_AT] != 0)
			add(s, i + 1, extent_of(entry));
	}
	if (!contains(disk, s->extended))
		return done(s);
	return want(s, STATE_LOGICAL, s->extended.start);
}

/* One logical partition, whose place counts from this table, and the next table, whose place counts
 * from the first one. A chain that goes back has no end. */
static bool feed_logical(struct partition_scan *s, const u8 *sector)
{
	struct extent logical, next = {0, 0};

	if (!is_table(sector) || s->logicals == PARTITION_LOGICALS)
		return done(s);
	for (u32 i = 0; i < 2; i++) {
		const u8 *entry = entry_of(sector, i);

		if (is_extended(entry)) {
			next = extent_of(entry);
		} else if (entry[TYPE_AT] != 0) {
			logical = extent_of(entry);
			logical.start += s->wanted;
			if (logical.start == s->wanted || !contains(s->extended, logical))
				s->table->left_out++;
			else
				add(s, PRIMARIES + 1 + s->logicals, logical);
			s->logicals++;
		}
	}
	next.start += s->extended.start;
	if (next.sectors == 0 || next.start <= s->wanted || !contains(s->extended, next))
		return done(s);
	return want(s, STATE_LOGICAL, next.start);
}

/* --- GPT --- */

static bool header_is_good(const u8 *sector)
{
	static const u8 zero[4];
	u32 size = get32(sector + 12), crc;

	if (memcmp(sector, "EFI PART", 8) != 0 || size < GPT_SIZE_LEAST || size > PARTITION_SECTOR)
		return false;
	crc = crc_update(~0u, sector, 16);
	crc = crc_update(crc, zero, sizeof(zero));
	crc = ~crc_update(crc, sector + 20, size - 20);
	return crc == get32(sector + 16) && get64(sector + 24) == GPT_HEADER_AT;
}

/* Entries of more than a sector are nobody's. */
static bool entries_are_good(const struct partition_scan *s)
{
	u64 bytes = (u64)s->nr_entries * s->entry_size;

	return s->nr_entries != 0 && s->nr_entries <= GPT_ENTRIES_MOST &&
	       s->entry_size >= GPT_ENTRY_LEAST && s->entry_size <= PARTITION_SECTOR &&
	       (s->entry_size & (s->entry_size - 1)) == 0 && s->entries > GPT_HEADER_AT &&
	       s->entries < s->sectors &&
	       (bytes + PARTITION_SECTOR - 1) / PARTITION_SECTOR <= s->sectors - s->entries;
}

static bool feed_header(struct partition_scan *s, const u8 *sector)
{
	if (!header_is_good(sector))
		return bad_gpt(s);
	s->entries = get64(sector + 72);
	s->nr_entries = get32(sector + 80);
	s->entry_size = get32(sector + 84);
	s->entries_crc = get32(sector + 88);
	if (!entries_are_good(s))
		return bad_gpt(s);
	s->table->kind = PARTITIONS_GPT;
	s->crc = ~0u;
	return want(s, STATE_ENTRIES, s->entries);
}

static void take_entry(struct partition_scan *s, const u8 *entry)
{
	static const u8 unused[GUID_SIZE];
	u64 first = get64(entry + GPT_FIRST_AT), last = get64(entry + GPT_LAST_AT);

	if (memcmp(entry, unused, GUID_SIZE) != 0)
		add(s, s->entry_at + 1,
		    (struct extent){first,
				    first <= last && last < s->sectors ? last - first + 1 : 0});
}

/* The checksum is of the entries alone, which may end in a sector. */
static bool feed_entries(struct partition_scan *s, const u8 *sector)
{
	u32 at = 0;

	for (; at < PARTITION_SECTOR && s->entry_at < s->nr_entries; at += s->entry_size) {
		take_entry(s, sector + at);
		s->entry_at++;
	}
	s->crc = crc_update(s->crc, sector, at);
	if (s->entry_at < s->nr_entries)
		return want(s, STATE_ENTRIES, s->wanted + 1);
	return ~s->crc == s->entries_crc ? done(s) : bad_gpt(s);
}

/* --- scans --- */

void partition_begin(struct partition_scan *s, struct partition_table *table, u64 sectors)
{
	*table = (struct partition_table){.kind = PARTITIONS_NONE};
	*s = (struct partition_scan){.table = table,
				     .sectors = sectors,
				     .state = sectors > 1 ? STATE_FIRST : STATE_DONE};
}

bool partition_feed(struct partition_scan *s, const u8 *sector)
{
	switch (s->state) {
	case STATE_FIRST:
		return feed_first(s, sector);
	case STATE_LOGICAL:
		return feed_logical(s, sector);
	case STATE_HEADER:
		return feed_header(s, sector);
	case STATE_ENTRIES:
		return feed_entries(s, sector);
	default:
		return false;
	}
}

void partition_stop(struct partition_scan *s)
{
	if (s->state == STATE_HEADER || s->state == STATE_ENTRIES)
		bad_gpt(s);
	s->state = STATE_DONE;
}

const struct extent *partition_find(const struct partition_table *table, u32 number)
{
	for (u32 i = 0; i < table->count; i++)
		if (table->partition[i].number == number)
			return &table->partition[i].extent;
	return NULL;
}

/* --- claims --- */

static bool overlap(struct extent a, struct extent b)
{
	return a.start < b.start ? b.start - a.start < a.sectors : a.start - b.start < b.sectors;
}

int extent_claim(struct extent_claims *all, const struct extent_claim *wanted)
{
	struct extent_claim *free = NULL;

	for (u32 i = 0; i < EXTENT_CLAIMS; i++) {
		struct extent_claim *c = &all->claim[i];

		if (c->owner == NULL)
			free = c;
		else if (c->disk == wanted->disk && (c->writes || wanted->writes) &&
			 overlap(c->extent, wanted->extent))
			return -VL_EBUSY;
	}
	if (free == NULL)
		return -VL_ENOSPC;
	*free = *wanted;
	return 0;
}

bool extent_release(struct extent_claims *all, const void *owner)
{
	bool had = false;

	for (u32 i = 0; i < EXTENT_CLAIMS; i++)
		if (all->claim[i].owner == owner) {
			all->claim[i].owner = NULL;
			had = true;
		}
	return had;
}

bool extent_is_used(const struct extent_claims *all, u32 disk)
{
	for (u32 i = 0; i < EXTENT_CLAIMS; i++)
		if (all->claim[i].owner != NULL && all->claim[i].disk == disk)
			return true;
	return false;
}
