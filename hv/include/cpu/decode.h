/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder. A guest kernel that believes it is in ring 0 runs in
 * ring 3; its sensitive instructions fault, and so do its accesses to emulated
 * devices. The emulator must know what the instruction was: that, and nothing
 * about what it does, is decided here.
 *
 * Invariants of this interface:
 *  - pure: no state, no access outside bytes[0..n), the same answer every time;
 *  - monotonic: given more and more of the same bytes, the answer is
 *    DECODE_MORE for a while and then never changes again;
 *  - exact about prefixes: whatever this accepts, a processor decodes to the
 *    same instruction of the same length. What it does not know it does not
 *    guess: the emulator then reflects the fault that the hardware raised.
 */
#ifndef VELLUM_CPU_DECODE_H
#define VELLUM_CPU_DECODE_H

#include "lib/types.h"
#include "public/errno.h"

#define INSN_MAX_LENGTH 15 /* bytes; a longer instruction is #GP(0) */

/** Size of the code segment in which the bytes stand (CS.L, CS.D). */
enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

/** Answers of decode(); 0 is success. */
enum {
	DECODE_MORE = -VL_EAGAIN,        /* the instruction goes on behind the n bytes */
	DECODE_UNKNOWN = -VL_EOPNOTSUPP, /* not an instruction that Vellum emulates */
	DECODE_INVALID = -VL_EINVAL,     /* #UD on every processor, at every privilege */
	DECODE_TOO_LONG = -VL_ERANGE,    /* more than 15 bytes: #GP(0) */
};

/*
 * X(OP): every operation. One word is one thing to emulate: operand sizes,
 * repetition and operand kinds are fields of struct insn and not further words.
 */
/* clang-format off */
#define INSN_OPS(X)                                                                                \
	/* flags, halting, mode of the CPU */                                                      \
	X(CLI) X(STI) X(HLT) X(PUSHF) X(POPF) X(STAC) X(CLAC) X(CLD) X(STD)                        \
	/* control transfer between rings */                                                       \
	X(SWAPGS) X(IRET) X(SYSCALL) X(SYSRET) X(SYSENTER) X(SYSEXIT)                              \
	X(INT) X(INT3) X(INTO) X(ICEBP) X(UD2)                                                     \
	X(CALL_FAR) X(JMP_FAR) X(RET_FAR)                                                          \
	/* control and debug registers, MSRs, counters */                                          \
	X(MOV_FROM_CR) X(MOV_TO_CR) X(MOV_FROM_DR) X(MOV_TO_DR) X(CLTS) X(LMSW) X(SMSW)            \
	X(RDMSR) X(WRMSR) X(RDPMC) X(RDTSC) X(RDTSCP) X(CPUID) X(XGETBV) X(XSETBV)                 \
	X(XSAVES) X(XRSTORS) X(MONITOR) X(MWAIT)                                                   \
	X(RDFSBASE) X(RDGSBASE) X(WRFSBASE) X(WRGSBASE)                                            \
	/* caches and translations */                                                              \
	X(INVD) X(WBINVD) X(INVLPG) X(INVPCID)                                                     \
	/* descriptor tables and segments */                                                       \
	X(LGDT) X(SGDT) X(LIDT) X(SIDT) X(LLDT) X(SLDT) X(LTR) X(STR)                              \
	X(LAR) X(LSL) X(VERR) X(VERW)                                                              \
	X(MOV_TO_SREG) X(MOV_FROM_SREG) X(PUSH_SREG) X(POP_SREG)                                   \
	X(LES) X(LDS) X(LSS) X(LFS) X(LGS)                                                         \
	/* ports */                                                                                \
	X(IN) X(OUT) X(INS) X(OUTS)                                                                \
	/* moves and arithmetic that guests apply to device registers */                           \
	X(MOV) X(MOVZX) X(MOVSX) X(MOVS) X(STOS) X(LODS) X(XCHG)                                   \
	X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP) X(TEST)                             \
	X(INC) X(DEC) X(NOT) X(NEG) X(BT) X(BTS) X(BTR) X(BTC)                                     \
	/* what may stand between swapgs and the return to user mode */                            \
	X(NOP) X(FENCE) X(JMP) X(JNZ) X(POP)
