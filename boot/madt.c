// SPDX-License-Identifier: MIT
/*
 * The walk from ACPI's root pointer to the MADT (ACPI specification 6.4, sections 5.2.5 to 5.2.12).
 * Pure: memory is reached by the caller's function alone. Firmware's tables are not trusted: no
 * byte is read beyond the length that `map` granted.
 */
#include "boot/madt.h"

#include "lib/load.h"
#include "lib/string.h"

#define RSDP_OLD     20
#define RSDP_NEW     36
#define RSDP_RSDT    16 /* u32 */
#define RSDP_XSDT    24 /* u64 */
#define TABLE_HEAD   36
#define TABLE_LENGTH 4
#define TABLE_LIMIT  (1 * MIB)

#define MADT_ENTRIES     44
#define ENTRY_LAPIC      0 /* type, length, processor, APIC id, u32 flags */
#define ENTRY_X2APIC     9 /* type, length, reserved, u32 x2APIC id, u32 flags */
#define ENTRY_LAPIC_SIZE 8
#define X2APIC_SIZE      16
#define FLAGS_USABLE     3u /* enabled, or can be brought online */

struct table {
	const u8 *p; /* NULL: none */
	u32 size;
};

static bool sum_is_zero(const u8 *p, u32 size)
{
	u8 sum = 0;

	for (u32 i = 0; i < size; i++)
		sum = (u8)(sum + p[i]);
	return sum == 0;
}

static bool is_named(const u8 *p, const char name[5])
{
	return memcmp(p, name, 4) == 0;
}

/* The whole table at `ma` if that is what it is called. */
static struct table open_table(u64 ma, const char name[5], madt_map_fn map)
{
	struct table none = {NULL, 0}, t = {map(ma, TABLE_HEAD), 0};

	if (t.p == NULL || !is_named(t.p, name))
		return none;
	t.size = load32(t.p + TABLE_LENGTH);
	if (t.size < TABLE_HEAD || t.size > TABLE_LIMIT)
		return none;
	t.p = map(ma, t.size);
	return t.p != NULL && sum_is_zero(t.p, t.size) ? t : none;
}

/* The MADT among the addresses of `width` bytes that a root table lists. */
static struct table find_madt(struct table root, u32 width, madt_map_fn map)
{
	struct table madt = {NULL, 0};

	for (u32 at = TABLE_HEAD; madt.p == NULL && root.size - at >= width; at += width)
		madt = open_table(width == 8 ? load64(root.p + at) : load32(root.p + at), "APIC",
				  map);
	return madt;
}

static bool is_cpu(const u8 *entry)
{
	if (entry[0] == ENTRY_LAPIC && entry[1] >= ENTRY_LAPIC_SIZE)
		return (load32(entry + 4) & FLAGS_USABLE) != 0;
	return entry[0] == ENTRY_X2APIC && entry[1] >= X2APIC_SIZE &&
	       (load32(entry + 8) & FLAGS_USABLE) != 0;
}

static u32 count_entries(struct table madt)
{
	u32 count = 0;

	for (u32 at = MADT_ENTRIES; at < madt.size && madt.size - at >= 2; at += madt.p[at + 1]) {
		if (madt.p[at + 1] < 2 || madt.p[at + 1] > madt.size - at)
			break;
		count += is_cpu(madt.p + at);
	}
	return count;
}

u32 madt_count_cpus(const u8 *rsdp, u32 rsdp_size, madt_map_fn map)
{
	struct table root = {NULL, 0}, madt = {NULL, 0};

	if (rsdp_size >= RSDP_NEW && load64(rsdp + RSDP_XSDT) != 0) {
		root = open_table(load64(rsdp + RSDP_XSDT), "XSDT", map);
		if (root.p != NULL)
			madt = find_madt(root, 8, map);
	}
	if (madt.p == NULL && rsdp_size >= RSDP_OLD) {
		root = open_table(load32(rsdp + RSDP_RSDT), "RSDT", map);
		if (root.p != NULL)
			madt = find_madt(root, 4, map);
	}
	return madt.p != NULL ? count_entries(madt) : 0;
}
