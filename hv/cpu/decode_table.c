// SPDX-License-Identifier: MIT
/*
 * The opcode maps (see decode_table.h), in opcode order, so that a row can be
 * held against the manual's map. Facts about one opcode belong here and only
 * here: decode.c names no opcode except the escape bytes.
 */
#include "decode_table.h"

#include "cpu/decode.h"

/* clang-format off */
#define ENTRY(o, f, s, ...) {.op = INSN_##o, .form = INSN_FORM_##f, .size = SIZE_##s, __VA_ARGS__}
#define PLAIN(o, ...)       ENTRY(o, NONE, NONE, __VA_ARGS__)
#define GROUP(g, ...)       {.op = GROUP_##g, .flags = ENTRY_GROUP __VA_ARGS__}
#define FLAGS(f)            .flags = (f)
#define LOCK                FLAGS(ENTRY_LOCK)
/* clang-format on */

/* The four ModRM rows of an operation in the arithmetic half of the map. */
#define ARITHMETIC(base, o, flags)                                                                 \
	[(base)] = ENTRY(o, RM_REG, BYTE, flags), [(base) + 1] = ENTRY(o, RM_REG, OPERAND, flags), \
	[(base) + 2] = ENTRY(o, REG_RM, BYTE), [(base) + 3] = ENTRY(o, REG_RM, OPERAND)

