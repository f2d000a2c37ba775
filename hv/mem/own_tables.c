// SPDX-License-Identifier: MIT
/*
 * Vellum's own page tables. Owns invariants M1 (no page of Vellum is writable
 * and executable, under any of its addresses) and M2 (everything of Vellum is
 * below slots 256..271, so a guest root carries it in those entries alone).
 * No entry is global: CR3 loads must be able to drop them.
 */
#include "mem/own_tables.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mem/frames.h"
#include "mem/machine.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "public/errno.h"

#define VGA_TEXT   0xb8000u
#define VGA_SIZE   0x8000u
#define VGA_VA     (IMAGE_BASE + IMAGE_ALIGN)
#define LAPIC      0xfee00000u
#define LAPIC_VA   (VGA_VA + VGA_SIZE)
#define IOAPIC_VA  (LAPIC_VA + PAGE_SIZE)
#define HPET       0xfed00000u /* where chipsets have it */
#define HPET_VA    (IOAPIC_VA + PAGE_SIZE)
#define DEVICES_VA (HPET_VA + PAGE_SIZE)
#define SLOT_SHIFT 39

#define MOST_DEVICES 8u

/* boot/entry.S: copies the image and loads the new root, keeping nothing on the stack between. */
void relocate(u64 dst, u64 src, u64 size, u64 root);

/* boot/entry.S: its first entry maps the image where it was loaded. */
extern const u64 boot_pd_image[];

static struct pagetable own;
static ma_t own_image;

/* Behind DEVICES_VA, in this order. No entry changes, so no CPU has an old one. */
static struct {
	u32 count;
	struct range ma[MOST_DEVICES];
} devices;

static bool alloc_table(void *context, mfn_t *out)
{
	(void)context;
	return frame_alloc(out);
}

u32 cpu_page_levels(void)
{
	static u32 levels;

	if (levels == 0) {
		bool large = cpuid(0x80000000, 0).eax >= 0x80000001 &&
			     (cpuid(0x80000001, 0).edx & (1u << 26));

		levels = large ? 3 : 2;
	}
	return levels;
}

bool cpu_has_nx(void)
{
	return (cpuid(0x80000001, 0).edx & (1u << 20)) != 0;
}

u64 cpu_enable_nx(void)
{
	if (!cpu_has_nx())
		return 0;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	return PTE_NX;
}

ma_t own_load_address(void)
{
	return (ma_t){round_down(boot_pd_image[0], IMAGE_ALIGN)};
}

u64 own_text_size(void)
{
	return (u64)(image_rodata_end - image_start);
}

u64 own_image_size(void)
{
	return (u64)(image_end - image_start);
}

static bool map_image(u64 nx)
{
	u64 text = (u64)(image_text_end - image_start);
	u64 rodata = (u64)(image_rodata_end - image_text_end);
	u64 data = (u64)(image_end - image_rodata_end);
	ma_t ma = own_image;

	if (!pagetable_map(&own, IMAGE_BASE, ma, text, 0))
		return false;
	ma.v += text;
	if (!pagetable_map(&own, IMAGE_BASE + text, ma, rodata, nx))
		return false;
	ma.v += rodata;
	if (!pagetable_map(&own, IMAGE_BASE + text + rodata, ma, data, nx | PTE_W))
		return false;
	return pagetable_map(&own, VGA_VA, (ma_t){VGA_TEXT}, VGA_SIZE,
			     nx | PTE_W | PTE_PCD | PTE_PWT) &&
	       pagetable_map(&own, LAPIC_VA, (ma_t){LAPIC}, PAGE_SIZE,
			     nx | PTE_W | PTE_PCD | PTE_PWT) &&
	       pagetable_map(&own, IOAPIC_VA, (ma_t){IOAPIC_PAGE}, PAGE_SIZE,
			     nx | PTE_W | PTE_PCD | PTE_PWT) &&
	       pagetable_map(&own, HPET_VA, (ma_t){HPET}, PAGE_SIZE,
			     nx | PTE_W | PTE_PCD | PTE_PWT);
}

