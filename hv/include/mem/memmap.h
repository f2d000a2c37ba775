/* SPDX-License-Identifier: MIT */
/*
 * Memory maps: what the machine has, what a guest is shown, and where Vellum
 * sits between them. Owns ledger row M10: a guest's RAM is a subset of the
 * machine's RAM at the same addresses, spans no hole, and never touches
 * Vellum's partition, so that identity is always possible.
 */
#ifndef VELLUM_MEM_MEMMAP_H
#define VELLUM_MEM_MEMMAP_H

#include "lib/failure.h"
#include "lib/types.h"
#include "public/start.h"

/** 256 raw ranges give at most 511 disjoint ones; the rest is for splits by partition and modes. */
#define MEMMAP_MAX 544

/** Addresses from here on do not exist on x86-64 and are cut off. */
#define MEMMAP_ADDRESS_END ((u64)1 << 52)

/** A guest's main RAM range starts here at the lowest, and Vellum and the guest are below 4 GiB. */
#define MEMMAP_LOW_END   MIB
#define MEMMAP_32BIT_END (4 * GIB)

/** The partition starts and ends at multiples of this, so that large pages can map it. */
#define MEMMAP_PARTITION_ALIGN (2 * MIB)

/** The least contiguous RAM that a guest must be left with. */
#define MEMMAP_GUEST_MIN (16 * MIB)

/**
 * Sorted, disjoint ranges; neighbours of the same type are one range; every start and size is a
 * multiple of the page size; what no range covers is a hole. About 13 KiB: not on a stack.
 */
struct memmap {
	u32 count;
	struct vl_memory_range range[MEMMAP_MAX];
};

/** What a guest is shown of the machine's RAM. */
enum memory_mode {
	MEM_CONTIGUOUS, /* one hole-free range in [1 MiB, 4 GiB), the largest */
	MEM_WITH_LOW,   /* that, and the RAM below 1 MiB, where further processors start */
	MEM_ALL,        /* every RAM range */
};

/** Bytes [start, start + size) of a range. */
static inline struct range memory_range(const struct vl_memory_range *r)
{
	return (struct range){r->start, r->start + r->size};
}

/**
 * Bring `count` raw ranges (any order, overlapping, wrapping, unaligned, of unknown type) into the
 * form of struct memmap. Where ranges overlap the most restrictive type wins (bad > reserved > NVS
 * > ACPI > RAM; unknown types count as reserved); RAM is trimmed inwards to whole pages, after
 * neighbouring RAM was joined, everything else grows outwards. `raw` and `out` must not overlap.
 * Fails with VL_E2BIG when the result has more than MEMMAP_MAX ranges.
 */
int memmap_normalize(const struct vl_memory_range *raw, u32 count, struct memmap *out,
		     struct failure *f);

/**
 * Choose Vellum's partition: `size` bytes (rounded up to MEMMAP_PARTITION_ALIGN), aligned, at the
 * top of the highest RAM range below 4 GiB that can hold it and leaves a guest MEMMAP_GUEST_MIN
 * bytes of contiguous RAM somewhere. Fails with VL_ENOMEM when there is none.
 */
int memmap_choose_partition(const struct memmap *machine, u64 size, struct range *out,
			    struct failure *f);

/**
 * The map that a guest is shown: RAM by `mode`, never any of `partition`; RAM that is not shown and
 * the partition are reserved, so that the guest puts no PCI window there; other types as they are.
 * MEM_CONTIGUOUS shows what memmap_main_range() of the map without the partition says, MEM_WITH_LOW
 * besides all RAM below 1 MiB.
 * `machine` and `out` must be different. Fails with VL_ENOMEM when less than MEMMAP_GUEST_MIN
 * contiguous bytes are left, VL_E2BIG when the map needs more than MEMMAP_MAX ranges.
 */
int memmap_for_guest(const struct memmap *machine, struct range partition, enum memory_mode mode,
		     struct memmap *out, struct failure *f);

/**
 * The largest piece of RAM in [1 MiB, 4 GiB), the lower one of two equal ones; empty if there is
 * none. For a guest's map this is the range that it starts in.
 */
struct range memmap_main_range(const struct memmap *map);

/** Bytes of RAM in the map. */
u64 memmap_ram_total(const struct memmap *map);

/** The RAM range that has this address; an empty one: none has. */
struct range memmap_ram_at(const struct memmap *map, u64 pa);

/** Whether `r` lies wholly inside one RAM range; false for an empty one. */
bool memmap_is_ram(const struct memmap *map, struct range r);

/** The two largest of its ranges that are RAM, the larger first; empty if there are none. */
struct range_pair memmap_largest_ram(const struct memmap *map);

/** End of the highest RAM or ACPI range, which are those that anybody maps; 0 if there is none.
 * What firmware reserves for devices may lie far higher than any page table should reach. */
u64 memmap_mapped_end(const struct memmap *map);

/**
 * Verify M10 without the code that built the map: `guest` is well formed; its RAM is RAM in
 * `machine`, page by page the same address, and none of it is in `partition`; in MEM_CONTIGUOUS it
 * is one range, in MEM_WITH_LOW what lies above 1 MiB is, and below nothing is kept back; every
 * piece of machine RAM and every byte of the partition is described. Fails with VL_EINVAL, and the
 * sentence says which range breaks which rule.
 */
int memmap_check_guest(const struct memmap *guest, const struct memmap *machine,
		       struct range partition, enum memory_mode mode, struct failure *f);

#endif
