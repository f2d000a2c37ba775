// SPDX-License-Identifier: MIT
/*
 * Filling Linux's boot_params (see domain/bootparams.h). Pure. The page is
 * cleared first, and only what the boot protocol asks of a loader is written:
 * `sentinel` stays 0, which tells Linux that the rest is not garbage.
 */
#include "domain/bootparams.h"

#include "lib/string.h"
#include "public/errno.h"

#define BOOT_FLAG         0xaa55
#define HEADER_MAGIC      0x53726448 /* "HdrS" */
#define PROTOCOL_2_15     0x20f
#define LOADER_UNKNOWN    0xff /* no number was assigned to Vellum */
#define LOADED_HIGH       1
#define KERNEL_64         1
#define VIDEO_MODE_NORMAL 0xffff

#define VIDEO_VGA_TEXT      0x22
#define VIDEO_LINEAR        0x23
#define VIDEO_EFI           0x70
#define VIDEO_64BIT_BASE    2 /* capability: ext_lfb_base is valid */
#define LINEAR_SIZE_UNIT    0x10000
#define ELF_CMDLINE_DEFAULT 2047 /* COMMAND_LINE_SIZE of x86 Linux - 1 */

static u32 low(u64 x)
{
	return (u32)x;
}

static u32 high(u64 x)
{
	return (u32)(x >> 32);
}

static void fill_vga_text(struct linux_screen_info *s)
{
	s->orig_video_mode = 3;
	s->orig_video_cols = 80;
	s->orig_video_lines = 25;
	s->orig_video_is_vga = VIDEO_VGA_TEXT;
	s->orig_video_points = 16;
	s->orig_y = 24; /* below Vellum's own lines */
}

static bool is_linear(const struct boot_framebuffer *fb)
{
	return fb != NULL && fb->present && fb->type == BOOT_FRAMEBUFFER_RGB && fb->addr != 0 &&
	       fb->width - 1 < 0xffff && fb->height - 1 < 0xffff && fb->pitch - 1 < 0xffff &&
	       fb->bpp >= 15 && fb->bpp <= 32;
}

/* Linux wants the unused bits of a pixel named too: they are above the highest colour. */
static void fill_colors(struct linux_screen_info *s, const struct boot_framebuffer *fb)
{
	u32 used = (u32)fb->red.size + fb->green.size + fb->blue.size;

	s->red_size = fb->red.size;
	s->red_pos = fb->red.position;
	s->green_size = fb->green.size;
	s->green_pos = fb->green.position;
	s->blue_size = fb->blue.size;
	s->blue_pos = fb->blue.position;
	if (used < fb->bpp) {
		s->rsvd_size = (u8)(fb->bpp - used);
		s->rsvd_pos = (u8)used;
	}
}

static void fill_linear(struct linux_screen_info *s, const struct boot_framebuffer *fb, bool efi)
{
	u64 size = (u64)fb->pitch * fb->height;

	s->orig_video_is_vga = efi ? VIDEO_EFI : VIDEO_LINEAR;
	s->lfb_width = (u16)fb->width;
	s->lfb_height = (u16)fb->height;
	s->lfb_depth = fb->bpp;
	s->lfb_linelength = (u16)fb->pitch;
	s->lfb_base = low(fb->addr);
	s->ext_lfb_base = high(fb->addr);
	s->capabilities = high(fb->addr) ? VIDEO_64BIT_BASE : 0;
	s->lfb_size = low(efi ? size : round_up(size, LINEAR_SIZE_UNIT) / LINEAR_SIZE_UNIT);
	s->pages = 1;
	fill_colors(s, fb);
}

static void fill_screen(struct linux_screen_info *s, const struct bootparams_request *req)
{
	if (is_linear(req->framebuffer))
		fill_linear(s, req->framebuffer, req->efi);
	else if (!req->efi)
		fill_vga_text(s);
}

/* What vmlinux reads of the header although no bzImage stub ran. */
static void fill_elf_header(struct linux_setup_header *h)
{
	h->boot_flag = BOOT_FLAG;
	h->header = HEADER_MAGIC;
	h->version = PROTOCOL_2_15;
	h->xloadflags = KERNEL_64;
	h->cmdline_size = ELF_CMDLINE_DEFAULT;
	h->initrd_addr_max = ~(u32)0;
}

static void fill_header(struct linux_boot_params *bp, const struct bootparams_request *req)
{
	struct linux_setup_header *h = &bp->hdr;
	u64 initrd_size = range_size(req->initrd);

	/* bzimage_parse() bounds header_size: not past 0x290, where other fields begin. */
	if (req->bzimage != NULL)
		memcpy((u8 *)bp + req->bzimage->header_offset,
		       (const u8 *)req->image + req->bzimage->header_offset,
		       req->bzimage->header_size);
	else
		fill_elf_header(h);
	h->vid_mode = VIDEO_MODE_NORMAL;
	h->type_of_loader = LOADER_UNKNOWN;
	h->loadflags |= LOADED_HIGH;
	h->code32_start = low(req->kernel);
	h->cmd_line_ptr = low(req->cmdline);
	bp->ext_cmd_line_ptr = high(req->cmdline);
	h->setup_data = req->setup_data;
	bp->acpi_rsdp_addr = req->rsdp;
	h->ramdisk_image = initrd_size ? low(req->initrd.start) : 0;
	bp->ext_ramdisk_image = initrd_size ? high(req->initrd.start) : 0;
	h->ramdisk_size = low(initrd_size);
	bp->ext_ramdisk_size = high(initrd_size);
}

/* The types of memory ranges are e820's own numbers. */
/* Linux takes a table of one entry for none, and joins two that touch. */
static void split_single(struct linux_boot_params *bp)
{
	struct linux_e820_entry *first = &bp->e820_table[0];

	bp->e820_table[1] = (struct linux_e820_entry){
		.addr = first->addr + PAGE_SIZE,
		.size = first->size - PAGE_SIZE,
		.type = first->type,
	};
	first->size = PAGE_SIZE;
	bp->e820_entries = 2;
}

static int fill_e820(struct linux_boot_params *bp, const struct memmap *guest, struct failure *f)
{
	if (guest->count > BOOTPARAMS_MAX_E820)
		return fail(f, VL_E2BIG,
			    "The memory map has %u ranges and Linux takes %u; use mem=contiguous "
			    "or report this machine.",
			    guest->count, BOOTPARAMS_MAX_E820);
	for (u32 i = 0; i < guest->count; i++)
		bp->e820_table[i] = (struct linux_e820_entry){
			.addr = guest->range[i].start,
			.size = guest->range[i].size,
			.type = guest->range[i].type,
		};
	bp->e820_entries = (u8)guest->count;
	if (guest->count == 1 && guest->range[0].size > PAGE_SIZE)
		split_single(bp);
	return 0;
}

int bootparams_fill(struct linux_boot_params *bp, const struct bootparams_request *req,
		    struct failure *f)
{
	u32 most = req->bzimage ? req->bzimage->cmdline_max : ELF_CMDLINE_DEFAULT;

	memset(bp, 0, sizeof(*bp));
	if (req->cmdline_length > most)
		return fail(f, VL_E2BIG,
			    "The guest's command line has %u characters, and this kernel takes %u; "
			    "shorten it in grub.cfg.",
			    req->cmdline_length, most);
	fill_screen(&bp->screen_info, req);
	fill_header(bp, req);
	return fill_e820(bp, req->guest, f);
}
