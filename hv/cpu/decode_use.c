// SPDX-License-Identifier: MIT
/*
 * What callers of the decoder do with a decoded instruction and still needs no
 * CPU: effective addresses, register operands, and the look-ahead from a swapgs
 * to the instruction that returns to user mode (see cpu/decode.h). Pure.
 */
#include "cpu/decode.h"

/* More than any exit path has; a bound against code that jumps in circles. */
#define RETURN_STEPS_MAX 64

#define OPCODE_MOV_STORE 0x89
#define OPCODE_MOV_LOAD  0x8b

static u64 truncate(u64 value, u8 size)
{
	return size >= 8 ? value : value & (((u64)1 << (8 * size)) - 1);
}

/* Bytes from the operand to the word of the bit string that holds the bit in register reg. */
static u64 bit_string_offset(const struct insn *insn, const u64 regs[16])
{
	s64 bit;

	if (insn->op < INSN_BT || insn->op > INSN_BTC || insn->form != INSN_FORM_RM_REG)
		return 0;
	bit = insn_sign_extend(regs[insn->reg], insn->size);
	return (u64)(bit >> 3) & ~(u64)(insn->size - 1);
}

static u64 linear(const struct insn *insn, u64 offset, u64 segment_base)
{
	u64 address = truncate(offset, insn->addr_size) + segment_base;

	return insn->mode == DECODE_64 ? address : truncate(address, 4);
}

u64 insn_address(const struct insn *insn, const u64 regs[16], u64 next_rip, u64 segment_base)
{
	u64 offset = (u64)insn->disp + bit_string_offset(insn, regs);

	if (insn->rip)
		offset += next_rip;
	if (insn->base != REG_NONE)
		offset += regs[insn->base];
	if (insn->index != REG_NONE)
		offset += regs[insn->index] * insn->scale;
	return linear(insn, offset, segment_base);
}

u64 insn_string_destination(const struct insn *insn, const u64 regs[16], u64 es_base)
{
	return linear(insn, regs[REG_RDI], es_base);
}

u64 insn_read_reg(const u64 regs[16], u8 reg, u8 size)
{
	if (reg >= REG_AH)
		return regs[reg - REG_AH] >> 8 & 0xff;
	return truncate(regs[reg], size);
}

void insn_write_reg(u64 regs[16], u8 reg, u8 size, u64 value)
{
	u64 mask = size == 1 ? 0xff : 0xffff;

	if (reg >= REG_AH) {
		mask = 0xff00;
		reg = (u8)(reg - REG_AH);
		value <<= 8;
	}
	if (size >= 4)
		regs[reg] = truncate(value, size);
	else
		regs[reg] = (regs[reg] & ~mask) | (value & mask);
}

/* testb $4, 0x20(%rsp): the TI bit of SS in an iretq frame. */
static bool tests_frame_ss(const struct insn *i)
{
	return i->op == INSN_TEST && i->form == INSN_FORM_RM_IMM && i->size == 1 && i->imm == 4 &&
	       i->memory && i->base == REG_RSP && i->index == REG_NONE && i->disp == 0x20 &&
	       i->segment == SEG_SS && i->addr_size == 8;
}

static bool changes_only_data(const struct insn *i)
{
	switch (i->op) {
	case INSN_POP:
	case INSN_CLD:
	case INSN_STD:
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_MOVSX:
	case INSN_ADD:
	case INSN_SUB:
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
		return true;
	default:
		return false;
	}
}

/* Walk over one instruction that is not the end, or say that this is no exit path. */
static int step_over(struct return_site *site, const struct insn *i)
{
	bool after_test = site->test_open;

	site->test_open = false;
	site->offset += i->length;
	switch (i->op) {
	case INSN_NOP:
	case INSN_FENCE:
		site->test_open = after_test;
		return 0;
	case INSN_VERW:
		return 0;
	case INSN_JMP:
		site->test_open = after_test;
		site->offset += (s64)i->imm;
		return 0;
	case INSN_JNZ:
		if (!after_test)
			return DECODE_UNKNOWN;
		site->ldt_offset = site->offset + (s64)i->imm;
		return 0;
	case INSN_TEST:
		site->tests_ss = site->test_open = tests_frame_ss(i);
		return site->tests_ss ? 0 : DECODE_UNKNOWN;
	default:
		site->effects = true;
		return changes_only_data(i) ? 0 : DECODE_UNKNOWN;
	}
}

static bool returns_to_user(const struct insn *i)
{
	return i->op == INSN_SYSRET || (i->op == INSN_IRET && i->size == 8);
}

int decode_return_site(const u8 *code, size_t n, struct return_site *site)
{
	const s64 window = site->offset;
	struct insn i;
	int err;

	while (site->steps < RETURN_STEPS_MAX) {
		u64 at = (u64)(site->offset - window);

		site->steps++;
		if (at >= n)
			return DECODE_MORE;
		err = decode(code + at, n - at, DECODE_64, &i);
		if (err)
			return err == DECODE_MORE ? DECODE_MORE : DECODE_UNKNOWN;
		if (returns_to_user(&i)) {
			site->end = i;
			return 0;
		}
		err = step_over(site, &i);
		if (err)
			return err;
	}
	return DECODE_UNKNOWN;
}

/* Each byte is read once. */
bool decode_plain_move(const u8 code[PLAIN_MOVE_CODE], struct plain_move *move)
{
	const volatile u8 *at = code;
	u8 rex = 0, op = *at++, modrm, rm, mod;

	if ((op & 0xf0) == 0x40) {
		rex = op;
		op = *at++;
	}
	if ((rex & 8) || (op != OPCODE_MOV_STORE && op != OPCODE_MOV_LOAD))
		return false;
	modrm = *at++;
	mod = modrm >> 6;
	rm = modrm & 7;
	if (mod == 3)
		return false;
	if (rm == 4)
		rm = *at++ & 7; /* SIB: its base has the same special case */
	at += mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0;
	*move = (struct plain_move){.length = (u32)(at - code),
				    .reg = (modrm >> 3 & 7u) | (rex & 4u) << 1,
				    .store = op == OPCODE_MOV_STORE};
	return true;
}
