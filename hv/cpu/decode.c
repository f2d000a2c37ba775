// SPDX-License-Identifier: MIT
/*
 * The instruction decoder (see cpu/decode.h): prefixes, opcode, ModRM,
 * immediate, in the order of the bytes, driven by the maps of decode_table.c.
 *
 * Two rules keep the answer monotonic in the number of bytes: every byte is
 * taken through fetch(), and nothing is decided on bytes that were not fetched.
 * What only the whole instruction can tell (LOCK, register numbers) is checked
 * last, in allowed().
 */
#include "cpu/decode.h"

#include "decode_table.h"
#include "lib/string.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

#define NO_SEGMENT 0xff

struct decoder {
	const u8 *bytes;
	size_t n;
	u8 pos;
	u8 rex; /* 0 without a REX prefix that counts */
	u8 rep; /* last of 0xf2 and 0xf3 */
	u8 segment_override;
	bool operand_prefix;
	bool address_prefix;
	bool lock;
	u8 opcode; /* last byte of it */
	u8 modrm;
	bool has_modrm;
	struct insn *insn;
};

/* Take `size` bytes, little endian. */
static int fetch(struct decoder *d, u8 size, u64 *value)
{
	if (d->pos + size > INSN_MAX_LENGTH)
		return DECODE_TOO_LONG;
	if (d->pos + size > d->n)
		return DECODE_MORE;
	*value = 0;
	for (u8 i = 0; i < size; i++)
		*value |= (u64)d->bytes[d->pos + i] << (8 * i);
	d->pos = (u8)(d->pos + size);
	return 0;
}

static int fetch_byte(struct decoder *d, u8 *value)
{
	u64 byte;
	int err = fetch(d, 1, &byte);

	if (!err)
		*value = (u8)byte;
	return err;
}

static int fetch_signed(struct decoder *d, u8 size, s64 *value)
{
	u64 raw;
	int err = fetch(d, size, &raw);

	if (!err)
		*value = insn_sign_extend(raw, size);
	return err;
}

static bool is_64(const struct decoder *d)
{
	return d->insn->mode == DECODE_64;
}

/* In 64-bit code the four old segment prefixes are no overrides, and do not undo FS or GS. */
static void override_segment(struct decoder *d, u8 segment)
{
	if (!is_64(d) || segment >= SEG_FS)
		d->segment_override = segment;
}

static bool legacy_prefix(struct decoder *d, u8 byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		override_segment(d, (byte >> 3) & 3);
		return true;
	case 0x64:
	case 0x65:
		override_segment(d, byte & 7);
		return true;
	case 0x66:
		d->operand_prefix = true;
		return true;
	case 0x67:
		d->address_prefix = true;
		return true;
	case 0xf0:
		d->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		d->rep = byte;
		return true;
	default:
		return false;
	}
}

/* All prefixes, then the first opcode byte. A REX that anything follows but the opcode is void. */
static int prefixes(struct decoder *d)
{
	for (;;) {
		int err = fetch_byte(d, &d->opcode);

		if (err)
			return err;
		if (is_64(d) && (d->opcode & 0xf0) == 0x40)
			d->rex = d->opcode;
		else if (legacy_prefix(d, d->opcode))
			d->rex = 0;
		else
			return 0;
	}
}

static u8 address_size(const struct decoder *d)
{
	switch (d->insn->mode) {
	case DECODE_64:
		return d->address_prefix ? 4 : 8;
	case DECODE_32:
		return d->address_prefix ? 2 : 4;
	default:
		return d->address_prefix ? 4 : 2;
	}
}

static int opcode_entry(struct decoder *d, const struct decode_entry **entry)
{
	int err;

	*entry = &decode_one_byte[d->opcode];
	if (d->opcode != 0x0f)
		return 0;
	err = fetch_byte(d, &d->opcode);
	if (err)
		return err;
	*entry = &decode_two_byte[d->opcode];
	if (d->opcode != 0x38)
		return 0;
	err = fetch_byte(d, &d->opcode);
	if (err)
		return err;
	*entry = &decode_invpcid;
	return d->opcode == 0x82 ? 0 : DECODE_UNKNOWN;
}

