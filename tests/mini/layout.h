/* SPDX-License-Identifier: MIT */
/*
 * Where everything lies. Constants only, so that C, assembly and the linker
 * script read the same numbers.
 *
 *   virtual                                    what
 *   0x0000000000000000 .. 0x00007fffffffffff   user programs, one space each
 *   0xffff800000000000 .. 0xffff87ffffffffff   left empty: Vellum's slots (public/hypercall.h)
 *   0xffff888000000000 + pa                    direct map of the guest's RAM
 *   0xffffffff80000000 + pa                    the kernel image, loaded at 16 MiB
 *   0xffffffffc0000000 ..                      device registers
 */
#ifndef MINI_LAYOUT_H
#define MINI_LAYOUT_H

#define KERNEL_BASE 0xffffffff80000000
#define KERNEL_PHYS 0x1000000 /* 16 MiB, as Linux: free on BIOS and on UEFI machines */
#define DIRECT_MAP  0xffff888000000000
#define MMIO_BASE   0xffffffffc0000000

#define BOOT_STACK_SIZE 32768
#define IST_STACK_SIZE  8192

/* Selectors, in Linux's order: sysret wants user data 8 below user code. */
#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_DS   0x2b
#define USER_CS   0x33
#define TSS_SEL   0x40

#endif
