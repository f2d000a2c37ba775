/* SPDX-License-Identifier: MIT */
/*
 * Vellum's own address space (DESIGN section 3), and its move into the
 * partition.
 */
#ifndef VELLUM_MEM_OWN_TABLES_H
#define VELLUM_MEM_OWN_TABLES_H

#include "mem/memmap.h"
#include "lib/failure.h"
#include "lib/types.h"
#include "public/hypercall.h"

/** Where the boot loader put the image; until own_tables_enter(). */
ma_t own_load_address(void);

/** Bytes of text and constants. */
u64 own_text_size(void);

/** Bytes at the partition's start that Vellum's image takes. */
u64 own_image_size(void);

/**
 * Build the tables in the partition (frames_init() was done): the image at IMAGE_BASE from
 * `image` (machine address of its future copy, own_image_size() bytes), W^X; every range of the
 * machine's map at DIRECT_BASE, not executable, Vellum's own text and constants read-only there
 * too; the VGA text screen and the local APIC. Fails with VL_ENOMEM when the partition is too small
 * for them.
 */
int own_tables_build(const struct memmap *machine, ma_t image, struct failure *f);

/**
 * Copy the image, which runs at machine address `from`, to the place given to own_tables_build()
 * and go on there. Every va stays what it is; the low identity map is gone.
 */
void own_tables_enter(ma_t from);

/** Whether [ma.start, ma.end) is in the direct map, in one range of the machine's map. */
bool own_direct_maps(struct range ma);

/** The root, and a copy of its top-level entries from slot VL_FIRST_SLOT on; returns how many are
 * in use. */
ma_t own_root(void);
u32 own_slots(u64 slot[VL_MAX_SLOTS]);

/**
 * A CPU's own entry for slot VL_FIRST_SLOT: what all have there, and [block, block + size), not
 * executable, at WINDOW_BASE. False: no memory.
 */
bool own_window(ma_t block, u64 size, u64 *slot);

/** Give the tables of such an entry back. No CPU uses a root that has it. */
void own_window_free(u64 slot);

/**
 * Vellum comes into a guest's root, or goes from it, as hv/hypercall/page.S does in passthrough:
 * CPUs that are in it are counted, and the last one takes the entries out. The caller loads CR3.
 */
void own_slots_enter(ma_t root);
void own_slots_leave(ma_t root);
#define OWN_COUNT_LOCK 1 /* bit of the entry VL_COUNT_SLOT; the count is its upper half */

/** Those that are in use, where they stand. */
const u64 *own_slots_in_use(u32 *used);

/** Va of the VGA text screen in these tables. */
volatile u16 *own_vga_text(void);

/** Registers of the local APIC at the machine address where a processor starts with them. */
volatile u32 *own_lapic(void);

/** The first IOAPIC's, whether there is one or not. */
#define IOAPIC_PAGE 0xfec00000u /* ma, on all chipsets */
volatile u32 *own_ioapic(void);

/** The HPET's, at 0xfed00000, whether there is one or not. */
volatile u32 *own_hpet(void);

/**
 * Registers of a device at these machine addresses, whole pages; NULL: there is no room for more.
 * The same ones are mapped once, for ever. One caller at a time.
 */
volatile u32 *own_device(struct range ma);

/** Largest page level that the CPU has: 3 with 1 GiB pages, else 2. */
u32 cpu_page_levels(void);

/** Whether the CPU has the NX bit. */
bool cpu_has_nx(void);

/** PTE_NX if the CPU has it (then EFER.NXE is set here), else 0. */
u64 cpu_enable_nx(void);

#endif