static int fetch_modrm(struct decoder *d)
{
	if (d->has_modrm)
		return 0;
	d->has_modrm = true;
	return fetch_byte(d, &d->modrm);
}

static bool register_form(const struct decoder *d)
{
	return d->modrm >> 6 == 3;
}

/* Whether the prefixes, the mode and ModRM.mod select this entry and not another instruction. */
static int selected(const struct decoder *d, const struct decode_entry *entry)
{
	u16 flags = entry->flags;

	if (entry->op == INSN_NONE)
		return DECODE_UNKNOWN;
	if (flags & ENTRY_MEMORY && register_form(d))
		return DECODE_UNKNOWN;
	if (flags & ENTRY_REGISTER && !register_form(d))
		return DECODE_UNKNOWN;
	if (flags & ENTRY_NO_PREFIX && (d->rep || d->operand_prefix))
		return DECODE_UNKNOWN;
	if (flags & ENTRY_F3 && d->rep != 0xf3)
		return DECODE_UNKNOWN;
	if (flags & ENTRY_66 && (d->rep || !d->operand_prefix))
		return DECODE_UNKNOWN;
	if (flags & ENTRY_NOT_IN64 && is_64(d))
		return DECODE_UNKNOWN;
	if (flags & ENTRY_NO66_IN64 && is_64(d) && d->operand_prefix)
		return DECODE_UNKNOWN;
	if (flags & ENTRY_NO_REX_B && d->rex & REX_B)
		return DECODE_UNKNOWN;
	if (flags & (is_64(d) ? ENTRY_NO64 : ENTRY_ONLY64))
		return DECODE_INVALID;
	return 0;
}

static int group_entry(struct decoder *d, const struct decode_entry **entry)
{
	u8 group = (*entry)->op;
	int err = selected(d, *entry);

	if (!err)
		err = fetch_modrm(d);
	if (err)
		return err;
	if (group == GROUP_7 && register_form(d))
		*entry = &decode_group_7_register[d->modrm & 63];
	else
		*entry = &decode_groups[group][d->modrm >> 3 & 7];
	return 0;
}

static u8 operand_size(const struct decoder *d)
{
	if (d->rex & REX_W)
		return 8;
	return (d->insn->mode == DECODE_16) != d->operand_prefix ? 2 : 4;
}

static u8 size_by_rule(const struct decoder *d, u8 rule)
{
	u8 size = operand_size(d);

	switch (rule) {
	case SIZE_NONE:
		return 0;
	case SIZE_BYTE:
		return 1;
	case SIZE_WORD:
		return 2;
	case SIZE_PORT:
		return size == 8 ? 4 : size;
	case SIZE_STACK:
		return is_64(d) && size == 4 ? 8 : size;
	case SIZE_REX:
		return d->rex & REX_W ? 8 : 4;
	case SIZE_NATIVE:
		return is_64(d) ? 8 : 4;
	case SIZE_POINTERS:
		return is_64(d) ? 8 : size;
	default:
		return size;
	}
}

static u8 rm_size_by_rule(const struct insn *insn, u8 rule)
{
	switch (rule) {
	case RM_ZERO:
		return 0;
	case RM_BYTE:
		return 1;
	case RM_WORD:
		return 2;
	case RM_WORD_IN_MEMORY:
		return insn->memory ? 2 : insn->size;
	case RM_FAR:
		return (u8)(insn->size + 2);
	case RM_TABLE:
		return insn->mode == DECODE_64 ? 10 : 6;
	case RM_INVPCID:
		return 16;
	default:
		return insn->size;
	}
}

/* Without any REX the byte registers 4 to 7 are AH to BH. */
static u8 byte_register(const struct decoder *d, u8 reg, u8 size)
{
	return size == 1 && !d->rex && reg >= 4 && reg < 8 ? (u8)(reg - 4 + REG_AH) : reg;
}

static int displacement(struct decoder *d, u8 size)
{
	return size ? fetch_signed(d, size, &d->insn->disp) : 0;
}

