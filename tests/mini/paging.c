// SPDX-License-Identifier: MIT
/*
 * Page tables. The kernel reaches every table by the direct map, and so does
 * the hypercall page, which has to write into whatever root is current: roots
 * must therefore come from RAM that the direct map covers, and stay writable
 * there. The root's entries VL_FIRST_SLOT .. are Vellum's and always zero.
 */
#include "mini/paging.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/frames.h"
#include "mini/image.h"
#include "mini/memory.h"
#include "public/errno.h"

#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * ((level)-1))
#define LEVELS             4
#define USER_SLOTS         256

struct space kernel_space;

static u64 *table_of(u64 entry)
{
	return pa_to_ptr((pa_t){entry & PTE_ADDRESS});
}

static size_t index_of(va_t va, int level)
{
	return va.v >> LEVEL_SHIFT(level) & (NR_ENTRIES - 1);
}

static bool is_canonical(va_t va)
{
	return va.v < USER_END || va.v >= 0 - USER_END;
}

u64 paging_nx(void)
{
	return read_msr(MSR_EFER) & EFER_NXE ? PTE_NX : 0;
}

static bool is_table(u64 entry, int level)
{
	return level > 1 && entry & PTE_P && (level == LEVELS || !(entry & PTE_PS));
}

u64 *space_entry(const struct space *space, va_t va, int *level)
{
	u64 *table = pa_to_ptr(space->root);

	for (*level = LEVELS;; --*level) {
		u64 *entry = &table[index_of(va, *level)];

		if (!is_table(*entry, *level))
			return entry;
		table = table_of(*entry);
	}
}

bool space_translate(const struct space *space, va_t va, struct mapping *to)
{
	u64 *table = pa_to_ptr(space->root);
	u64 all = ~(u64)0, any = 0, entry;
	int level = LEVELS;

	for (;; level--) {
		entry = table[index_of(va, level)];
		all &= entry;
		any |= entry;
		if (!is_table(entry, level))
			break;
		table = table_of(entry);
	}
	to->size = (u64)1 << LEVEL_SHIFT(level);
	to->pa.v = (entry & PTE_ADDRESS & ~(to->size - 1)) | (va.v & (to->size - 1));
	to->rights = (all & (PTE_W | PTE_U)) | (any & PTE_NX);
	return (entry & PTE_P) != 0;
}

/* Hang an empty table into `entry`. */
static int add_table(u64 *entry, va_t va)
{
	pa_t table = frame_alloc_zeroed();

	if (table.v == 0)
		return -VL_ENOMEM;
	*entry = table.v | PTE_P | PTE_W | (va.v < USER_END ? PTE_U : 0);
	return 0;
}

int space_map(struct space *space, va_t va, pa_t pa, u64 size, u64 flags)
{
	int want = size == LARGE_SIZE ? 2 : 1;
	int level, err;
	u64 *entry;

	if ((size != PAGE_SIZE && size != LARGE_SIZE) || (va.v | pa.v) % size != 0 ||
	    !is_canonical(va))
		return -VL_EINVAL;
	for (;;) {
		entry = space_entry(space, va, &level);
		if (level < want || *entry & PTE_P)
			return -VL_EEXIST;
		if (level == want)
			break;
		err = add_table(entry, va);
		if (err != 0)
			return err;
	}
	*entry = pa.v | flags | PTE_P | (want == 2 ? PTE_PS : 0);
	return 0;
}

int space_unmap(struct space *space, va_t va)
{
	int level;
	u64 *entry = space_entry(space, va, &level);

	if (!(*entry & PTE_P))
		return -VL_ENOENT;
	*entry = 0;
	invlpg(va.v);
	return 0;
}

int space_create(struct space *space)
{
	u64 *kernel_root = pa_to_ptr(kernel_space.root);
	u64 *root;

	space->root = frame_alloc_zeroed();
	if (space->root.v == 0)
		return -VL_ENOMEM;
	root = pa_to_ptr(space->root);
	memcpy(root + USER_SLOTS, kernel_root + USER_SLOTS,
	       (NR_ENTRIES - USER_SLOTS) * sizeof(*root));
	return 0;
}

/* Recursion is bounded by the number of levels: nothing in level 1 is a table. */
static void free_tables(u64 *table, int level, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_table(table[i], level))
			continue;
		free_tables(table_of(table[i]), level - 1, NR_ENTRIES);
		frame_free((pa_t){table[i] & PTE_ADDRESS});
	}
}

void space_destroy(struct space *space)
{
	free_tables(pa_to_ptr(space->root), LEVELS, USER_SLOTS);
	frame_free(space->root);
	space->root.v = 0;
}

void space_load(const struct space *space)
{
	write_cr3(space->root.v);
}

static void map_kernel(va_t va, pa_t pa, u64 size, u64 flags)
{
	int err = space_map(&kernel_space, va, pa, size, flags);

	if (err != 0)
		panic("mapping %#lx to %#lx: error %d", va.v, pa.v, err);
}

static void map_image(const char *start, const char *end, u64 flags)
{
	for (const char *p = start; p < end; p += PAGE_SIZE)
		map_kernel((va_t){(u64)p}, ptr_to_pa(p), PAGE_SIZE, flags);
}

/* The range's whole pages, by large pages where they fit. */
static void map_direct(struct range r)
{
	u64 end = round_down(r.end, PAGE_SIZE);
	u64 size;

	for (u64 pa = round_up(r.start, PAGE_SIZE); pa < end; pa += size) {
		size = pa % LARGE_SIZE == 0 && end - pa >= LARGE_SIZE ? LARGE_SIZE : PAGE_SIZE;
		map_kernel((va_t){DIRECT_MAP + pa}, (pa_t){pa}, size, PTE_W | paging_nx());
	}
}

void paging_init(void)
{
	kernel_space.root = frame_alloc_zeroed();
	if (kernel_space.root.v == 0)
		panic("no frame for the root");
	map_image(image_start, text_end, 0);
	map_image(text_end, rodata_end, paging_nx());
	map_image(rodata_end, image_end, PTE_W | paging_nx());
	for (u32 i = 0; i < start_info->memory_map_count; i++) {
		if (memory_range(i)->type == VL_MEMORY_RAM)
			map_direct(memory_bounds(i));
	}
	space_load(&kernel_space);
}

volatile void *mmio_map(pa_t pa, u64 size)
{
	static u64 next = MMIO_BASE;
	u64 base = next;

	for (u64 at = 0; at < round_up(size, PAGE_SIZE); at += PAGE_SIZE, next += PAGE_SIZE)
		map_kernel((va_t){next}, (pa_t){pa.v + at}, PAGE_SIZE,
			   PTE_W | PTE_PCD | PTE_PWT | paging_nx());
	return (volatile void *)base;
}
