// SPDX-License-Identifier: MIT
/*
 * The walk over the Multiboot2 information (Multiboot2 specification, section
 * 3.6): a u32 total size, a reserved u32, then tags of {u32 type, u32 size,
 * body}, each at a multiple of 8, closed by a tag of type 0. Pure. The one
 * invariant: a tag's handler is given the tag only after all `size` bytes of
 * it were found to lie inside the information.
 */
#include "boot/bootinfo.h"

#include "lib/load.h"
#include "lib/string.h"
#include "public/errno.h"

#define TAG_END          0
#define TAG_CMDLINE      1
#define TAG_LOADER       2
#define TAG_MODULE       3
#define TAG_MEMORY       6
#define TAG_FRAMEBUFFER  8
#define TAG_EFI64        12
#define TAG_RSDP_OLD     14
#define TAG_RSDP_NEW     15
#define TAG_EFI_MEMORY   17
#define TAG_EFI_SERVICES 18

#define TAG_HEAD     8 /* bytes of type and size */
#define MEMORY_ENTRY 24
#define RSDP_OLD     20
#define RSDP_NEW     36

/* One tag: `size` readable bytes at `p`, head included. */
struct tag {
	u32 type;
	u32 size;
	const u8 *p;
};

static int too_short(const struct tag *t, struct failure *f)
{
	return fail(f, VL_EINVAL,
		    "The boot loader's information is damaged: tag %u has only %u bytes; boot with "
		    "GRUB's multiboot2 command.",
		    t->type, t->size);
}

/* Length of the string that starts `at` bytes into the tag; negative if it is not terminated. */
static s64 string_length(const struct tag *t, u32 at)
{
	for (u32 i = at; i < t->size; i++)
		if (t->p[i] == 0)
			return i - at;
	return -1;
}

static int unterminated(const struct tag *t, struct failure *f)
{
	return fail(f, VL_EINVAL,
		    "The boot loader's information is damaged: the string in tag %u has no end; "
		    "boot with GRUB's multiboot2 command.",
		    t->type);
}

/* Copy a whole string; one that does not fit is refused, half a command line being a wrong one. */
static int copy_string(const struct tag *t, u32 at, char *dst, u32 room, const char *what,
		       struct failure *f)
{
	s64 length = string_length(t, at);

	if (length < 0)
		return unterminated(t, f);
	if (length >= (s64)room)
		return fail(f, VL_E2BIG,
			    "The command line of %s has %lu characters, more than the %u that "
			    "fit; shorten it in grub.cfg.",
			    what, (unsigned long)length, room - 1);
	memcpy(dst, t->p + at, (size_t)length + 1);
	return 0;
}

static int copy_loader(const struct tag *t, struct boot_info *out, struct failure *f)
{
	s64 length = string_length(t, TAG_HEAD);

	if (length < 0)
		return unterminated(t, f);
	length = (s64)min_u64((u64)length, sizeof(out->loader) - 1);
	memcpy(out->loader, t->p + TAG_HEAD, (size_t)length);
	out->loader[length] = 0;
	return 0;
}

static int copy_module(const struct tag *t, struct boot_info *out, struct failure *f)
{
	struct boot_module *m = &out->module[out->module_count];

	if (t->size < 16)
		return too_short(t, f);
	if (out->module_count == BOOT_MAX_MODULES)
		return fail(f, VL_E2BIG,
			    "The boot loader gives more than %u modules; take the superfluous "
			    "module2 lines out of grub.cfg.",
			    BOOT_MAX_MODULES);
	m->mem = (struct range){load32(t->p + 8), load32(t->p + 12)};
	if (m->mem.end < m->mem.start)
		return fail(f, VL_EINVAL,
			    "The boot loader's information is damaged: module %u ends at %#lx, "
			    "before its start %#lx; boot with GRUB's multiboot2 command.",
			    out->module_count, m->mem.end, m->mem.start);
	out->module_count++;
	return copy_string(t, 16, m->cmdline, sizeof(m->cmdline), "a module", f);
}

static int check_memory_tag(const struct tag *t, struct failure *f)
{
	u32 entry;

	if (t->size < 16)
		return too_short(t, f);
	entry = load32(t->p + 8);
	if (entry < MEMORY_ENTRY || entry % 8 != 0 || (t->size - 16) % entry != 0)
		return fail(f, VL_EINVAL,
			    "The boot loader's memory map is damaged: %u bytes with entries of %u "
			    "bytes; boot with GRUB's multiboot2 command.",
			    t->size - 16, entry);
	return 0;
}

static int copy_memory(const struct tag *t, struct boot_info *out, struct failure *f)
{
	int err = check_memory_tag(t, f);

	if (err)
		return err;
	/* In 64 bits: a large entry size must not wrap the offset. */
	for (u64 at = 16; at < t->size; at += load32(t->p + 8)) {
		if (out->memory_count == BOOT_MAX_MEMORY)
			return fail(f, VL_E2BIG,
				    "The memory map has more than %u ranges; remove \"cutmem\" and "
				    "\"badram\" commands from grub.cfg or report this machine.",
				    BOOT_MAX_MEMORY);
		out->memory[out->memory_count++] = (struct vl_memory_range){
			.start = load64(t->p + at),
			.size = load64(t->p + at + 8),
			.type = load32(t->p + at + 16),
		};
	}
	return 0;
}