static int memory_16(struct decoder *d)
{
	static const u8 base[8] = {REG_RBX, REG_RBX, REG_RBP, REG_RBP,
				   REG_RSI, REG_RDI, REG_RBP, REG_RBX};
	static const u8 index[8] = {REG_RSI,  REG_RDI,  REG_RSI,  REG_RDI,
				    REG_NONE, REG_NONE, REG_NONE, REG_NONE};
	u8 mod = d->modrm >> 6, rm = d->modrm & 7;

	d->insn->index = index[rm];
	if (mod == 0 && rm == 6)
		return displacement(d, 2);
	d->insn->base = base[rm];
	return displacement(d, mod);
}

static int sib(struct decoder *d, u8 *base)
{
	u8 byte, index;
	int err = fetch_byte(d, &byte);

	if (err)
		return err;
	index = (u8)((byte >> 3 & 7) | (d->rex & REX_X ? 8 : 0));
	if (index != REG_RSP) {
		d->insn->index = index;
		d->insn->scale = (u8)(1 << (byte >> 6));
	}
	*base = byte & 7;
	return 0;
}

/* mod 0 with base 5 is a displacement alone, and relative to RIP in 64-bit code without a SIB. */
static int memory_32(struct decoder *d)
{
	u8 mod = d->modrm >> 6, base = d->modrm & 7;
	bool has_sib = base == 4;
	int err = has_sib ? sib(d, &base) : 0;

	if (err)
		return err;
	if (mod == 0 && base == 5) {
		d->insn->rip = is_64(d) && !has_sib;
		return displacement(d, 4);
	}
	d->insn->base = (u8)(base | (d->rex & REX_B ? 8 : 0));
	return displacement(d, mod == 2 ? 4 : mod);
}

static void set_segment(struct decoder *d)
{
	struct insn *insn = d->insn;
	bool stack = insn->base == REG_RSP || insn->base == REG_RBP;

	insn->segment = stack ? SEG_SS : SEG_DS;
	if (d->segment_override != NO_SEGMENT)
		insn->segment = d->segment_override;
}

static int rm_operand(struct decoder *d, const struct decode_entry *entry)
{
	struct insn *insn = d->insn;
	int err;

	if (entry->flags & ENTRY_ANY_MOD || register_form(d)) {
		insn->rm = (u8)((d->modrm & 7) | (d->rex & REX_B ? 8 : 0));
		insn->rm_size = rm_size_by_rule(insn, entry->rm_size);
		insn->rm = byte_register(d, insn->rm, insn->rm_size);
		return 0;
	}
	insn->memory = true;
	insn->rm_size = rm_size_by_rule(insn, entry->rm_size);
	err = insn->addr_size == 2 ? memory_16(d) : memory_32(d);
	if (!err)
		set_segment(d);
	return err;
}

/* MOV between the accumulator and an address in the instruction. */
static int offset_operand(struct decoder *d)
{
	struct insn *insn = d->insn;
	u64 offset;
	int err = fetch(d, insn->addr_size, &offset);

	if (err)
		return err;
	insn->memory = true;
	insn->rm_size = insn->size;
	insn->disp = (s64)offset;
	set_segment(d);
	return 0;
}

static void implied_memory(struct decoder *d, u16 flags)
{
	struct insn *insn = d->insn;

	insn->memory = true;
	insn->rm_size = insn->size;
	if (flags & ENTRY_AT_RAX)
		insn->base = REG_RAX;
	else
		insn->base = flags & ENTRY_SOURCE_SI ? REG_RSI : REG_RDI;
	set_segment(d);
	if (flags & ENTRY_DEST_DI)
		insn->segment = SEG_ES;
	if (!(flags & ENTRY_AT_RAX))
		insn->rep = d->rep;
}

static bool has_modrm_operand(u8 form)
{
	return form == INSN_FORM_RM || form == INSN_FORM_RM_REG || form == INSN_FORM_REG_RM ||
	       form == INSN_FORM_RM_IMM;
}

static int modrm_operands(struct decoder *d, const struct decode_entry *entry)
{
	struct insn *insn = d->insn;
	u8 reg;
	int err = fetch_modrm(d);

	if (!err)
		err = selected(d, entry);
	if (err)
		return err;
	if (insn->form == INSN_FORM_RM_REG || insn->form == INSN_FORM_REG_RM) {
		reg = (u8)((d->modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0));
		insn->reg = byte_register(d, reg, insn->size);
	}
	return rm_operand(d, entry);
}