/* clang-format on */

#define INSN_OP_(op) INSN_##op,
enum insn_op { INSN_NONE, INSN_OPS(INSN_OP_) INSN_OP_COUNT };
#undef INSN_OP_

/** Which of the fields below are the operands; the destination is named first. */
enum insn_form {
	INSN_FORM_NONE,   /* none, or fixed registers */
	INSN_FORM_RM,     /* r/m */
	INSN_FORM_RM_REG, /* r/m, reg */
	INSN_FORM_REG_RM, /* reg, r/m */
	INSN_FORM_RM_IMM, /* r/m, imm */
	INSN_FORM_IMM,    /* imm: INT's vector, RET_FAR's bytes to drop, the port of IN and OUT */
	INSN_FORM_DX,     /* IN, OUT through DX */
	INSN_FORM_PTR,    /* selector:imm, the far pointer in CALL_FAR and JMP_FAR */
	INSN_FORM_SREG,   /* segment register reg: PUSH_SREG, POP_SREG */
	INSN_FORM_REL,    /* next rip + imm, sign-extended */
	INSN_FORM_REG,    /* reg */
};

/** Numbers of general registers as hardware encodes them, and the four old byte registers. */
enum {
	REG_RAX,
	REG_RCX,
	REG_RDX,
	REG_RBX,
	REG_RSP,
	REG_RBP,
	REG_RSI,
	REG_RDI,
	REG_R8,
	REG_R15 = 15,
	REG_AH, /* bits 8 to 15 of RAX; then CH, DH, BH */
	REG_CH,
	REG_DH,
	REG_BH,
	REG_NONE = 0xff,
};

/** Segment registers as hardware encodes them. */
enum insn_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

/**
 * One decoded instruction. Fields that do not belong to `form` are 0; `base` and `index` are
 * REG_NONE when unused.
 */
struct insn {
	u8 op;        /* enum insn_op */
	u8 form;      /* enum insn_form */
	u8 length;    /* bytes, 1 to 15 */
	u8 mode;      /* enum decode_mode */
	u8 size;      /* operand size in bytes: 1, 2, 4, 8; 0 where the operation has none */
	u8 rm_size;   /* bytes of the r/m operand, where a device can say "2 of 4"; 0: see below */
	u8 addr_size; /* bytes of an effective address, of rSI, rDI, and of a repeat count: 2, 4, 8
		       */
	u8 segment;   /* enum insn_segment of the memory operand, overrides applied */
	u8 rep;       /* 0, or the last of 0xf3 and 0xf2 on a string operation */
	bool lock;    /* LOCK prefix, only on operations that allow it */
	bool memory;  /* the r/m operand is memory; otherwise register rm */
	bool rip;     /* the address is relative to the next instruction */
	u8 reg;       /* ModRM.reg with REX.R: general, segment, control or debug register */
	u8 rm;        /* ModRM.rm with REX.B when !memory */
	u8 base;      /* general register or REG_NONE */
	u8 index;     /* general register or REG_NONE */
	u8 scale;     /* 1, 2, 4, 8 */
	u16 selector; /* of INSN_FORM_PTR */
	s64 disp;     /* displacement, sign-extended */
	u64 imm;      /* the low `size` bytes are the operand; ports and vectors zero-extended */
};
/*
 * Notes on operations whose memory operand is not in ModRM, or is not `rm_size` simple bytes:
 *  MOVS, OUTS, LODS  segment:rSI is the memory operand; the destination of MOVS is ES:rDI
 *                    (insn_string_destination())
 *  STOS, INS         ES:rDI is the memory operand
 *  MONITOR           segment:rAX is the memory operand
 *  BT, BTS, BTR, BTC with form RM_REG: insn_address() has the bit offset's whole words added
 *  LGDT, LIDT, SGDT, SIDT  rm_size is 10 in 64-bit code, else 6; size 2 means a 24-bit base
 *  CALL_FAR, JMP_FAR, LES ... LGS  rm_size is size + 2, the selector last
 *  INVLPG, XSAVES, XRSTORS  rm_size is 0: the address, or the area that XCR0 and XSS define
 *  SYSRET, SYSEXIT   size is 8 with REX.W, else 4
 */

