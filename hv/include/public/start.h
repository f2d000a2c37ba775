/* SPDX-License-Identifier: MIT */
/*
 * How a guest starts and how it finds Vellum.
 *
 * An ELF64 kernel carries an ELF note (name "Vellum", type VL_NOTE_ABI,
 * descriptor struct vl_note) and is entered at e_entry, taken as a physical
 * address, with
 *
 *     CPL 0, long mode (CR0.PE|MP|NE|WP|PG, CR4.PAE, EFER.LME|LMA; EFER.NXE if the CPU has NX),
 *     all memory below 4 GiB and all the guest's RAM mapped at va == pa, read, write, execute,
 *     CS = 0x10, DS = ES = SS = 0x18, flat, from a GDT in the guest's own reserved pages,
 *     IDT limit 0, interrupts off, direction flag clear, no stack (RSP = 0),
 *     RDI = pa of struct vl_start_info, RSI = pa of Linux's boot_params.
 *
 * A guest that begins virtualized (VL_START_VIRTUALIZED) finds the same state but where ring 3
 * shows itself: CS and SS read as Vellum's, PUSHF shows the interrupt flag set, SGDT and SIDT
 * show Vellum's tables unless CR4.UMIP is set, and DS and ES are null.
 *
 * A Linux bzImage is entered by Linux's 64-bit boot protocol (Documentation/x86/boot.rst) in the
 * same state. It finds struct vl_start_info as the payload of the setup_data node of type
 * VL_SETUP_DATA_TYPE; kernels that do not know the type skip it.
 *
 * Everything that the structure points to lies inside the guest's RAM, in pages that no memory
 * map entry of type VL_MEMORY_RAM overlaps in use: for Linux it is all inside the setup_data
 * node, which Linux reserves; other kernels keep [reserved_start, reserved_end) out of their
 * allocator for as long as they use it.
 */
#ifndef VELLUM_PUBLIC_START_H
#define VELLUM_PUBLIC_START_H

#include "types.h"

#define VL_NOTE_NAME       "Vellum"
#define VL_NOTE_ABI        1           /* n_type of the note */
#define VL_SETUP_DATA_TYPE 0x4d4c4c56u /* "VLLM" */

#define VL_START_MAGIC                                                                             \
	0x314d554c4c4556ull /* "VELLUM1" and a zero byte, as a little-endian number */

/* Version of the ABI. A change that an old guest would notice raises the major number and is
 * refused by an older one's note; additions raise the minor number. 0.2 came with transitions and
 * layers, 0.3 with other domains and guests that begin virtualized (each call says since when). */
#define VL_ABI_MAJOR 0
#define VL_ABI_MINOR 3

/** Descriptor of the ELF note: the ABI that the kernel was written for. */
struct vl_note {
	uint32_t abi_major;
	uint32_t abi_minor;
};
VL_ABI_ASSERT(sizeof(struct vl_note) == 8, "vl_note is ABI");

/* Types of memory ranges; the numbers are those of ACPI's address ranges and of e820. */
#define VL_MEMORY_RAM      1
#define VL_MEMORY_RESERVED 2 /* firmware, devices, Vellum's partition, RAM that is not shown */
#define VL_MEMORY_ACPI     3 /* ACPI tables; may be used as RAM after they were read */
#define VL_MEMORY_NVS      4
#define VL_MEMORY_BAD      5

/** One range of the guest's memory map: bytes [start, start + size), sorted, disjoint. */
struct vl_memory_range {
	uint64_t start; /* physical address, bytes */
	uint64_t size;  /* bytes */
	uint32_t type;  /* VL_MEMORY_* */
	uint32_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_memory_range) == 24, "vl_memory_range is ABI");

/** What a guest is given at its start. All addresses are guest physical; 0 means "none". */
struct vl_start_info {
	uint64_t magic; /* VL_START_MAGIC */
	uint32_t abi_major;
	uint32_t abi_minor;
	uint32_t size;  /* bytes of this structure that Vellum filled */
	uint32_t domid; /* the guest's own domain id */
	uint64_t reserved_start;
	uint64_t reserved_end; /* these pages hold all that this structure points to but the initrd
				*/
	uint64_t hypercall_page; /* one page of position-independent code, see hypercall.h */
	uint64_t memory_map;     /* array of struct vl_memory_range */
	uint32_t memory_map_count;
	uint32_t cmdline_size; /* bytes, with the closing zero */
	uint64_t cmdline;
	uint64_t initrd;
	uint64_t initrd_size; /* bytes */
	uint64_t rsdp;        /* copy of ACPI's root pointer */
	uint64_t boot_params; /* Linux's boot_params */
	uint32_t flags;       /* VL_START_*; since ABI 0.3 */
	uint32_t lapic_khz;   /* of the local APIC's timer, undivided; 0: not told; since ABI 0.3 */
	uint64_t tsc_khz;     /* of the TSC, 0: not told; since ABI 0.3 */
};
VL_ABI_ASSERT(sizeof(struct vl_start_info) == 120, "vl_start_info is ABI");

/* vl_start_info.flags; a structure that is too short for them has none. */
#define VL_START_VIRTUALIZED 1u /* the kernel is at ring 3 from its first instruction */
#define VL_START_LATER       2u /* it owns no hardware: a guest that another one made */

/**
 * Where a vcpu begins that is at ring 3 from its first instruction; all else is as said above. RDI
 * and RSI are what the kernel's protocol wants. Tables and GDT are in the guest's own memory, the
 * latter by a virtual address.
 */
struct vl_vcpu_start {
	uint64_t rip;
	uint64_t rdi;
	uint64_t rsi;
	uint64_t cr3;
	uint64_t gdt_base;
	uint16_t gdt_limit;
	uint16_t reserved[3]; /* 0 */
};
VL_ABI_ASSERT(sizeof(struct vl_vcpu_start) == 48, "vl_vcpu_start is ABI");

#endif
