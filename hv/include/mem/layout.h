/* SPDX-License-Identifier: MIT */
/*
 * Where Vellum lives in virtual memory: top-level slots 256..271, which Linux
 * keeps free for a hypervisor (DESIGN section 3). Constants only, so that
 * assembly and the linker script share them.
 */
#ifndef VELLUM_MEM_LAYOUT_H
#define VELLUM_MEM_LAYOUT_H

/* Slot 256: the image, linked here, wherever it is in RAM. */
#define IMAGE_BASE 0xffff800000000000

/* Slots 257..270: machine address m is readable and writable at DIRECT_BASE + m. */
#define DIRECT_BASE 0xffff808000000000
#define DIRECT_END  0xffff878000000000

/* Slot 271 maps nothing, ever: in a guest's root it counts CPUs (public/hypercall.h). */
#define OWN_END 0xffff880000000000

/* In slot 256, behind what the image has there: what belongs to the CPU that runs, while it is
 * virtualized (cpu/block.h). */
#define WINDOW_BASE 0xffff800000400000
#define WINDOW_SIZE 0x200000

/* GRUB may put the image at any multiple of this; the image is smaller (linker script). */
#define IMAGE_ALIGN 0x200000

#define STACK_SIZE 32768 /* of each CPU; aligned to its size, see cpu/percpu.h */

#ifndef __ASSEMBLER__

#include "lib/types.h"

/* Set by the linker script; only their addresses mean anything. */
extern char image_start[], image_text_end[], image_rodata_end[], image_end[];

/** Whether bits 63:47 are equal: the only addresses that 4-level paging has. */
static inline bool is_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

/** Whether a canonical `va` is in the upper half. */
static inline bool is_upper_half(u64 va)
{
	return va >> 63 != 0;
}

/** Whether `va` is in Vellum's slots. */
static inline bool is_own_va(u64 va)
{
	return va >= IMAGE_BASE && va < OWN_END;
}

/** The direct map: va of machine memory. Valid for RAM below 4 GiB at boot, then for all RAM. */
static inline void *direct(ma_t ma)
{
	return (void *)(DIRECT_BASE + ma.v);
}

#endif
#endif
