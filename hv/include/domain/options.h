/* SPDX-License-Identifier: MIT */
/*
 * Vellum's own command line (what stands after its name in grub.cfg). The one
 * place that knows the options' names; an unknown one is refused by name
 * rather than ignored, because a mistyped option that silently does nothing
 * is found much later.
 */
#ifndef VELLUM_DOMAIN_OPTIONS_H
#define VELLUM_DOMAIN_OPTIONS_H

#include "mem/memmap.h"
#include "lib/failure.h"
#include "lib/types.h"

#define OPTIONS_PARTITION_DEFAULT (64 * MIB)
#define OPTIONS_PARTITION_MIN     (16 * MIB)
#define OPTIONS_PARTITION_MAX     (1 * GIB)
#define OPTIONS_OWN_TIMER_MIN     ((u64)10000)
#define OPTIONS_OWN_TIMER_MAX     ((u64)1 << 40)
#define OPTIONS_DELAYS_MAX        ((u64)1 << 30)

/** Bits of struct options.console. */
#define CONSOLE_SERIAL 1u
#define CONSOLE_VGA    2u

struct options {
	u64 partition_size;      /* vellum_mem=SIZE[K|M|G|T], bytes; 0: not given */
	enum memory_mode memory; /* mem=contiguous|low|all */
	bool memory_given;       /* without mem=, the number of CPUs decides */
	u32 console;             /* console=serial|vga|both|none, CONSOLE_* bits */
	u16 serial_port;         /* serial=PORT[,BAUD], I/O port of a 16550 */
	u32 serial_baud;
	bool kernel_crc;   /* kernel_crc=on|off: check the bzImage's CRC-32 */
	bool apic_trapped; /* apic=direct|trapped: a virtualized guest's accesses to the local APIC
			    */
	u64 own_timer; /* own_timer=TICKS, debugging: interrupt a virtualized guest so often; 0: not
			  given */
	u32 shadow;    /* shadow=all|none|WORD,-WORD...: VL_SHADOW_* that are on */
	u32 fast;      /* fast=, the same: VL_FAST_* */
	u64 delays;    /* delays=TICKS[,SEED], debug builds: wait up to so many TSC ticks where CPUs
			  race; 0: not given */
	u64 delays_seed;        /* of the waits; 0: another one each time */
	u32 owners;             /* owners=backmap|refcount|search, enum owners_kind */
	u32 remap;              /* remap=auto|indirect|direct, enum remap_mode */
	bool begin_virtualized; /* begin=passthrough|virtualized, debugging: how the guest starts */
	bool debug;             /* debug: log more */
};

/**
 * Parse `cmdline`, words separated by blanks; a first word that starts with '/' is the image's path
 * and is skipped. `out` starts from the defaults and takes every option that is understood, also
 * when another one fails: so a console choice holds for printing the failure. Fails with VL_EINVAL
 * (unknown option, missing or malformed value) or VL_ERANGE (value out of bounds) for the first
 * bad option.
 */
int options_parse(const char *cmdline, struct options *out, struct failure *f);

#endif
