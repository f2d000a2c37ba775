/* SPDX-License-Identifier: MIT */
/*
 * The start area: the few pages in the guest's own RAM that hold everything
 * that it is given at its start (public/start.h). The guest reserves them; for
 * Linux all but the page tables at the end is the payload of one setup_data
 * node, which Linux reserves by itself.
 */
#ifndef VELLUM_DOMAIN_START_AREA_H
#define VELLUM_DOMAIN_START_AREA_H

#include "boot/bootinfo.h"
#include "domain/bootparams.h"
#include "mem/memmap.h"
#include "lib/types.h"
#include "lib/x86.h"
#include "public/start.h"

#define START_GUEST_CS 0x10 /* Linux's __BOOT_CS and __BOOT_DS */
#define START_GUEST_DS 0x18

/** First page of the area. Each member is at the same offset from the area's start in physical
 * memory, which the guest's identity map makes its virtual address too. */
struct start_head {
	struct linux_setup_data node;
	struct vl_start_info info;
	u64 gdt[4];
	struct table_register gdt_register;
	struct table_register idt_register; /* limit 0: no IDT yet */
	u8 pad[4];
	u8 rsdp[BOOT_RSDP_SIZE];
	u64 stack[8];       /* for the trampoline's far return */
	u8 trampoline[160]; /* copy of guest_trampoline, enter.S */
	char cmdline[BOOT_MODULE_CMDLINE_SIZE];
};
_Static_assert(sizeof(struct start_head) <= PAGE_SIZE, "start_head is one page");
_Static_assert(offsetof(struct start_head, info) == sizeof(struct linux_setup_data),
	       "the start information is the node's payload");
_Static_assert(offsetof(struct start_head, stack) % 8 == 0, "stack alignment");

/** What the area is made from. Addresses are the guest's physical ones. */
struct start_request {
	struct range area;           /* by start_area_size() */
	const struct memmap *memory; /* the guest's map */
	u32 domid;
	u32 flags;           /* VL_START_* */
	u32 max_level;       /* of pages in the start tables, cpu_page_levels() */
	const char *cmdline; /* shorter than BOOT_MODULE_CMDLINE_SIZE */
	struct range initrd; /* empty: none */
	const u8 *rsdp;
	u32 rsdp_size; /* 0: none */
};

/** The pages in it, for those who fill the rest. */
struct start_area {
	struct start_head *head;
	void *hypercall_page;
	struct linux_boot_params *boot_params;
	u64 boot_params_pa;
	ma_t root; /* of the page tables that the guest starts on */
};

/** Bytes that the area takes for a guest with this map: a multiple of the page size. */
u64 start_area_size(const struct memmap *memory, u32 max_level);

/**
 * Fill the area, but for boot_params and the hypercall page, whose places are returned. The area
 * is in the guest's RAM and reachable by direct().
 */
struct start_area start_area_fill(const struct start_request *req);

/**
 * Enter the guest: switch to its start tables, take Vellum out of them, load its GDT and jump to
 * `entry`, in the state that public/start.h promises. Interrupts are off. hv/domain/enter.S.
 */
void start_area_enter(u64 root, u64 area, u64 entry, u64 boot_params) __attribute__((noreturn));

#endif
