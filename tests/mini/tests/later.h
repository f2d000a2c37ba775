/* SPDX-License-Identifier: MIT */
/*
 * Other domains that run: guests of a page of code (later_code.S) in a few pages
 * of memory, which do one thing for ever, or end.
 */
#ifndef MINI_TESTS_LATER_H
#define MINI_TESTS_LATER_H

/* What one does. Whatever goes wrong in it crashes it. */
#define LATER_SPINS   0
#define LATER_ENDS    1 /* by VL_CALL_SHUTDOWN, to be powered off */
#define LATER_CRASHES 2 /* by a triple fault */
#define LATER_CALLS   3 /* makes hypercalls without an end */
#define LATER_PARKS   4 /* HLT with interrupts off */
#define LATER_YIELDS  5
#define LATER_FLUSHES 6 /* spins, and loads CR3 in between */
#define LATER_CHECKS  7 /* fills the processor's registers, and looks at them without an end */

#define LATER_TOUCHES 8 /* reads each 2 MiB of its tables' GiB, then spins */
#define LATER_DEVICES 9 /* board_code.inc: uses each device of its platform, then resets it */

/* Bytes behind its first instruction: a counter, the stack's end. */
#define LATER_DATA      0x1800
#define LATER_STACK_END 0x3000

/* Where its tables have the local APIC: va. */
#define LATER_APIC 0x3fe00000

#define LATER_PATTERN 0x5a5a000012340000

#define VL_NR_SHUTDOWN 44
#define VL_NR_YIELD    46

#ifndef __ASSEMBLER__

#include "lib/types.h"
#include "public/hypercall.h"

#define LATER_PAGES 6u /* that each has */

/** Make a domain that does `what`, from frames of guests_frame[], of which each takes LATER_PAGES
 * from `first` on. It is paused, but ready to be let go; or begins, too. Its id. */
u64 later_make(u32 what, u32 first, u32 weight);
u64 later_begin(u32 what, u32 first, u32 weight);

/** The same with several vcpus, which all do that. */
u64 later_begin_many(u32 what, u32 first, u32 weight, u32 vcpus);

/** The two halves of later_make(): a domain that has nothing yet; then its pages, and what it does.
 * `more` is for LATER_DEVICES: a port that was opened for it. */
u64 later_create(u32 first, u32 weight);
void later_ready(u64 domid, u32 what, u64 more, u32 first);

/** Its state, VL_STATE_*. */
u32 later_state(u64 domid);

/** What a domain got of the CPUs so far. */
const struct vl_sched_info *later_info(u64 domid);

/** Spend so many ticks of the TSC, whoever runs. */
void later_spend(u64 ticks);

#endif
#endif
