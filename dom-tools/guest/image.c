// SPDX-License-Identifier: MIT
/*
 * Writing a guest's memory, see image.h. The start area is made in this
 * process by hv/domain/start_area.c and bootparams.c, for the addresses that
 * it will have in the guest: direct() is where they and the process meet.
 */
#include "dom-tools/guest/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/bootparams.h"
#include "domain/start_area.h"
#include "lib/panic.h"
#include "mem/layout.h"

/* Pages of 2 MiB in the first tables: whatever CPU it is on, it has those. */
#define START_LEVELS 2

/* The code that enters the first guest is not needed: a vcpu begins with its registers loaded. */
__asm__(".globl guest_trampoline, guest_trampoline_end\n"
	"guest_trampoline:\n"
	"guest_trampoline_end:\n");

/* The start area that is being made. */
static struct {
	struct range at;
	u8 *bytes;
} area;

void *direct(ma_t ma)
{
	assert(ma.v >= area.at.start && ma.v < area.at.end);
	return area.bytes + (ma.v - area.at.start);
}

/* Of the hypervisor's code in this process. */
void panic(const char *fmt, ...)
{
	va_list ap;

	fputs("vl: bug: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; please report it\n", stderr);
	abort();
}

/*
 * Its RAM, and what lies below or above: Linux takes a map of a single range for a mistake of its
 * loader, and makes one up.
 */
static struct memmap *memory_of(struct range ram)
{
	static struct memmap map;
	struct range other = {0, ram.start};
	u32 first = ram.start == 0 ? 0 : 1;

	if (ram.start == 0)
		other = (struct range){ram.end, ram.end + PAGE_SIZE};
	map = (struct memmap){.count = 2};
	map.range[first] = (struct vl_memory_range){
		.start = ram.start, .size = range_size(ram), .type = VL_MEMORY_RAM};
	map.range[1 - first] = (struct vl_memory_range){
		.start = other.start, .size = range_size(other), .type = VL_MEMORY_RESERVED};
	return &map;
}

struct guest_parts guest_parts(const struct kernel *kernel, uint64_t ramdisk_size)
{
	struct range ram = {0, GUEST_END};

	return (struct guest_parts){
		.kernel = kernel->elf.span,
		.start_size = start_area_size(memory_of(ram), START_LEVELS),
		.initrd_size = ramdisk_size,
		.initrd_max = kernel->packed ? kernel->bzimage.initrd_addr_max : GUEST_END - 1,
	};
}

static int write_kernel(const struct guest_image *image, const struct guest_plan *plan,
			guest_sink sink, void *context, struct vl_error *e)
{
	const struct kernel *k = image->kernel;
	int rc = 0;

	for (u32 i = 0; i < k->elf.count && rc == 0; i++) {
		const struct elf64_segment *s = &k->elf.segment[i];

		if (s->file_size > 0)
			rc = sink(context, s->pa - plan->ram.start,
				  (const u8 *)k->elf_file + s->file_offset, s->file_size, e);
	}
	return rc;
}

static int fill_boot_params(const struct guest_image *image, const struct guest_plan *plan,
			    const struct start_area *start, struct vl_error *e)
{
	struct bootparams_request req = {
		.guest = memory_of(plan->ram),
		.bzimage = image->kernel->packed ? &image->kernel->bzimage : NULL,
		.image = image->kernel->packed ? image->kernel_file.data : NULL,
		.efi = true, /* there is no VGA text */
		.kernel = image->kernel->elf.span.start,
		.cmdline = start->head->info.cmdline,
		.cmdline_length = (u32)strlen(image->cmdline),
		.initrd = plan->initrd,
		.setup_data = plan->start.start,
	};
	struct failure f;

	if (bootparams_fill(start->boot_params, &req, &f) == 0)
		return 0;
	return vl_fail(e, E2BIG,
		       "the command line has %zu bytes, which is more than the kernel takes",
		       strlen(image->cmdline));
}

static struct start_area fill_start(const struct guest_image *image, const struct guest_plan *plan)
{
	struct start_request req = {
		.area = plan->start,
		.memory = memory_of(plan->ram),
		.domid = image->domid,
		.flags = VL_START_VIRTUALIZED | VL_START_LATER,
		.max_level = START_LEVELS,
		.cmdline = image->cmdline,
		.initrd = plan->initrd,
		.rsdp = (const u8 *)"", /* none */
	};
	struct start_area start = start_area_fill(&req);

	start.head->info.tsc_khz = image->tsc_khz;
	start.head->info.lapic_khz = image->lapic_khz;
	memcpy(start.hypercall_page, image->hypercall_page, sizeof(*image->hypercall_page));
	return start;
}

static void fill_vcpu(const struct guest_image *image, const struct guest_plan *plan,
		      const struct start_area *start, struct vl_vcpu_start *vcpu)
{
	*vcpu = (struct vl_vcpu_start){
		.rip = image->kernel->elf.entry,
		.rdi = plan->start.start + offsetof(struct start_head, info),
		.rsi = start->boot_params_pa,
		.cr3 = start->root.v,
		.gdt_base = start->head->gdt_register.base,
		.gdt_limit = start->head->gdt_register.limit,
	};
}

static int write_start(const struct guest_image *image, const struct guest_plan *plan,
		       guest_sink sink, void *context, struct vl_vcpu_start *vcpu,
		       struct vl_error *e)
{
	struct start_area start;
	int rc;

	area.at = plan->start;
	area.bytes = calloc(1, range_size(plan->start));
	if (area.bytes == NULL)
		return vl_fail(e, ENOMEM, "not enough memory to make a guest");
	start = fill_start(image, plan);
	fill_vcpu(image, plan, &start, vcpu);
	rc = fill_boot_params(image, plan, &start, e);
	if (rc == 0)
		rc = sink(context, plan->start.start - plan->ram.start, area.bytes,
			  range_size(plan->start), e);
	free(area.bytes);
	area.at = (struct range){0, 0};
	return rc;
}

int guest_image_write(const struct guest_image *image, const struct guest_plan *plan,
		      guest_sink sink, void *context, struct vl_vcpu_start *start,
		      struct vl_error *e)
{
	int rc;

	if (strlen(image->cmdline) > GUEST_CMDLINE_MOST)
		return vl_fail(e, E2BIG, "the command line has %zu bytes; %d are possible",
			       strlen(image->cmdline), GUEST_CMDLINE_MOST);
	rc = write_kernel(image, plan, sink, context, e);
	if (rc == 0 && image->ramdisk.size > 0)
		rc = sink(context, plan->initrd.start - plan->ram.start, image->ramdisk.data,
			  image->ramdisk.size, e);
	return rc ? rc : write_start(image, plan, sink, context, start, e);
}
