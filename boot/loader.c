// SPDX-License-Identifier: MIT
/*
 * Puts the first guest into its memory. The decisions are made by pure code
 * (hv/domain/: bzimage, elf64, placement, bootparams); this file moves bytes.
 */
#include "boot/loader.h"

#include "domain/domain.h"
#include "domain/start_area.h"
#include "hypercall/hypercall.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/layout.h"
#include "mem/machine.h"
#include "mem/own_tables.h"
#include "public/errno.h"
#include "transition/fresh.h"

static struct crc32_tables crc_tables;

static void copy(struct loader_plan *plan, u64 dst, u64 src, u64 size)
{
	memmove(direct((ma_t){dst}), direct((ma_t){src}), size);
	plan->bytes_copied += size;
}

static int parse_kernel(struct range file, const struct options *options, struct loader_plan *plan,
			struct failure *f)
{
	const void *image = direct((ma_t){file.start});
	size_t size = range_size(file);

	if (!memmap_is_ram(machine_map(), file))
		return fail(
			f, VL_EINVAL,
			"The boot loader put the kernel at 0x%lx, which is not RAM by its own map: "
			"use GRUB 2.",
			file.start);
	plan->kind = image_kind(image, size);
	if (plan->kind == IMAGE_ELF)
		return elf64_parse(image, size, &plan->elf, f);
	if (!options->kernel_crc)
		return bzimage_parse(image, size, NULL, &plan->bzimage, f);
	crc32_init(&crc_tables);
	plan->bytes_checked = size;
	return bzimage_parse(image, size, &crc_tables, &plan->bzimage, f);
}

static void ask_for_kernel(const struct loader_plan *plan, struct placement_request *req)
{
	if (plan->kind == IMAGE_ELF) {
		req->kernel_start = plan->elf.span.start;
		req->kernel_size = range_size(plan->elf.span);
		req->kernel_align = PAGE_SIZE;
		req->initrd_addr_max = ~(u64)0;
		return;
	}
	req->kernel_start = plan->bzimage.pref_address;
	req->kernel_size = plan->bzimage.init_size;
	req->kernel_align = plan->bzimage.alignment;
	req->kernel_relocatable = plan->bzimage.relocatable;
	req->initrd_addr_max = plan->bzimage.initrd_addr_max;
}

int loader_plan(const struct boot_info *info, const struct options *options, struct range partition,
		ma_t old_image, struct loader_plan *plan, struct failure *f)
{
	struct range busy = {old_image.v, old_image.v + own_image_size()};
	struct placement_request req = {
		.machine = machine_map(),
		.guest = &domain_first()->memory,
		.partition = partition,
		.start_size = start_area_size(&domain_first()->memory, cpu_page_levels()),
		.busy = &busy,
		.busy_count = 1,
	};
	int err;

	memset(plan, 0, sizeof(*plan));
	if (info->module_count == 0)
		return fail(f, VL_ENOENT,
			    "No kernel was loaded: add a module2 line with the guest's kernel to "
			    "Vellum's entry in grub.cfg.");
	req.kernel_file = info->module[0].mem;
	if (info->module_count > 1)
		req.initrd_file = info->module[1].mem;
	err = parse_kernel(req.kernel_file, options, plan, f);
	if (err < 0)
		return err;
	ask_for_kernel(plan, &req);
	err = placement_plan(&req, &plan->placement, f);
	if (err < 0)
		return err;
	plan->entry = plan->kind == IMAGE_ELF ? plan->elf.entry
					      : plan->placement.kernel.start + BZIMAGE_ENTRY_OFFSET;
	return 0;
}

void loader_move(struct loader_plan *plan)
{
	for (u32 i = 0; i < plan->placement.move_count; i++) {
		const struct placement_move *move = &plan->placement.move[i];

		copy(plan, move->dst, move->src.start, range_size(move->src));
	}
}

static void load_kernel(struct loader_plan *plan)
{
	u64 file = plan->placement.staged.start;

	if (plan->kind == IMAGE_BZIMAGE) {
		copy(plan, plan->placement.kernel.start, file + plan->bzimage.payload_offset,
		     plan->bzimage.payload_size);
		return;
	}
	for (u32 i = 0; i < plan->elf.count; i++) {
		const struct elf64_segment *s = &plan->elf.segment[i];

		copy(plan, s->pa, file + s->file_offset, s->file_size);
		memset(direct((ma_t){s->pa + s->file_size}), 0, s->memory_size - s->file_size);
	}
}

static void fill_boot_params(const struct boot_info *info, const struct loader_plan *plan,
			     const struct start_area *area)
{
	const struct vl_start_info *start = &area->head->info;
	struct failure f = {0};
	struct bootparams_request req = {
		.guest = &domain_first()->memory,
		.bzimage = plan->kind == IMAGE_BZIMAGE ? &plan->bzimage : NULL,
		.image = plan->kind == IMAGE_BZIMAGE ? direct((ma_t){plan->placement.staged.start})
						     : NULL,
		.framebuffer = &info->framebuffer,
		.efi = info->efi_system_table != 0,
		.kernel = plan->placement.kernel.start,
		.cmdline = start->cmdline,
		.cmdline_length = start->cmdline_size - 1,
		.initrd = plan->placement.initrd,
		.rsdp = start->rsdp,
		.setup_data = plan->placement.start.start,
	};

	if (bootparams_fill(area->boot_params, &req, &f) < 0) {
		log_print("vellum: error: %s\n", f.text);
		halt_forever();
	}
}

void loader_load(const struct boot_info *info, const struct options *options,
		 struct loader_plan *plan)
{
	struct start_request req = {
		.area = plan->placement.start,
		.memory = &domain_first()->memory,
		.domid = domain_first()->domid,
		.flags = options->begin_virtualized ? VL_START_VIRTUALIZED : 0,
		.max_level = cpu_page_levels(),
		.cmdline = info->module[0].cmdline,
		.initrd = plan->placement.initrd,
		.rsdp = info->rsdp,
		.rsdp_size = info->rsdp_size,
	};
	struct start_area area = start_area_fill(&req);

	hypercall_page_fill(area.hypercall_page);
	fill_boot_params(info, plan, &area);
	load_kernel(plan);
	plan->root = area.root.v;
	plan->boot_params = area.boot_params_pa;
}

/* In the state that public/start.h has for it, at ring 3. */
static __attribute__((noreturn)) void enter_virtualized(const struct loader_plan *plan)
{
	u64 area = plan->placement.start.start;
	struct vl_vcpu_start start = {
		.rip = plan->entry,
		.rdi = area + offsetof(struct start_head, info),
		.rsi = plan->boot_params,
		.cr3 = plan->root,
		.gdt_base = area + offsetof(struct start_head, gdt),
		.gdt_limit = sizeof(((struct start_head *)NULL)->gdt) - 1,
	};

	first_begin_fresh(&start);
}

void loader_enter(const struct options *options, const struct loader_plan *plan)
{
	u64 *root = direct((ma_t){plan->root});

	if (options->begin_virtualized)
		enter_virtualized(plan);
	own_slots(root + VL_FIRST_SLOT);
	start_area_enter(plan->root, plan->placement.start.start, plan->entry, plan->boot_params);
}
