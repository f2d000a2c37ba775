/* SPDX-License-Identifier: MIT */
/*
 * What entry.S found in the CPU at the kernel's first instruction, before it
 * changed anything. Only the tests want it; a kernel that trusts Vellum drops
 * it together with the first half of entry.S.
 */
#ifndef MINI_ENTRY_STATE_H
#define MINI_ENTRY_STATE_H

/* Offsets for assembly; checked against the structure below. */
#define ES_RDI    0
#define ES_RSI    8
#define ES_RSP    16
#define ES_RFLAGS 24
#define ES_CR0    32
#define ES_CR3    40
#define ES_CR4    48
#define ES_EFER   56
#define ES_CS     64
#define ES_DS     66
#define ES_ES     68
#define ES_SS     70
#define ES_GDTR   80
#define ES_IDTR   96
#define ES_SIZE   112

#ifndef __ASSEMBLER__

#include "lib/types.h"
#include "mini/cpu.h"

struct entry_state {
	u64 rdi, rsi, rsp, rflags;
	u64 cr0, cr3, cr4, efer;
	u16 cs, ds, es, ss;
	u64 unused;
	struct table_register gdtr; /* 10 bytes each */
	u8 pad1[6];
	struct table_register idtr;
	u8 pad2[6];
};
_Static_assert(offsetof(struct entry_state, cs) == ES_CS, "entry.S stores cs here");
_Static_assert(offsetof(struct entry_state, gdtr) == ES_GDTR, "entry.S stores gdtr here");
_Static_assert(offsetof(struct entry_state, idtr) == ES_IDTR, "entry.S stores idtr here");
_Static_assert(sizeof(struct entry_state) == ES_SIZE, "entry.S reserves this much");

extern struct entry_state entry_state;

#endif
#endif