/**
 * Decode the instruction that starts at bytes[0]; `n` bytes are readable. Returns 0 and fills
 * *out, or one of the DECODE_ answers and fills *out with zeros.
 * A decoded MOV to or from a control register names one that exists (0, 2, 3, 4, 8), debug
 * register 0 to 7, a segment register that can be the operand.
 * LOCK MOV CR0 is DECODE_INVALID: Vellum does not offer AMD's second name of CR8.
 */
int decode(const u8 *bytes, size_t n, enum decode_mode mode, struct insn *out);

/**
 * Linear address of the memory operand: `regs` by hardware number, `next_rip` the address behind
 * the instruction, `segment_base` that of insn->segment. The effective address is truncated to
 * addr_size; outside 64-bit code the sum is truncated to 32 bits. Call only if insn->memory.
 * Limits and canonical form are the caller's to check.
 */
u64 insn_address(const struct insn *insn, const u64 regs[16], u64 next_rip, u64 segment_base);

/** The same for ES:rDI, the destination of MOVS. */
u64 insn_string_destination(const struct insn *insn, const u64 regs[16], u64 es_base);

/** Value of general register `reg` (REG_RAX ... REG_BH), `size` bytes wide, zero-extended. */
u64 insn_read_reg(const u64 regs[16], u8 reg, u8 size);

/** Write it: 4 bytes clear the upper half, 1 and 2 bytes leave the rest, as the processor does. */
void insn_write_reg(u64 regs[16], u8 reg, u8 size, u64 value);

/** The `size` low bytes of `value` as a signed number; size 1 to 8. */
static inline s64 insn_sign_extend(u64 value, u8 size)
{
	u8 shift = (u8)(64 - 8 * size);

	return (s64)(value << shift) >> shift;
}

/** What the way from a swapgs to user mode ends with, and what lies on it. */
struct return_site {
	s64 offset;     /* from the first byte of the first window to where the walk stands */
	s64 ldt_offset; /* where the walk would go if the frame's SS were in an LDT, see tests_ss */
	struct insn end; /* the IRET or SYSRET; op is INSN_NONE until found */
	u8 steps;        /* instructions walked over */
	bool tests_ss;  /* passes `testb $4, 0x20(%rsp); jnz`: espfix, taken if SS has its TI bit */
	bool effects;   /* passes moves, pops or arithmetic: to be done before the return */
	bool test_open; /* the walk stands between that test and its jump */
};

/**
 * Look from the end of a 64-bit SWAPGS for the IRET or SYSRET that returns to user mode. Steps
 * over what an exit path has there: nops, fences, endbr, VERW, jumps, espfix's test of SS, and
 * (setting `effects`) pops and simple moves. A walk with effects also finds returns to the guest
 * kernel (paranoid exits, NMI), and its frame is where RSP will point only after them.
 * The first call passes a zeroed *site and the bytes behind the swapgs. Returns
 *  0               found: site->offset is where site->end stands;
 *  DECODE_MORE     the walk left the window (a jump) or needs more of it: call again with the
 *                  same *site and the bytes at site->offset;
 *  DECODE_UNKNOWN  this swapgs does not lead to a return, and the rest of *site means nothing.
 * Ends after a fixed number of steps, calls included, whatever the code is.
 */
int decode_return_site(const u8 *code, size_t n, struct return_site *site);

/** MOV between a 32-bit register and memory, in 64-bit mode. */
struct plain_move {
	u32 length;
	u32 reg;
	bool store;
};

/** Bytes that decode_plain_move() may look at. */
#define PLAIN_MOVE_CODE 16

/**
 * The instruction, if it is such a move, with no prefix but REX: most accesses to device registers.
 * The code may change meanwhile. False: it is something else, or for decode().
 */
bool decode_plain_move(const u8 code[PLAIN_MOVE_CODE], struct plain_move *move);

#endif