/* On these tables no block is at WINDOW_BASE. A page of zeroes tells the first instructions of an
 * exception that there is nothing they could serve; without it they would fault in turn, for ever,
 * and their frames would go down all over memory instead of to a panic. */
static bool map_no_window(u64 nx)
{
	mfn_t zeroes;

	if (!frame_alloc(&zeroes))
		return false;
	memset(direct(mfn_to_ma(zeroes)), 0, PAGE_SIZE);
	for (u64 va = WINDOW_BASE; va < WINDOW_BASE + WINDOW_SIZE; va += PAGE_SIZE)
		if (!pagetable_map(&own, va, mfn_to_ma(zeroes), PAGE_SIZE, nx))
			return false;
	return true;
}

/* A frame with a copy of the table that `entry` points to, or an empty one; in `*copy`, the entry
 * for it. */
static u64 *copy_table(u64 entry, u64 *copy)
{
	mfn_t mfn;

	if (!frame_alloc(&mfn))
		return NULL;
	if (entry & PTE_P)
		memcpy(direct(mfn_to_ma(mfn)), direct((ma_t){entry & PTE_ADDR}), PAGE_SIZE);
	*copy = mfn_to_ma(mfn).v | PTE_P | PTE_W | PTE_A;
	return direct(mfn_to_ma(mfn));
}

/* Those from `level` down to 3 are its own. */
static void free_window(u64 slot, u32 level)
{
	u64 entry = slot;

	for (u32 at = 3; at >= level; at--) {
		mfn_t mfn = ma_to_mfn((ma_t){entry & PTE_ADDR});
		const u64 *table = direct(mfn_to_ma(mfn));

		entry = table[level_index(WINDOW_BASE, at)];
		frame_free(mfn);
	}
}

void own_window_free(u64 slot)
{
	free_window(slot, 1);
}

bool own_window(ma_t block, u64 size, u64 *slot)
{
	const u64 leaf = PTE_P | PTE_W | PTE_A | PTE_D | (cpu_has_nx() ? PTE_NX : 0);
	u64 *table = direct(own.root);
	u64 *entry = &table[level_index(WINDOW_BASE, 4)];

	assert(size <= WINDOW_SIZE);
	for (u32 level = 3; level > 0; level--) {
		table = copy_table(*entry, level == 3 ? slot : entry);
		if (table == NULL) {
			free_window(*slot, level + 1);
			return false;
		}
		entry = &table[level_index(WINDOW_BASE, level)];
	}
	for (u64 at = 0; at < size; at += PAGE_SIZE)
		*entry++ = (block.v + at) | leaf;
	return true;
}

static bool is_mapped(const struct vl_memory_range *r)
{
	return r->type == VL_MEMORY_RAM || r->type == VL_MEMORY_ACPI;
}

bool own_direct_maps(struct range ma)
{
	const struct memmap *machine = machine_map();

	for (u32 i = 0; i < machine->count; i++) {
		const struct vl_memory_range *r = &machine->range[i];

		if (is_mapped(r) &&
		    range_contains((struct range){r->start, r->start + r->size}, ma))
			return true;
	}
	return false;
}

static bool map_machine(const struct memmap *machine, u64 nx)
{
	for (u32 i = 0; i < machine->count; i++) {
		const struct vl_memory_range *r = &machine->range[i];

		if (!is_mapped(r))
			continue;
		if (!pagetable_map(&own, DIRECT_BASE + r->start, (ma_t){r->start}, r->size,
				   nx | PTE_W))
			return false;
	}
	/* The same frames as the image's text and constants: read-only here as well (M1). */
	return pagetable_protect(&own, DIRECT_BASE + own_image.v, own_text_size(), nx);
}

int own_tables_build(const struct memmap *machine, ma_t image, struct failure *f)
{
	u64 nx = cpu_enable_nx();
	mfn_t root;

	if (memmap_mapped_end(machine) > DIRECT_END - DIRECT_BASE)
		return fail(f, VL_ERANGE,
			    "The machine has memory above 7 TiB, which Vellum cannot map: boot "
			    "with less memory.");
	own = (struct pagetable){.max_level = cpu_page_levels(), .alloc = alloc_table};
	own_image = image;
	if (frame_alloc(&root)) {
		own.root = mfn_to_ma(root);
		if (map_image(nx) && map_no_window(nx) && map_machine(machine, nx))
			return 0;
	}
	return fail(f, VL_ENOMEM,
		    "Vellum's partition is too small for its page tables: give it more memory "
		    "with vellum_mem=.");
}

