// SPDX-License-Identifier: MIT
/*
 * Builds the start area. Layout, in pages: head, hypercall page, boot_params,
 * memory map, page tables. The tables come last because they are used for an
 * instant only and are not part of the setup_data node.
 */
#include "domain/start_area.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "public/hypercall.h"

#define PAGE_HYPERCALL   1
#define PAGE_BOOT_PARAMS 2
#define PAGE_MEMORY_MAP  3

#define DESC_CODE64 0x00af9b000000ffffull /* accessed already: nobody has to write the GDT */
#define DESC_DATA   0x00cf93000000ffffull

extern const u8 guest_trampoline[], guest_trampoline_end[];

/* Page tables are taken from the area's end part one by one. */
struct table_pool {
	u64 next;
	u64 end;
};

static u64 memory_map_pages(const struct memmap *memory)
{
	return (memory->count * sizeof(struct vl_memory_range) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* End of what is identity mapped: all below 4 GiB, and all the guest's RAM. */
static u64 identity_end(const struct memmap *memory)
{
	return round_up(max_u64(memmap_mapped_end(memory), 4 * GIB), GIB);
}

static u64 table_pages(const struct memmap *memory, u32 max_level)
{
	u64 gigabytes = identity_end(memory) / GIB;
	u64 pdpts = (gigabytes + PTES_PER_TABLE - 1) / PTES_PER_TABLE;

	return 1 + pdpts + (max_level >= 3 ? 0 : gigabytes);
}

u64 start_area_size(const struct memmap *memory, u32 max_level)
{
	return (PAGE_MEMORY_MAP + memory_map_pages(memory) + table_pages(memory, max_level))
	       << PAGE_SHIFT;
}

static bool alloc_table(void *context, mfn_t *out)
{
	struct table_pool *pool = context;

	if (pool->next == pool->end)
		return false;
	*out = ma_to_mfn((ma_t){pool->next});
	pool->next += PAGE_SIZE;
	memset(direct(mfn_to_ma(*out)), 0, PAGE_SIZE);
	return true;
}

static ma_t build_tables(const struct start_request *req, u64 first)
{
	struct table_pool pool = {first, req->area.end};
	struct pagetable t = {.max_level = req->max_level, .alloc = alloc_table, .context = &pool};
	mfn_t root = {0};
	bool ok = alloc_table(&pool, &root);

	assert(ok);
	t.root = mfn_to_ma(root);
	ok = pagetable_map(&t, 0, (ma_t){0}, identity_end(req->memory), PTE_W);
	assert(ok && pool.next == pool.end);
	return t.root;
}

static void fill_info(struct start_head *head, const struct start_request *req)
{
	u64 base = req->area.start;
	size_t length = strlen(req->cmdline);

	head->info = (struct vl_start_info){
		.magic = VL_START_MAGIC,
		.abi_major = VL_ABI_MAJOR,
		.abi_minor = VL_ABI_MINOR,
		.size = sizeof(head->info),
		.domid = req->domid,
		.reserved_start = base,
		.reserved_end = req->area.end,
		.hypercall_page = base + PAGE_HYPERCALL * PAGE_SIZE,
		.memory_map = base + PAGE_MEMORY_MAP * PAGE_SIZE,
		.memory_map_count = req->memory->count,
		.cmdline_size = (u32)length + 1,
		.cmdline = base + offsetof(struct start_head, cmdline),
		.initrd = range_size(req->initrd) > 0 ? req->initrd.start : 0,
		.initrd_size = range_size(req->initrd),
		.rsdp = req->rsdp_size > 0 ? base + offsetof(struct start_head, rsdp) : 0,
		.boot_params = base + PAGE_BOOT_PARAMS * PAGE_SIZE,
		.flags = req->flags,
	};
	assert(length < sizeof(head->cmdline));
	memcpy(head->cmdline, req->cmdline, length + 1);
	memcpy(head->rsdp, req->rsdp, req->rsdp_size);
}

static void fill_machine_code(struct start_head *head, u64 base)
{
	size_t size = (size_t)(guest_trampoline_end - guest_trampoline);

	assert(size <= sizeof(head->trampoline));
	memcpy(head->trampoline, guest_trampoline, size);
	head->gdt[START_GUEST_CS / 8] = DESC_CODE64;
	head->gdt[START_GUEST_DS / 8] = DESC_DATA;
	head->gdt_register.base = base + offsetof(struct start_head, gdt);
	head->gdt_register.limit = sizeof(head->gdt) - 1;
}

struct start_area start_area_fill(const struct start_request *req)
{
	u64 base = req->area.start;
	u64 map = base + PAGE_MEMORY_MAP * PAGE_SIZE;
	u64 tables = map + memory_map_pages(req->memory) * PAGE_SIZE;
	struct start_area area = {
		.head = direct((ma_t){base}),
		.hypercall_page = direct((ma_t){base + PAGE_HYPERCALL * PAGE_SIZE}),
		.boot_params = direct((ma_t){base + PAGE_BOOT_PARAMS * PAGE_SIZE}),
		.boot_params_pa = base + PAGE_BOOT_PARAMS * PAGE_SIZE,
	};

	memset(area.head, 0, tables - base);
	area.head->node.type = VL_SETUP_DATA_TYPE;
	area.head->node.len = (u32)(tables - base - sizeof(area.head->node));
	fill_info(area.head, req);
	fill_machine_code(area.head, base);
	memcpy(direct((ma_t){map}), req->memory->range,
	       req->memory->count * sizeof(req->memory->range[0]));
	area.root = build_tables(req, tables);
	return area;
}
