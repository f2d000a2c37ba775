/* SPDX-License-Identifier: MIT */
/*
 * Which of Vellum's optimisations are on: all, unless its options shadow= and
 * fast= say otherwise. Each can be off alone, to find out what it is worth and
 * whether it is to blame; off, something slower that does the same takes its place.
 */
#ifndef VELLUM_DOMAIN_SWITCHES_H
#define VELLUM_DOMAIN_SWITCHES_H

#include "lib/types.h"
#include "public/hypercall.h"

struct switches {
	u32 shadow; /* VL_SHADOW_* */
	u32 fast;   /* VL_FAST_* */
	u32 owners; /* enum owners_kind: how remapping finds who uses a frame */
	u32 remap;  /* enum remap_mode: how it moves pages whose place somebody has */
};

/** Written by boot_main() only, before the guest is entered. */
extern struct switches switches;

#endif
