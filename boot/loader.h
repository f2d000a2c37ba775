/* SPDX-License-Identifier: MIT */
/*
 * Loading the first guest from GRUB's modules: module 1 is the kernel (its
 * string is the guest's command line), module 2 the initrd.
 */
#ifndef VELLUM_BOOT_LOADER_H
#define VELLUM_BOOT_LOADER_H

#include "boot/bootinfo.h"
#include "domain/bzimage.h"
#include "domain/elf64.h"
#include "domain/image.h"
#include "domain/options.h"
#include "domain/placement.h"
#include "lib/failure.h"

/** The kernel, where everything goes, and what that will have cost. */
struct loader_plan {
	enum image_kind kind;
	union {
		struct bzimage bzimage;
		struct elf64 elf;
	};
	struct placement placement;
	u64 entry;       /* physical */
	u64 root;        /* start tables, after loader_load() */
	u64 boot_params; /* physical, after loader_load() */
	u64 bytes_copied;
	u64 bytes_checked; /* by CRC */
};

/**
 * Check the modules and plan; nothing is changed. `old_image`: where GRUB put Vellum, not to be
 * overwritten yet. Fails with the reasons of bzimage_parse(), elf64_parse(), placement_plan(), or
 * VL_ENOENT when there is no module.
 */
int loader_plan(const struct boot_info *info, const struct options *options, struct range partition,
		ma_t old_image, struct loader_plan *plan, struct failure *f);

/** Move the modules to where the plan wants them. Vellum still runs from its old image. */
void loader_move(struct loader_plan *plan);

/** Load the kernel and fill the start area. Vellum runs from its partition. */
void loader_load(const struct boot_info *info, const struct options *options,
		 struct loader_plan *plan);

/** Enter the guest, as begin= says. */
void loader_enter(const struct options *options, const struct loader_plan *plan)
	__attribute__((noreturn));

#endif