static int operands(struct decoder *d, const struct decode_entry *entry)
{
	struct insn *insn = d->insn;
	u16 implied = entry->flags & (ENTRY_SOURCE_SI | ENTRY_DEST_DI | ENTRY_AT_RAX);

	if (implied)
		implied_memory(d, implied);
	if (insn->form == INSN_FORM_SREG)
		insn->reg = d->opcode >> 3 & 7;
	if (insn->form == INSN_FORM_REG)
		insn->reg = (u8)((d->opcode & 7) | (d->rex & REX_B ? 8 : 0));
	if (entry->imm == IMM_OFFSET)
		return offset_operand(d);
	return has_modrm_operand(insn->form) ? modrm_operands(d, entry) : 0;
}

static int far_pointer(struct decoder *d)
{
	u64 selector;
	int err = fetch(d, d->insn->size, &d->insn->imm);

	if (!err)
		err = fetch(d, 2, &selector);
	if (!err)
		d->insn->selector = (u16)selector;
	return err;
}

static int immediate(struct decoder *d, u8 rule)
{
	struct insn *insn = d->insn;
	s64 value = 0;
	int err;

	switch (rule) {
	case IMM_BYTE:
		return fetch(d, 1, &insn->imm);
	case IMM_WORD:
		return fetch(d, 2, &insn->imm);
	case IMM_FAR:
		return far_pointer(d);
	case IMM_BYTE_SIGNED:
		err = fetch_signed(d, 1, &value);
		break;
	case IMM_OPERAND:
		err = fetch_signed(d, insn->size == 2 ? 2 : 4, &value);
		break;
	default:
		return 0;
	}
	insn->imm = (u64)value;
	return err;
}

/* Segment registers have no REX.R; CS is loaded by a jump only. */
static bool segment_register(struct insn *insn)
{
	insn->reg &= 7;
	return insn->reg <= SEG_GS && !(insn->op == INSN_MOV_TO_SREG && insn->reg == SEG_CS);
}

static int allowed(struct decoder *d, u16 flags)
{
	struct insn *insn = d->insn;
	const u16 control_registers = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 8;
	bool good = true;

	if (d->lock && !(flags & ENTRY_LOCK && insn->memory))
		return DECODE_INVALID;
	insn->lock = d->lock;
	if (insn->op == INSN_MOV_FROM_CR || insn->op == INSN_MOV_TO_CR)
		good = control_registers >> insn->reg & 1;
	else if (insn->op == INSN_MOV_FROM_DR || insn->op == INSN_MOV_TO_DR)
		good = insn->reg < 8;
	else if (insn->op == INSN_MOV_FROM_SREG || insn->op == INSN_MOV_TO_SREG)
		good = segment_register(insn);
	return good ? 0 : DECODE_INVALID;
}

static int decode_with(struct decoder *d)
{
	const struct decode_entry *entry;
	struct insn *insn = d->insn;
	int err = prefixes(d);

	if (!err)
		err = opcode_entry(d, &entry);
	if (!err && entry->flags & ENTRY_GROUP)
		err = group_entry(d, &entry);
	if (!err && !(entry->op && has_modrm_operand(entry->form)))
		err = selected(d, entry); /* else only ModRM, not fetched yet, can tell */
	if (err)
		return err;
	insn->op = entry->op;
	insn->form = entry->form;
	insn->size = size_by_rule(d, entry->size);
	insn->addr_size = address_size(d);
	err = operands(d, entry);
	if (!err)
		err = immediate(d, entry->imm);
	if (!err)
		err = allowed(d, entry->flags);
	insn->length = d->pos;
	return err;
}

int decode(const u8 *bytes, size_t n, enum decode_mode mode, struct insn *out)
{
	struct decoder d = {.bytes = bytes, .n = n, .segment_override = NO_SEGMENT, .insn = out};
	int err;

	memset(out, 0, sizeof(*out));
	out->mode = (u8)mode;
	out->base = REG_NONE;
	out->index = REG_NONE;
	out->scale = 1;
	err = decode_with(&d);
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