static int copy_framebuffer(const struct tag *t, struct boot_info *out, struct failure *f)
{
	struct boot_framebuffer *fb = &out->framebuffer;
	const u8 *p = t->p;

	if (t->size < 30 || (p[29] == BOOT_FRAMEBUFFER_RGB && t->size < 38))
		return too_short(t, f);
	*fb = (struct boot_framebuffer){
		.present = true,
		.type = p[29],
		.bpp = p[28],
		.addr = load64(p + 8),
		.pitch = load32(p + 16),
		.width = load32(p + 20),
		.height = load32(p + 24),
	};
	/* GRUB's tag has two reserved bytes before the colours, the specification's text has one;
	 * GRUB's is what loaders and kernels agree on. */
	if (fb->type == BOOT_FRAMEBUFFER_RGB) {
		fb->red = (struct boot_color){p[32], p[33]};
		fb->green = (struct boot_color){p[34], p[35]};
		fb->blue = (struct boot_color){p[36], p[37]};
	}
	return 0;
}

static int copy_rsdp(const struct tag *t, u32 least, struct boot_info *out, struct failure *f)
{
	u32 size = t->size - TAG_HEAD;

	if (size < least)
		return too_short(t, f);
	if (size > BOOT_RSDP_SIZE)
		return fail(f, VL_E2BIG,
			    "ACPI's root pointer has %u bytes, more than the %u that fit; report "
			    "this machine.",
			    size, BOOT_RSDP_SIZE);
	/* The new form holds everything that the old one does, in whatever order they come. */
	if (t->type == TAG_RSDP_OLD && out->rsdp_size >= RSDP_NEW)
		return 0;
	memcpy(out->rsdp, t->p + TAG_HEAD, size);
	out->rsdp_size = size;
	return 0;
}

static int copy_efi64(const struct tag *t, struct boot_info *out, struct failure *f)
{
	if (t->size < 16)
		return too_short(t, f);
	out->efi_system_table = load64(t->p + 8);
	return 0;
}

static int copy_tag(const struct tag *t, struct boot_info *out, struct failure *f)
{
	switch (t->type) {
	case TAG_CMDLINE:
		return copy_string(t, TAG_HEAD, out->cmdline, sizeof(out->cmdline), "Vellum", f);
	case TAG_LOADER:
		return copy_loader(t, out, f);
	case TAG_MODULE:
		return copy_module(t, out, f);
	case TAG_MEMORY:
		return copy_memory(t, out, f);
	case TAG_FRAMEBUFFER:
		return copy_framebuffer(t, out, f);
	case TAG_EFI64:
		return copy_efi64(t, out, f);
	case TAG_RSDP_OLD:
		return copy_rsdp(t, RSDP_OLD, out, f);
	case TAG_RSDP_NEW:
		return copy_rsdp(t, RSDP_NEW, out, f);
	case TAG_EFI_MEMORY:
		out->efi_memory_map = true;
		return 0;
	case TAG_EFI_SERVICES:
		out->efi_boot_services = true;
		return 0;
	default:
		return 0;
	}
}

/* The tag at offset `at`, checked to lie inside the `total` bytes at `p`. */
static int next_tag(const u8 *p, u32 total, u64 at, struct tag *t, struct failure *f)
{
	if (at + TAG_HEAD > total)
		return fail(f, VL_EINVAL,
			    "The boot loader's information is truncated: its %u bytes have no end "
			    "tag; boot with GRUB's multiboot2 command.",
			    total);
	*t = (struct tag){.type = load32(p + at), .size = load32(p + at + 4), .p = p + at};
	if (t->size < TAG_HEAD || t->size > total - at)
		return fail(f, VL_EINVAL,
			    "The boot loader's information is damaged: tag %u at offset %lu has %u "
			    "bytes of %u; boot with GRUB's multiboot2 command.",
			    t->type, at, t->size, total);
	return 0;
}

static int walk(const u8 *p, u32 total, struct boot_info *out, struct failure *f)
{
	u64 at = 8;
	struct tag t;
	int err;

	for (;;) {
		err = next_tag(p, total, at, &t, f);
		if (err)
			return err;
		if (t.type == TAG_END)
			return 0;
		err = copy_tag(&t, out, f);
		if (err)
			return err;
		at += round_up(t.size, 8);
	}
}

int boot_info_parse(const void *mbi, size_t limit, struct boot_info *out, struct failure *f)
{
	u32 total;
	int err;

	memset(out, 0, sizeof(*out));
	total = limit < 8 ? 0 : load32(mbi);
	if (total < 16 || total > limit)
		return fail(f, VL_EINVAL,
			    "The boot loader's information claims %u bytes where %lu are readable; "
			    "boot with GRUB's multiboot2 command.",
			    total, (unsigned long)limit);
	err = walk(mbi, total, out, f);
	if (err)
		return err;
	if (out->memory_count == 0)
		return fail(f, VL_EINVAL,
			    "The boot loader gives no memory map; boot with GRUB's multiboot2 "
			    "command.");
	return 0;
}
