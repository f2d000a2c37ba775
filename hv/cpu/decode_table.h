/* SPDX-License-Identifier: MIT */
/*
 * Opcode maps of the decoder: the facts, apart from the procedure in decode.c
 * that reads them. Private to the two files. The maps are constant; an opcode
 * that is not in them is not emulated.
 */
#ifndef VELLUM_CPU_DECODE_TABLE_H
#define VELLUM_CPU_DECODE_TABLE_H

#include "lib/types.h"

/** How wide the operand is: a rule over 0x66, REX.W and the mode. */
enum size_rule {
	SIZE_NONE,
	SIZE_BYTE,
	SIZE_WORD,
	SIZE_OPERAND,  /* 2 or 4 by mode and 0x66; REX.W: 8 */
	SIZE_PORT,     /* the same, but REX.W is ignored: there are no 8-byte ports */
	SIZE_STACK,    /* 64-bit code: 8, or 2 with 0x66; elsewhere SIZE_OPERAND */
	SIZE_REX,      /* 4; REX.W: 8 */
	SIZE_NATIVE,   /* 64-bit code: 8; elsewhere 4 */
	SIZE_POINTERS, /* 64-bit code: 8; elsewhere SIZE_OPERAND */
};

/** How many bytes the r/m operand has. */
enum rm_rule {
	RM_SAME, /* as the operand size */
	RM_ZERO, /* an address or area, not an operand of fixed size */
	RM_BYTE,
	RM_WORD,
	RM_WORD_IN_MEMORY, /* 2 in memory, the operand size in a register */
	RM_FAR,            /* offset of the operand size and selector */
	RM_TABLE,          /* limit and base of a descriptor table */
	RM_INVPCID,        /* 16-byte descriptor */
};

/** What follows ModRM and displacement. */
enum imm_rule {
	IMM_NONE,
	IMM_BYTE,        /* zero-extended: ports, vectors, bit numbers */
	IMM_BYTE_SIGNED, /* sign-extended to the operand */
	IMM_OPERAND,     /* 2 or 4 bytes, sign-extended */
	IMM_WORD,
	IMM_FAR,    /* offset of the operand size, then a selector */
	IMM_OFFSET, /* address of addr_size bytes instead of ModRM */
};

enum entry_flags {
	ENTRY_LOCK = 1 << 0,       /* LOCK allowed when the destination is memory */
	ENTRY_NO64 = 1 << 1,       /* #UD in 64-bit code */
	ENTRY_ONLY64 = 1 << 2,     /* #UD outside 64-bit code */
	ENTRY_MEMORY = 1 << 3,     /* mod == 3 is something else */
	ENTRY_REGISTER = 1 << 4,   /* mod != 3 is something else */
	ENTRY_ANY_MOD = 1 << 5,    /* mod is ignored, r/m is a register */
	ENTRY_NO_PREFIX = 1 << 6,  /* something else with 0x66, 0xf2 or 0xf3 */
	ENTRY_F3 = 1 << 7,         /* something else without 0xf3 */
	ENTRY_66 = 1 << 8,         /* something else without 0x66, or with 0xf2 or 0xf3 */
	ENTRY_NO66_IN64 = 1 << 9,  /* 0x66 in 64-bit code differs between vendors */
	ENTRY_SOURCE_SI = 1 << 10, /* string operation that reads segment:rSI */
	ENTRY_DEST_DI = 1 << 11,   /* string operation on ES:rDI */
	ENTRY_AT_RAX = 1 << 12,    /* address in rAX */
	ENTRY_NO_REX_B = 1 << 13,  /* something else with REX.B */
	ENTRY_GROUP = 1 << 14,     /* op is an enum entry_group: ModRM.reg chooses the entry */
	ENTRY_NOT_IN64 = 1 << 15,  /* something else in 64-bit code */
};

enum entry_group {
	GROUP_NONE,
	GROUP_1_BYTE, /* 80, 82 */
	GROUP_1,      /* 81 */
	GROUP_1_SIGNED,
	GROUP_3_BYTE, /* f6 */
	GROUP_3,
	GROUP_4,
	GROUP_5,
	GROUP_6,  /* 0f 00 */
	GROUP_7,  /* 0f 01 */
	GROUP_8,  /* 0f ba */
	GROUP_9,  /* 0f c7 */
	GROUP_11, /* c6, c7 */
	GROUP_11_BYTE,
	GROUP_15,   /* 0f ae */
	GROUP_HINT, /* 0f 1e */
	GROUP_COUNT,
};

/* There are 690 of them, so they are packed: 2 KiB of the image. */
struct decode_entry {
	u16 flags;
	u8 op;          /* enum insn_op, or enum entry_group with ENTRY_GROUP */
	u8 form : 4;    /* enum insn_form */
	u8 size : 4;    /* enum size_rule */
	u8 rm_size : 4; /* enum rm_rule */
	u8 imm : 4;     /* enum imm_rule */
} __attribute__((packed));
_Static_assert(sizeof(struct decode_entry) == 5, "packed");

/** Entry for an opcode of one byte, of two bytes behind 0x0f, and 0f 38 82; op 0: none. */
extern const struct decode_entry decode_one_byte[256];
extern const struct decode_entry decode_two_byte[256];
extern const struct decode_entry decode_invpcid;

/** Entries of the groups by ModRM.reg; group 7 with mod == 3 by the low six bits of ModRM. */
extern const struct decode_entry decode_groups[GROUP_COUNT][8];
extern const struct decode_entry decode_group_7_register[64];

#endif
