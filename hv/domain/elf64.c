// SPDX-License-Identifier: MIT
/*
 * Reading an ELF64 kernel (System V ABI, AMD64 supplement). Pure. In order:
 * the file header, the program headers (loadable segments are inserted
 * sorted, so overlaps show between neighbours), the note, the entry.
 */
#include "domain/elf64.h"

#include "lib/string.h"
#include "public/errno.h"

#define CLASS_64  2
#define DATA_LSB  1
#define TYPE_EXEC 2
#define TYPE_DYN  3
#define MACHINE   62 /* x86-64 */
#define SEG_LOAD  1
#define SEG_NOTE  4
#define PA_END    ((u64)1 << 52)
#define NAME_SIZE sizeof(VL_NOTE_NAME)

struct elf_header {
	u8 ident[16];
	u16 type;
	u16 machine;
	u32 version;
	u64 entry;
	u64 phoff;
	u64 shoff;
	u32 flags;
	u16 ehsize;
	u16 phentsize;
	u16 phnum;
	u16 shentsize;
	u16 shnum;
	u16 shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct program_header {
	u32 type;
	u32 flags;
	u64 offset;
	u64 vaddr;
	u64 paddr;
	u64 filesz;
	u64 memsz;
	u64 align;
};
_Static_assert(sizeof(struct program_header) == 56, "Elf64_Phdr");

struct note_header {
	u32 name_size;
	u32 desc_size;
	u32 type;
};

struct file {
	const u8 *p;
	u64 size;
	struct elf_header header;
};

static bool inside(const struct file *file, u64 offset, u64 size)
{
	return size <= file->size && offset <= file->size - size;
}

static struct program_header program_header(const struct file *file, u32 i)
{
	struct program_header ph;