const struct decode_entry decode_one_byte[256] = {
	ARITHMETIC(0x00, ADD, LOCK),
	[0x06] = ENTRY(PUSH_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	[0x07] = ENTRY(POP_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	ARITHMETIC(0x08, OR, LOCK),
	[0x0e] = ENTRY(PUSH_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	ARITHMETIC(0x10, ADC, LOCK),
	[0x16] = ENTRY(PUSH_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	[0x17] = ENTRY(POP_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	ARITHMETIC(0x18, SBB, LOCK),
	[0x1e] = ENTRY(PUSH_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	[0x1f] = ENTRY(POP_SREG, SREG, STACK, FLAGS(ENTRY_NO64)),
	ARITHMETIC(0x20, AND, LOCK),
	ARITHMETIC(0x28, SUB, LOCK),
	ARITHMETIC(0x30, XOR, LOCK),
	ARITHMETIC(0x38, CMP, FLAGS(0)),
	[0x58 ... 0x5f] = ENTRY(POP, REG, STACK),
	[0x6c] = ENTRY(INS, DX, BYTE, FLAGS(ENTRY_DEST_DI)),
	[0x6d] = ENTRY(INS, DX, PORT, FLAGS(ENTRY_DEST_DI)),
	[0x6e] = ENTRY(OUTS, DX, BYTE, FLAGS(ENTRY_SOURCE_SI)),
	[0x6f] = ENTRY(OUTS, DX, PORT, FLAGS(ENTRY_SOURCE_SI)),
	[0x75] = ENTRY(JNZ, REL, STACK, .imm = IMM_BYTE_SIGNED, FLAGS(ENTRY_NO66_IN64)),
	[0x80] = GROUP(1_BYTE),
	[0x81] = GROUP(1),
	[0x82] = GROUP(1_BYTE, | ENTRY_NO64),
	[0x83] = GROUP(1_SIGNED),
	[0x84] = ENTRY(TEST, RM_REG, BYTE),
	[0x85] = ENTRY(TEST, RM_REG, OPERAND),
	[0x86] = ENTRY(XCHG, RM_REG, BYTE, LOCK),
	[0x87] = ENTRY(XCHG, RM_REG, OPERAND, LOCK),
	[0x88] = ENTRY(MOV, RM_REG, BYTE),
	[0x89] = ENTRY(MOV, RM_REG, OPERAND),
	[0x8a] = ENTRY(MOV, REG_RM, BYTE),
	[0x8b] = ENTRY(MOV, REG_RM, OPERAND),
	[0x8c] = ENTRY(MOV_FROM_SREG, RM_REG, OPERAND, .rm_size = RM_WORD_IN_MEMORY),
	[0x8e] = ENTRY(MOV_TO_SREG, REG_RM, WORD),
	[0x90] = PLAIN(NOP, FLAGS(ENTRY_NO_REX_B)),
	[0x9a] = ENTRY(CALL_FAR, PTR, OPERAND, .imm = IMM_FAR, FLAGS(ENTRY_NO64)),
	[0x9c] = ENTRY(PUSHF, NONE, STACK),
	[0x9d] = ENTRY(POPF, NONE, STACK),
	[0xa0] = ENTRY(MOV, REG_RM, BYTE, .imm = IMM_OFFSET),
	[0xa1] = ENTRY(MOV, REG_RM, OPERAND, .imm = IMM_OFFSET),
	[0xa2] = ENTRY(MOV, RM_REG, BYTE, .imm = IMM_OFFSET),
	[0xa3] = ENTRY(MOV, RM_REG, OPERAND, .imm = IMM_OFFSET),
	[0xa4] = ENTRY(MOVS, NONE, BYTE, FLAGS(ENTRY_SOURCE_SI)),
	[0xa5] = ENTRY(MOVS, NONE, OPERAND, FLAGS(ENTRY_SOURCE_SI)),
	[0xaa] = ENTRY(STOS, NONE, BYTE, FLAGS(ENTRY_DEST_DI)),
	[0xab] = ENTRY(STOS, NONE, OPERAND, FLAGS(ENTRY_DEST_DI)),
	[0xac] = ENTRY(LODS, NONE, BYTE, FLAGS(ENTRY_SOURCE_SI)),
	[0xad] = ENTRY(LODS, NONE, OPERAND, FLAGS(ENTRY_SOURCE_SI)),
	[0xc4] = ENTRY(LES, REG_RM, OPERAND, .rm_size = RM_FAR,
		       FLAGS(ENTRY_NOT_IN64 | ENTRY_MEMORY)),
	[0xc5] = ENTRY(LDS, REG_RM, OPERAND, .rm_size = RM_FAR,
		       FLAGS(ENTRY_NOT_IN64 | ENTRY_MEMORY)),
	[0xc6] = GROUP(11_BYTE),
	[0xc7] = GROUP(11),
	[0xca] = ENTRY(RET_FAR, IMM, OPERAND, .imm = IMM_WORD),
	[0xcb] = ENTRY(RET_FAR, NONE, OPERAND),
	[0xcc] = PLAIN(INT3),
	[0xcd] = ENTRY(INT, IMM, NONE, .imm = IMM_BYTE),
	[0xce] = PLAIN(INTO, FLAGS(ENTRY_NO64)),
	[0xcf] = ENTRY(IRET, NONE, OPERAND),
	[0xe4] = ENTRY(IN, IMM, BYTE, .imm = IMM_BYTE),
	[0xe5] = ENTRY(IN, IMM, PORT, .imm = IMM_BYTE),
	[0xe6] = ENTRY(OUT, IMM, BYTE, .imm = IMM_BYTE),
	[0xe7] = ENTRY(OUT, IMM, PORT, .imm = IMM_BYTE),
	[0xe9] = ENTRY(JMP, REL, STACK, .imm = IMM_OPERAND, FLAGS(ENTRY_NO66_IN64)),
	[0xea] = ENTRY(JMP_FAR, PTR, OPERAND, .imm = IMM_FAR, FLAGS(ENTRY_NO64)),
	[0xeb] = ENTRY(JMP, REL, STACK, .imm = IMM_BYTE_SIGNED, FLAGS(ENTRY_NO66_IN64)),
	[0xec] = ENTRY(IN, DX, BYTE),
	[0xed] = ENTRY(IN, DX, PORT),
	[0xee] = ENTRY(OUT, DX, BYTE),
	[0xef] = ENTRY(OUT, DX, PORT),
	[0xf1] = PLAIN(ICEBP),
	[0xf4] = PLAIN(HLT),
	[0xf6] = GROUP(3_BYTE),
	[0xf7] = GROUP(3),
	[0xfa] = PLAIN(CLI),
	[0xfb] = PLAIN(STI),
	[0xfc] = PLAIN(CLD),
	[0xfd] = PLAIN(STD),
	[0xfe] = GROUP(4),
	[0xff] = GROUP(5),
};

const struct decode_entry decode_two_byte[256] = {
	[0x00] = GROUP(6),
	[0x01] = GROUP(7),
	[0x02] = ENTRY(LAR, REG_RM, OPERAND, .rm_size = RM_WORD),
	[0x03] = ENTRY(LSL, REG_RM, OPERAND, .rm_size = RM_WORD),
	[0x05] = PLAIN(SYSCALL),
	[0x06] = PLAIN(CLTS),
	[0x07] = ENTRY(SYSRET, NONE, REX),
	[0x08] = PLAIN(INVD),
	[0x09] = PLAIN(WBINVD), /* with 0xf3 WBNOINVD, a weaker form of the same */
	[0x0b] = PLAIN(UD2),
	[0x1e] = GROUP(HINT),
	[0x1f] = ENTRY(NOP, RM, OPERAND),
	[0x20] = ENTRY(MOV_FROM_CR, RM_REG, NATIVE, FLAGS(ENTRY_ANY_MOD)),
	[0x21] = ENTRY(MOV_FROM_DR, RM_REG, NATIVE, FLAGS(ENTRY_ANY_MOD)),
	[0x22] = ENTRY(MOV_TO_CR, REG_RM, NATIVE, FLAGS(ENTRY_ANY_MOD)),
	[0x23] = ENTRY(MOV_TO_DR, REG_RM, NATIVE, FLAGS(ENTRY_ANY_MOD)),
	[0x30] = PLAIN(WRMSR),
	[0x31] = PLAIN(RDTSC),
	[0x32] = PLAIN(RDMSR),
	[0x33] = PLAIN(RDPMC),
	[0x34] = PLAIN(SYSENTER),
	[0x35] = ENTRY(SYSEXIT, NONE, REX),
	[0x85] = ENTRY(JNZ, REL, STACK, .imm = IMM_OPERAND, FLAGS(ENTRY_NO66_IN64)),
	[0xa0] = ENTRY(PUSH_SREG, SREG, STACK),
	[0xa1] = ENTRY(POP_SREG, SREG, STACK),
	[0xa2] = PLAIN(CPUID),
	[0xa3] = ENTRY(BT, RM_REG, OPERAND),
	[0xa8] = ENTRY(PUSH_SREG, SREG, STACK),
	[0xa9] = ENTRY(POP_SREG, SREG, STACK),
	[0xab] = ENTRY(BTS, RM_REG, OPERAND, LOCK),
	[0xae] = GROUP(15),
	[0xb2] = ENTRY(LSS, REG_RM, OPERAND, .rm_size = RM_FAR, FLAGS(ENTRY_MEMORY)),
	[0xb3] = ENTRY(BTR, RM_REG, OPERAND, LOCK),
	[0xb4] = ENTRY(LFS, REG_RM, OPERAND, .rm_size = RM_FAR, FLAGS(ENTRY_MEMORY)),
	[0xb5] = ENTRY(LGS, REG_RM, OPERAND, .rm_size = RM_FAR, FLAGS(ENTRY_MEMORY)),
	[0xb6] = ENTRY(MOVZX, REG_RM, OPERAND, .rm_size = RM_BYTE),
	[0xb7] = ENTRY(MOVZX, REG_RM, OPERAND, .rm_size = RM_WORD),
	[0xba] = GROUP(8),
	[0xbb] = ENTRY(BTC, RM_REG, OPERAND, LOCK),
	[0xbe] = ENTRY(MOVSX, REG_RM, OPERAND, .rm_size = RM_BYTE),
	[0xbf] = ENTRY(MOVSX, REG_RM, OPERAND, .rm_size = RM_WORD),
	[0xc7] = GROUP(9),
};

const struct decode_entry decode_invpcid =
	ENTRY(INVPCID, REG_RM, NATIVE, .rm_size = RM_INVPCID, FLAGS(ENTRY_MEMORY | ENTRY_66));

#define ARITHMETIC_GROUP(s, i)                                                                     \
	{                                                                                          \
		ENTRY(ADD, RM_IMM, s, .imm = IMM_##i, LOCK),                                       \
			ENTRY(OR, RM_IMM, s, .imm = IMM_##i, LOCK),                                \
			ENTRY(ADC, RM_IMM, s, .imm = IMM_##i, LOCK),                               \
			ENTRY(SBB, RM_IMM, s, .imm = IMM_##i, LOCK),                               \
			ENTRY(AND, RM_IMM, s, .imm = IMM_##i, LOCK),                               \
			ENTRY(SUB, RM_IMM, s, .imm = IMM_##i, LOCK),                               \
			ENTRY(XOR, RM_IMM, s, .imm = IMM_##i, LOCK),                               \
			ENTRY(CMP, RM_IMM, s, .imm = IMM_##i),                                     \
	}

/* TEST stands twice in group 3: the second row is undocumented, and decodes the same. */
#define UNARY_GROUP(s, i)                                                                          \
	{                                                                                          \
		ENTRY(TEST, RM_IMM, s, .imm = IMM_##i), ENTRY(TEST, RM_IMM, s, .imm = IMM_##i),    \
			ENTRY(NOT, RM, s, LOCK), ENTRY(NEG, RM, s, LOCK),                          \
	}

const struct decode_entry decode_groups[GROUP_COUNT][8] = {
	[GROUP_1_BYTE] = ARITHMETIC_GROUP(BYTE, BYTE_SIGNED),
	[GROUP_1] = ARITHMETIC_GROUP(OPERAND, OPERAND),
	[GROUP_1_SIGNED] = ARITHMETIC_GROUP(OPERAND, BYTE_SIGNED),
	[GROUP_3_BYTE] = UNARY_GROUP(BYTE, BYTE_SIGNED),
	[GROUP_3] = UNARY_GROUP(OPERAND, OPERAND),
	[GROUP_4] = {ENTRY(INC, RM, BYTE, LOCK), ENTRY(DEC, RM, BYTE, LOCK)},
	[GROUP_5] =
		{
			[0] = ENTRY(INC, RM, OPERAND, LOCK),
			[1] = ENTRY(DEC, RM, OPERAND, LOCK),
			[3] = ENTRY(CALL_FAR, RM, OPERAND, .rm_size = RM_FAR, FLAGS(ENTRY_MEMORY)),
			[5] = ENTRY(JMP_FAR, RM, OPERAND, .rm_size = RM_FAR, FLAGS(ENTRY_MEMORY)),
		},
	[GROUP_6] =
		{
			ENTRY(SLDT, RM, OPERAND, .rm_size = RM_WORD_IN_MEMORY),
			ENTRY(STR, RM, OPERAND, .rm_size = RM_WORD_IN_MEMORY),
			ENTRY(LLDT, RM, WORD),
			ENTRY(LTR, RM, WORD),
			ENTRY(VERR, RM, WORD),
			ENTRY(VERW, RM, WORD),
		},
	[GROUP_7] =
		{
			[0] = ENTRY(SGDT, RM, POINTERS, .rm_size = RM_TABLE),
			[1] = ENTRY(SIDT, RM, POINTERS, .rm_size = RM_TABLE),
			[2] = ENTRY(LGDT, RM, POINTERS, .rm_size = RM_TABLE),
			[3] = ENTRY(LIDT, RM, POINTERS, .rm_size = RM_TABLE),
			[4] = ENTRY(SMSW, RM, OPERAND, .rm_size = RM_WORD),
			[6] = ENTRY(LMSW, RM, WORD),
			[7] = ENTRY(INVLPG, RM, NONE, .rm_size = RM_ZERO),
		},
	[GROUP_8] =
		{
			[4] = ENTRY(BT, RM_IMM, OPERAND, .imm = IMM_BYTE),
			[5] = ENTRY(BTS, RM_IMM, OPERAND, .imm = IMM_BYTE, LOCK),
			[6] = ENTRY(BTR, RM_IMM, OPERAND, .imm = IMM_BYTE, LOCK),
			[7] = ENTRY(BTC, RM_IMM, OPERAND, .imm = IMM_BYTE, LOCK),
		},
	[GROUP_9] =
		{
			[3] = ENTRY(XRSTORS, RM, REX, .rm_size = RM_ZERO,
				    FLAGS(ENTRY_MEMORY | ENTRY_NO_PREFIX)),
			[5] = ENTRY(XSAVES, RM, REX, .rm_size = RM_ZERO,
				    FLAGS(ENTRY_MEMORY | ENTRY_NO_PREFIX)),
		},
	/* The other rows are undefined, or XABORT and XBEGIN. */
	[GROUP_11] = {ENTRY(MOV, RM_IMM, OPERAND, .imm = IMM_OPERAND)},
	[GROUP_11_BYTE] = {ENTRY(MOV, RM_IMM, BYTE, .imm = IMM_BYTE_SIGNED)},
	[GROUP_15] =
		{
			[0] = ENTRY(RDFSBASE, RM, REX,
				    FLAGS(ENTRY_REGISTER | ENTRY_F3 | ENTRY_ONLY64)),
			[1] = ENTRY(RDGSBASE, RM, REX,
				    FLAGS(ENTRY_REGISTER | ENTRY_F3 | ENTRY_ONLY64)),
			[2] = ENTRY(WRFSBASE, RM, REX,
				    FLAGS(ENTRY_REGISTER | ENTRY_F3 | ENTRY_ONLY64)),
			[3] = ENTRY(WRGSBASE, RM, REX,
				    FLAGS(ENTRY_REGISTER | ENTRY_F3 | ENTRY_ONLY64)),
			[5 ... 7] = PLAIN(FENCE, FLAGS(ENTRY_REGISTER | ENTRY_NO_PREFIX)),
		},
	/* ENDBR; the other hints without 0xf3 are no-ops today and shadow-stack operations with */
	[GROUP_HINT] = {[7] = PLAIN(NOP, FLAGS(ENTRY_REGISTER | ENTRY_F3))},
};

const struct decode_entry decode_group_7_register[64] = {
	[0x08] = PLAIN(MONITOR, FLAGS(ENTRY_AT_RAX | ENTRY_NO_PREFIX)),
	[0x09] = PLAIN(MWAIT, FLAGS(ENTRY_NO_PREFIX)),
	[0x0a] = PLAIN(CLAC, FLAGS(ENTRY_NO_PREFIX)),
	[0x0b] = PLAIN(STAC, FLAGS(ENTRY_NO_PREFIX)),
	[0x10] = PLAIN(XGETBV, FLAGS(ENTRY_NO_PREFIX)),
	[0x11] = PLAIN(XSETBV, FLAGS(ENTRY_NO_PREFIX)),
	[0x20 ... 0x27] = ENTRY(SMSW, RM, OPERAND),
	[0x30 ... 0x37] = ENTRY(LMSW, RM, WORD),
	[0x38] = PLAIN(SWAPGS, FLAGS(ENTRY_ONLY64)),
	[0x39] = PLAIN(RDTSCP),
};
