// SPDX-License-Identifier: MIT
/*
 * See decode_text.h.
 */
#include "decode_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME(op) [INSN_##op] = #op,
static const char *const op_names[INSN_OP_COUNT] = {INSN_OPS(NAME)};

static const char *const registers[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi",
					"rdi", "r8",  "r9",  "r10", "r11", "r12", "r13",
					"r14", "r15", "ah",  "ch",  "dh",  "bh"};
static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};

struct text {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->at, t->left, format, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < t->left) {
		t->at += n;
		t->left -= (size_t)n;
	}
}

const char *op_name(u8 op)
{
	return op < INSN_OP_COUNT && op_names[op] ? op_names[op] : "?";
}

static const char *register_name(u8 reg)
{
	return reg < sizeof(registers) / sizeof(registers[0]) ? registers[reg] : "?";
}

static void put_number(struct text *t, s64 value)
{
	if (value < 0)
		put(t, "-0x%" PRIx64, (u64)0 - (u64)value);
	else
		put(t, "0x%" PRIx64, (u64)value);
}

static void put_memory(struct text *t, const struct insn *i)
{
	const char *separator = "";

	put(t, "[%s:", i->segment < 6 ? segments[i->segment] : "?");
	if (i->rip)
		put(t, "rip"), separator = "+";
	if (i->base != REG_NONE)
		put(t, "%s", register_name(i->base)), separator = "+";
	if (i->index != REG_NONE)
		put(t, "%s%s*%u", separator, register_name(i->index), i->scale), separator = "+";
	if (i->disp || !*separator) {
		put(t, "%s", i->disp < 0 ? "" : separator);
		put_number(t, i->disp);
	}
	put(t, "]");
	if (i->rm_size != i->size)
		put(t, ":%u", i->rm_size);
}

static void put_rm(struct text *t, const struct insn *i)
{
	if (i->memory) {
		put_memory(t, i);
		return;
	}
	put(t, "%s", register_name(i->rm));
	if (i->rm_size != i->size)
		put(t, ":%u", i->rm_size);
}

static void put_reg(struct text *t, const struct insn *i)
{
	if (i->op == INSN_MOV_FROM_CR || i->op == INSN_MOV_TO_CR)
		put(t, "cr%u", i->reg);
	else if (i->op == INSN_MOV_FROM_DR || i->op == INSN_MOV_TO_DR)
		put(t, "dr%u", i->reg);
	else if (i->op == INSN_MOV_FROM_SREG || i->op == INSN_MOV_TO_SREG ||
		 i->form == INSN_FORM_SREG)
		put(t, "%s", i->reg < 6 ? segments[i->reg] : "?");
	else
		put(t, "%s", register_name(i->reg));
}

static void put_operands(struct text *t, const struct insn *i)
{
	switch (i->form) {
	case INSN_FORM_NONE:
		if (i->memory)
			put(t, " "), put_memory(t, i);
		break;
	case INSN_FORM_RM:
		put(t, " "), put_rm(t, i);
		break;
	case INSN_FORM_RM_REG:
		put(t, " "), put_rm(t, i), put(t, ", "), put_reg(t, i);
		break;
	case INSN_FORM_REG_RM:
		put(t, " "), put_reg(t, i), put(t, ", "), put_rm(t, i);
		break;
	case INSN_FORM_RM_IMM:
		put(t, " "), put_rm(t, i), put(t, ", $"), put_number(t, (s64)i->imm);
		break;
	case INSN_FORM_IMM:
		put(t, " $"), put_number(t, (s64)i->imm);
		break;
	case INSN_FORM_DX:
		put(t, " dx");
		if (i->memory)
			put(t, ", "), put_memory(t, i);
		break;
	case INSN_FORM_PTR:
		put(t, " 0x%x:", i->selector), put_number(t, (s64)i->imm);
		break;
	case INSN_FORM_REL:
		put(t, " .+"), put_number(t, (s64)i->imm);
		break;
	case INSN_FORM_SREG:
	case INSN_FORM_REG:
		put(t, " "), put_reg(t, i);
		break;
	default:
		put(t, " ?");
	}
}

static const char *error_text(int err)
{
	switch (err) {
	case DECODE_MORE:
		return "more";
	case DECODE_UNKNOWN:
		return "unknown";
	case DECODE_INVALID:
		return "invalid";
	case DECODE_TOO_LONG:
		return "long";
	default:
		return "?";
	}
}

void describe(int err, const struct insn *insn, char *text, size_t size)
{
	struct text t = {text, size};
	static const u8 mode_size[] = {[DECODE_16] = 2, [DECODE_32] = 4, [DECODE_64] = 8};

	if (err) {
		put(&t, "%s", error_text(err));
		return;
	}
	if (insn->lock)
		put(&t, "LOCK ");
	if (insn->rep)
		put(&t, "%s ", insn->rep == 0xf3 ? "REP" : insn->rep == 0xf2 ? "REPNE" : "?");
	put(&t, "%s", op_name(insn->op));
	if (insn->size)
		put(&t, ".%u", insn->size);
	put_operands(&t, insn);
	if (insn->addr_size != mode_size[insn->mode])
		put(&t, " a%u", insn->addr_size);
}