	memcpy(&ph, file->p + file->header.phoff + (u64)i * sizeof(ph), sizeof(ph));
	return ph;
}

static int truncated(const struct file *file, u64 offset, u64 size, const char *what,
		     struct failure *f)
{
	return fail(
		f, VL_EIO,
		"The kernel is truncated: %s (%#lx bytes at %#lx) goes past the ELF file's %#lx "
		"bytes; copy it again.",
		what, size, offset, file->size);
}

static int check_kind(const struct file *file, struct failure *f)
{
	const struct elf_header *h = &file->header;

	if (h->type == TYPE_DYN)
		return fail(f, VL_ENOEXEC,
			    "The kernel is a position-independent ELF file; link it with -no-pie "
			    "to fixed addresses or boot a bzImage.");
	if (h->type != TYPE_EXEC)
		return fail(f, VL_ENOEXEC,
			    "The kernel is an ELF file of type %u, not an executable one; boot the "
			    "linked kernel.",
			    h->type);
	if (h->phentsize != sizeof(struct program_header) || h->phnum == 0)
		return fail(f, VL_ENOEXEC,
			    "The kernel's ELF file has no program headers (%u of %u bytes); boot "
			    "the linked kernel.",
			    h->phnum, h->phentsize);
	if (!inside(file, h->phoff, (u64)h->phnum * h->phentsize))
		return truncated(file, h->phoff, (u64)h->phnum * h->phentsize,
				 "its program header table", f);
	return 0;
}

static int open_file(const void *image, size_t size, struct file *file, struct failure *f)
{
	file->p = image;
	file->size = size;
	if (size < 16 || memcmp(image, "\177ELF", 4) != 0)
		return fail(f, VL_ENOEXEC,
			    "The kernel is not an ELF file; boot a bzImage or an ELF64 kernel with "
			    "Vellum's note.");
	if (file->p[4] != CLASS_64 || file->p[5] != DATA_LSB)
		return fail(
			f, VL_ENOEXEC,
			"The kernel is a 32-bit or big-endian ELF file; boot a kernel built for "
			"x86-64.");
	if (size < sizeof(file->header))
		return truncated(file, 0, sizeof(file->header), "its header", f);
	memcpy(&file->header, image, sizeof(file->header));
	if (file->header.machine != MACHINE)
		return fail(f, VL_ENOEXEC,
			    "The kernel is an ELF file for another machine (number %u); boot a "
			    "kernel built for x86-64.",
			    file->header.machine);
	return check_kind(file, f);
}

static int insert(struct elf64 *out, struct elf64_segment s, struct failure *f)
{
	u32 i;

	if (out->count == ELF64_MAX_SEGMENTS)
		return fail(f, VL_ENOEXEC,
			    "The kernel's ELF file has more than %u segments; link it with fewer.",
			    ELF64_MAX_SEGMENTS);
	for (i = out->count++; i > 0 && out->segment[i - 1].pa > s.pa; i--)
		out->segment[i] = out->segment[i - 1];
	out->segment[i] = s;
	return 0;
}

static int add_segment(const struct file *file, u32 i, struct elf64 *out, struct failure *f)
{
	struct program_header ph = program_header(file, i);

	if (!inside(file, ph.offset, ph.filesz))
		return truncated(file, ph.offset, ph.filesz, "a segment", f);
	if (ph.filesz > ph.memsz)
		return fail(f, VL_ENOEXEC,
			    "The kernel's ELF segment %u has %#lx bytes in the file for %#lx in "
			    "memory; link it again.",
			    i, ph.filesz, ph.memsz);
	if (ph.memsz > PA_END || ph.paddr > PA_END - ph.memsz)
		return fail(
			f, VL_ENOEXEC,
			"The kernel's ELF segment %u wraps or ends past the address space (%#lx "
			"bytes at %#lx); give it physical addresses that a machine has.",
			i, ph.memsz, ph.paddr);
	if (ph.memsz == 0)
		return 0;
	return insert(out, (struct elf64_segment){ph.offset, ph.filesz, ph.paddr, ph.memsz}, f);
}

static int read_segments(const struct file *file, struct elf64 *out, struct failure *f)
{
	for (u32 i = 0; i < file->header.phnum; i++) {
		int err =
			program_header(file, i).type == SEG_LOAD ? add_segment(file, i, out, f) : 0;

		if (err)
			return err;
	}
	if (out->count == 0)
		return fail(f, VL_ENOEXEC,
			    "The kernel's ELF file has nothing to load; boot the linked kernel.");
	return 0;
}

static int check_overlaps(struct elf64 *out, struct failure *f)
{
	const struct elf64_segment *last = &out->segment[out->count - 1];

	for (u32 i = 1; i < out->count; i++) {
		const struct elf64_segment *a = &out->segment[i - 1];
		const struct elf64_segment *b = &out->segment[i];

		if (a->pa + a->memory_size > b->pa)
			return fail(f, VL_ENOEXEC,
				    "The kernel's ELF segments overlap in physical memory (%#lx to "
				    "%#lx and %#lx); give each its own addresses.",
				    a->pa, a->pa + a->memory_size, b->pa);
	}
	out->span = (struct range){out->segment[0].pa, last->pa + last->memory_size};
	return 0;
}

/* Whether the note at `p`, `left` bytes from the end of its segment, is Vellum's; *size becomes
 * what the note takes, 0 if it runs past the end. */
static bool read_note(const u8 *p, u64 left, u64 align, struct vl_note *note, u64 *size)
{
	struct note_header h;
	u64 desc;

	*size = 0;
	if (left < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	desc = round_up(sizeof(h) + (u64)h.name_size, align);
	if (desc + h.desc_size > left)
		return false;
	*size = round_up(desc + h.desc_size, align);
	if (h.type != VL_NOTE_ABI || h.name_size != NAME_SIZE || h.desc_size < sizeof(*note) ||
	    memcmp(p + sizeof(h), VL_NOTE_NAME, NAME_SIZE) != 0)
		return false;
	memcpy(note, p + desc, sizeof(*note));
	return true;
}

static bool search_notes(const struct file *file, const struct program_header *ph,
			 struct vl_note *note)
{
	u64 size;

	for (u64 at = 0; at < ph->filesz; at += size) {
		if (read_note(file->p + ph->offset + at, ph->filesz - at, ph->align == 8 ? 8 : 4,
			      note, &size))
			return true;
		if (size == 0)
			break;
	}
	return false;
}

static int find_note(const struct file *file, struct elf64 *out, struct failure *f)
{
	for (u32 i = 0; i < file->header.phnum && !out->has_note; i++) {
		struct program_header ph = program_header(file, i);

		if (ph.type != SEG_NOTE)
			continue;
		if (!inside(file, ph.offset, ph.filesz))
			return truncated(file, ph.offset, ph.filesz, "a note", f);
		out->has_note = search_notes(file, &ph, &out->note);
	}
	return 0;
}

static int check_note(const struct elf64 *elf, struct failure *f)
{
	if (!elf->has_note)
		return fail(f, VL_ENOEXEC,
			    "The kernel's ELF file lacks Vellum's note, so it does not know how to "
			    "start here; add the ELF note (hv/include/public/start.h) or boot a "
			    "bzImage.");
	if (elf->note.abi_major == VL_ABI_MAJOR)
		return 0;
	return fail(f, VL_ENOEXEC,
		    "The kernel was written for version %u of Vellum's ABI and this is version %u; "
		    "use a Vellum and a kernel of the same version.",
		    elf->note.abi_major, VL_ABI_MAJOR);
}

static bool holds(u64 start, u64 size, u64 address)
{
	return address >= start && address - start < size;
}

static int find_entry(const struct file *file, struct elf64 *out, struct failure *f)
{
	u64 entry = file->header.entry;

	for (u32 i = 0; i < out->count; i++)
		if (holds(out->segment[i].pa, out->segment[i].memory_size, entry)) {
			out->entry = entry;
			return 0;
		}
	for (u32 i = 0; i < file->header.phnum; i++) {
		struct program_header ph = program_header(file, i);

		if (ph.type == SEG_LOAD && holds(ph.vaddr, ph.memsz, entry)) {
			out->entry = entry - ph.vaddr + ph.paddr;
			return 0;
		}
	}
	return fail(
		f, VL_ENOEXEC,
		"The kernel's entry %#lx lies in no segment of its ELF file; set the entry when "
		"linking.",
		entry);
}

int elf64_layout(const void *image, size_t size, struct elf64 *out, struct failure *f)
{
	struct file file;
	int err;

	memset(out, 0, sizeof(*out));
	err = open_file(image, size, &file, f);
	if (!err)
		err = read_segments(&file, out, f);
	if (!err)
		err = check_overlaps(out, f);
	if (!err)
		err = find_note(&file, out, f);
	if (!err)
		err = find_entry(&file, out, f);
	return err;
}

int elf64_parse(const void *image, size_t size, struct elf64 *out, struct failure *f)
{
	int err = elf64_layout(image, size, out, f);

	return err ? err : check_note(out, f);
}