void own_tables_enter(ma_t from)
{
	relocate((u64)direct(own_image), (u64)direct(from), own_image_size(), own.root.v);
}

ma_t own_root(void)
{
	return own.root;
}

const u64 *own_slots_in_use(u32 *used)
{
	static u32 in_use; /* all are mapped when the machine starts */
	const u64 *slot = (const u64 *)direct(own.root) + VL_FIRST_SLOT;

	for (u32 i = in_use; in_use == 0 && i < VL_MAX_SLOTS; i++)
		if (slot[VL_MAX_SLOTS - 1 - i] != 0)
			in_use = VL_MAX_SLOTS - i;
	*used = in_use;
	return slot;
}

u32 own_slots(u64 slot[VL_MAX_SLOTS])
{
	u32 used;

	memcpy(slot, own_slots_in_use(&used), VL_MAX_SLOTS * sizeof(u64));
	return used;
}

/* The entry VL_COUNT_SLOT: never present, since bit 0 stays clear. page.S knows it, too. */
struct count {
	u32 lock; /* bit OWN_COUNT_LOCK */
	u32 cpus;
};
_Static_assert(sizeof(struct count) == sizeof(u64) && OWN_COUNT_LOCK > 0, "an entry of a root");

/* It is the guest's memory: one that holds the lock for ever, or writes nonsense, does not keep
 * Vellum from going on, and loses no more than its own root's entries. */
static struct count *count_lock(u64 *root)
{
	struct count *c = (struct count *)(root + VL_COUNT_SLOT);
	const u32 bit = 1u << OWN_COUNT_LOCK;
	u64 start = rdtsc();

	while ((__atomic_fetch_or(&c->lock, bit, __ATOMIC_ACQUIRE) & bit) != 0 &&
	       rdtsc() - start < VL_TOGETHER_CYCLES)
		cpu_relax();
	return c;
}

void own_slots_enter(ma_t root)
{
	u64 *table = direct(root);
	struct count *c = count_lock(table);
	u32 n;
	const u64 *slot = own_slots_in_use(&n);

	c->cpus++;
	memcpy(table + VL_FIRST_SLOT, slot, n * sizeof(u64));
	__atomic_store_n(&c->lock, 0, __ATOMIC_RELEASE);
}

void own_slots_leave(ma_t root)
{
	u64 *table = direct(root);
	struct count *c = count_lock(table);
	u32 n;

	own_slots_in_use(&n);
	if (--c->cpus == 0)
		memset(table + VL_FIRST_SLOT, 0, n * sizeof(u64));
	__atomic_store_n(&c->lock, 0, __ATOMIC_RELEASE);
}

volatile u16 *own_vga_text(void)
{
	return (volatile u16 *)VGA_VA;
}

volatile u32 *own_lapic(void)
{
	return (volatile u32 *)LAPIC_VA;
}

volatile u32 *own_ioapic(void)
{
	return (volatile u32 *)IOAPIC_VA;
}

volatile u32 *own_hpet(void)
{
	return (volatile u32 *)HPET_VA;
}

/* In a table that is there and that all CPUs' roots share: up to WINDOW_BASE. */
volatile u32 *own_device(struct range ma)
{
	const u64 flags = PTE_W | PTE_PCD | PTE_PWT | (cpu_has_nx() ? PTE_NX : 0);
	u64 va = DEVICES_VA;

	for (u32 i = 0; i < devices.count; va += range_size(devices.ma[i++]))
		if (devices.ma[i].start == ma.start && devices.ma[i].end == ma.end)
			return (volatile u32 *)va;
	if (devices.count == MOST_DEVICES || range_size(ma) > WINDOW_BASE - va ||
	    !pagetable_map(&own, va, (ma_t){ma.start}, range_size(ma), flags))
		return NULL;
	devices.ma[devices.count++] = ma;
	return (volatile u32 *)va;
}
