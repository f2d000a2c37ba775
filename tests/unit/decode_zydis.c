// SPDX-License-Identifier: MIT
/*
 * A second opinion on the decoder: every combination of prefix, opcode and
 * ModRM, and random bytes, given to Debian's Zydis library as well. What
 * Vellum claims to decode must be the same instruction with the same length and
 * operands there; what it declines must be nothing that it claims elsewhere.
 *
 * Zydis's answer is translated into a struct insn and both are compared as
 * text. Where the two differ by design, declined_on_purpose() and same_terms()
 * say so and why.
 */
#include "tests/unit/check.h"

#include <ctype.h>
#include <Zydis/Zydis.h>

#include "cpu/decode.h"
#include "decode_text.h"

#define WINDOW 24 /* bytes given to both: more than an instruction can have */

struct opinion {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

static ZydisDecoder decoders[3];

/* Mnemonics that are not simply the operation's name in lower case. */
static const struct {
	const char *mnemonic;
	u8 op;
} mnemonics[] = {
	{"iretd", INSN_IRET},        {"iretq", INSN_IRET},      {"pushfd", INSN_PUSHF},
	{"pushfq", INSN_PUSHF},      {"popfd", INSN_POPF},      {"popfq", INSN_POPF},
	{"int1", INSN_ICEBP},        {"wbnoinvd", INSN_WBINVD}, {"xsaves64", INSN_XSAVES},
	{"xrstors64", INSN_XRSTORS}, {"insb", INSN_INS},        {"insw", INSN_INS},
	{"insd", INSN_INS},          {"outsb", INSN_OUTS},      {"outsw", INSN_OUTS},
	{"outsd", INSN_OUTS},        {"movsb", INSN_MOVS},      {"movsw", INSN_MOVS},
	{"movsq", INSN_MOVS},        {"stosb", INSN_STOS},      {"stosw", INSN_STOS},
	{"stosd", INSN_STOS},        {"stosq", INSN_STOS},      {"lodsb", INSN_LODS},
	{"lodsw", INSN_LODS},        {"lodsd", INSN_LODS},      {"lodsq", INSN_LODS},
	{"pause", INSN_NOP},         {"endbr64", INSN_NOP},     {"endbr32", INSN_NOP},
	{"lfence", INSN_FENCE},      {"mfence", INSN_FENCE},    {"sfence", INSN_FENCE},
};

static u8 op_by_name(const char *name)
{
	for (u8 op = 1; op < INSN_OP_COUNT; op++) {
		const char *a = op_name(op), *b = name;

		while (*a && *a == toupper((unsigned char)*b))
			a++, b++;
		if (!*a && !*b)
			return op;
	}
	return INSN_NONE;
}

static u8 op_by_mnemonic(ZydisMnemonic mnemonic)
{
	static u8 cache[ZYDIS_MNEMONIC_MAX_VALUE + 1];
	static bool known[ZYDIS_MNEMONIC_MAX_VALUE + 1];
	const char *name = ZydisMnemonicGetString(mnemonic);

	if (known[mnemonic])
		return cache[mnemonic];
	known[mnemonic] = true;
	cache[mnemonic] = op_by_name(name);
	for (size_t i = 0; i < ARRAY_SIZE(mnemonics); i++)
		if (strcmp(mnemonics[i].mnemonic, name) == 0)
			cache[mnemonic] = mnemonics[i].op;
	return cache[mnemonic];
}

static bool is_class(const ZydisDecodedOperand *op, ZydisRegisterClass class)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ZydisRegisterGetClass(op->reg.value) == class;
}

/* MOV has five operations here and one mnemonic there; far and near transfers differ here. */
static u8 op_of(const struct opinion *z)
{
	u8 op = op_by_mnemonic(z->insn.mnemonic);
	bool far = z->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

	switch (z->insn.mnemonic) {
	case ZYDIS_MNEMONIC_CALL:
		return far ? INSN_CALL_FAR : INSN_NONE;
	case ZYDIS_MNEMONIC_RET:
		return far ? INSN_RET_FAR : INSN_NONE;
	case ZYDIS_MNEMONIC_JMP:
		return far ? INSN_JMP_FAR : z->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? op : 0;
	case ZYDIS_MNEMONIC_PUSH:
		return is_class(&z->op[0], ZYDIS_REGCLASS_SEGMENT) ? INSN_PUSH_SREG : INSN_NONE;
	case ZYDIS_MNEMONIC_POP:
		if (z->op[0].type != ZYDIS_OPERAND_TYPE_REGISTER || z->insn.opcode == 0x8f)
			return INSN_NONE;
		return is_class(&z->op[0], ZYDIS_REGCLASS_SEGMENT) ? INSN_POP_SREG : op;
	case ZYDIS_MNEMONIC_MOVSD: /* also an SSE move */
		return z->insn.opcode == 0xa5 ? INSN_MOVS : INSN_NONE;
	case ZYDIS_MNEMONIC_MOV:
		for (u8 i = 0; i < 2; i++) {
			if (is_class(&z->op[i], ZYDIS_REGCLASS_CONTROL))
				return i ? INSN_MOV_FROM_CR : INSN_MOV_TO_CR;
			if (is_class(&z->op[i], ZYDIS_REGCLASS_DEBUG))
				return i ? INSN_MOV_FROM_DR : INSN_MOV_TO_DR;
			if (is_class(&z->op[i], ZYDIS_REGCLASS_SEGMENT))
				return i ? INSN_MOV_FROM_SREG : INSN_MOV_TO_SREG;
		}
		return op;
	default:
		return op;
	}
}

/* What Zydis knows by a claimed operation's name and Vellum declines on purpose. */
static bool declined_on_purpose(const struct opinion *z)
{
	u8 opcode = z->insn.opcode;

	switch (z->insn.mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_JNZ: /* 0x66 in 64-bit code: Intel ignores it, AMD does not */
		return z->insn.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 &&
		       z->insn.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE;
	case ZYDIS_MNEMONIC_NOP: /* hints that are no-ops on today's processors */
		return z->insn.opcode_map == ZYDIS_OPCODE_MAP_0F && opcode != 0x1f;
	case ZYDIS_MNEMONIC_PAUSE: /* with REX.B: XCHG to some, PAUSE to others */
		return z->insn.raw.rex.B;
	default: /* forms on a register alone: they never fault */
		return z->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
		       ((opcode < 0x40 && (opcode & 6) == 4) || /* arithmetic on the accumulator */
			(opcode & 0xf0) == 0x40 ||              /* INC, DEC outside 64-bit code */
			(opcode & 0xf0) == 0xb0 ||              /* MOV of an immediate */
			(opcode & 0xfe) == 0xa8 ||              /* TEST of the accumulator */
			(opcode & 0xf8) == 0x90);               /* XCHG with the accumulator */
	}
}

static u8 general(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return REG_NONE;
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return (u8)(REG_AH + (reg - ZYDIS_REGISTER_AH));
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_DIL)
		return (u8)(REG_RSP + (reg - ZYDIS_REGISTER_SPL));
	if (reg >= ZYDIS_REGISTER_R8B && reg <= ZYDIS_REGISTER_R15B)
		return (u8)(REG_R8 + (reg - ZYDIS_REGISTER_R8B));
	return (u8)ZydisRegisterGetId(reg);
}

static void set_memory(struct insn *out, const ZydisDecodedOperand *op)
{
	const ZydisDecodedOperandMem *mem = &op->mem;
	ZydisRegisterClass class = ZydisRegisterGetClass(mem->base);

	out->memory = true;
	out->segment = (u8)ZydisRegisterGetId(mem->segment);
	out->rip = class == ZYDIS_REGCLASS_IP;
	out->base = out->rip ? REG_NONE : general(mem->base);
	out->index = general(mem->index);
	out->scale = mem->index == ZYDIS_REGISTER_NONE ? 1 : mem->scale;
	out->disp = mem->disp.has_displacement ? mem->disp.value : 0;
	out->rm_size = (u8)(op->size / 8);
}

static void set_register(struct insn *out, const ZydisDecodedOperand *op, bool rm)
{
	u8 reg = general(op->reg.value);

	if (rm) {
		out->rm = reg;
		out->rm_size = (u8)(op->size / 8);
	} else {
		out->reg = reg;
	}
}

/* Operands in the order of the form that Vellum gave; another form shows in the text. */
static void set_operands(struct insn *out, const struct opinion *z, u8 form)
{
	bool reg_first =
		form == INSN_FORM_REG_RM || form == INSN_FORM_REG || form == INSN_FORM_SREG;

	out->form = form;
	for (u8 i = 0; i < z->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &z->op[i];
		bool hidden = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

		if (op->type == ZYDIS_OPERAND_TYPE_POINTER) {
			out->selector = op->ptr.segment;
			out->imm = op->ptr.offset;
		} else if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !hidden) {
			out->imm = op->imm.value.u;
		} else if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && !hidden) {
			set_memory(out, op);
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && !hidden) {
			set_register(out, op, (i == 0) != reg_first);
		}
	}
}

static const ZydisDecodedOperand *operand_at(const struct opinion *z, u8 base)
{
	for (u8 i = 0; i < z->insn.operand_count; i++)
		if (z->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    general(z->op[i].mem.base) == base)
			return &z->op[i];
	return NULL;
}

static void set_repeat(struct insn *out, const struct opinion *z)
{
	const u64 repeats = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE;

	if (z->insn.attributes & repeats)
		out->rep = 0xf3;
	else if (z->insn.attributes & ZYDIS_ATTRIB_HAS_REPNE)
		out->rep = 0xf2;
}

static void set_string(struct insn *out, const struct opinion *z)
{
	bool source = out->op == INSN_MOVS || out->op == INSN_LODS || out->op == INSN_OUTS;
	const ZydisDecodedOperand *op = operand_at(z, source ? REG_RSI : REG_RDI);

	assert_non_null(op);
	set_memory(out, op);
	set_repeat(out, z);
}

static bool has_size(u8 op)
{
	switch (op) {
	case INSN_PUSHF:
	case INSN_POPF:
	case INSN_IRET:
	case INSN_CALL_FAR:
	case INSN_JMP_FAR:
	case INSN_RET_FAR:
	case INSN_JMP:
	case INSN_JNZ:
		return true;
	default:
		return op >= INSN_MOVS && op <= INSN_LODS;
	}
}

static void translate(struct insn *out, const struct opinion *z, const struct insn *ours)
{
	memset(out, 0, sizeof(*out));
	out->op = op_of(z);
	out->length = z->insn.length;
	out->mode = ours->mode;
	out->base = out->index = REG_NONE;
	out->scale = 1;
	out->addr_size = z->insn.address_width / 8;
	out->size = has_size(out->op) ? z->insn.operand_width / 8 : ours->size;
	out->lock = z->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK;
	set_operands(out, z, ours->form);
	if (out->op == INSN_INS || out->op == INSN_OUTS ||
	    (out->op >= INSN_MOVS && out->op <= INSN_LODS))
		set_string(out, z);
}

/* Zydis 4.0 forgets with 0x67 that this base is a displacement alone whatever REX.B is. */
static bool base_is_displacement(const struct opinion *z)
{
	return z->insn.attributes & ZYDIS_ATTRIB_HAS_SIB && z->insn.raw.modrm.mod == 0 &&
	       z->insn.raw.sib.base == 5;
}

/* Rewrite what the two say differently and mean alike. */
static void same_terms(struct insn *theirs, struct insn *ours, const struct opinion *z)
{
	u64 mask = ours->addr_size == 8 ? ~(u64)0 : ((u64)1 << (8 * ours->addr_size)) - 1;

	if (base_is_displacement(z) && theirs->base == 13) {
		theirs->base = REG_NONE;
		theirs->disp = z->insn.raw.disp.value;
	}
	/* the sign of an address */
	ours->disp = (s64)((u64)ours->disp & mask);
	theirs->disp = (s64)((u64)theirs->disp & mask);
	switch (theirs->op) {
	case INSN_LAR: /* the selector's size: 2, or the register's it is in */
	case INSN_LSL:
	case INSN_INVLPG: /* not an operand */
	case INSN_XSAVES:
	case INSN_XRSTORS:
		theirs->rm_size = ours->rm_size;
		break;
	case INSN_MONITOR: /* the address is no operand to Zydis */
		theirs->memory = true;
		theirs->base = REG_RAX;
		theirs->segment = ours->segment;
		break;
	default:
		break;
	}
}

static void hex_of(const u8 *bytes, char text[3 * WINDOW + 1])
{
	for (size_t i = 0; i < 16; i++)
		sprintf(text + 3 * i, "%02x ", bytes[i]);
}

static u64 agreed, declined, agreed_on[INSN_OP_COUNT];
static int failures;

static void differ(const u8 *bytes, enum decode_mode mode, const char *ours, const char *theirs)
{
	char hex[3 * WINDOW + 1];

	hex_of(bytes, hex);
	print_error("mode %u: %s: Vellum '%s', Zydis '%s'\n", 16u << mode, hex, ours, theirs);
	assert_true(++failures <= 50); /* no point in printing more */
}

static void compare(const u8 *bytes, enum decode_mode mode)
{
	static struct opinion z;
	struct insn ours, theirs;
	char ours_text[128], theirs_text[128];
	int err = decode(bytes, WINDOW, mode, &ours);
	bool valid =
		ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders[mode], bytes, WINDOW, &z.insn, z.op));

	describe(err, &ours, ours_text, sizeof(ours_text));
	if (err) {
		if (valid && op_of(&z) && !declined_on_purpose(&z))
			differ(bytes, mode, ours_text, ZydisMnemonicGetString(z.insn.mnemonic));
		declined++;
		return;
	}
	if (!valid) {
		differ(bytes, mode, ours_text, "invalid");
		return;
	}
	translate(&theirs, &z, &ours);
	same_terms(&theirs, &ours, &z);
	describe(0, &ours, ours_text, sizeof(ours_text));
	describe(0, &theirs, theirs_text, sizeof(theirs_text));
	if (ours.length != theirs.length || strcmp(ours_text, theirs_text) != 0)
		differ(bytes, mode, ours_text, theirs_text);
	else
		agreed++, agreed_on[ours.op]++;
}

static int start_decoders(void **state)
{
	(void)state;
	ZydisDecoderInit(&decoders[DECODE_16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&decoders[DECODE_32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&decoders[DECODE_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return 0;
}

static void report(void)
{
	print_message("%llu instructions agreed on, %llu declined\n", (unsigned long long)agreed,
		      (unsigned long long)declined);
	assert_int_equal(failures, 0);
	assert_true(agreed > declined / 10); /* the comparison did compare */
}

/* Prefix sequences worth trying on every opcode; 0x4x is REX in 64-bit code only. */
static const char *const prefix_sets[] = {
	"",         "\x66",     "\xf3",         "\xf2",         "\xf0",     "\x67",
	"\x48",     "\x45",     "\x40",         "\x66\x48",     "\x48\x66", "\xf3\x49",
	"\x66\xf3", "\xf3\xf2", "\xf0\x42",     "\x64",         "\x65\x2e", "\x2e",
	"\x67\x4f", "\x66\xf2", "\xf0\x66\x67", "\xf2\x66\x44",
};

static void every_opcode(const char *prefixes, enum decode_mode mode, struct rng *rng)
{
	size_t n = strlen(prefixes);
	u8 bytes[WINDOW];

	for (u32 opcode = 0; opcode < 512; opcode++) {
		for (u32 modrm = 0; modrm < 256; modrm++) {
			size_t at = n;

			for (size_t i = 0; i < WINDOW; i++)
				bytes[i] = (u8)rng_next(rng);
			memcpy(bytes, prefixes, n);
			if (opcode >= 256)
				bytes[at++] = 0x0f;
			bytes[at++] = (u8)opcode;
			bytes[at] = (u8)modrm;
			compare(bytes, mode);
		}
	}
}

static void test_every_opcode_and_modrm(void **state)
{
	struct rng rng = {1};

	(void)state;
	agreed = declined = 0, failures = 0;
	for (int mode = DECODE_16; mode <= DECODE_64; mode++)
		for (size_t i = 0; i < ARRAY_SIZE(prefix_sets); i++)
			every_opcode(prefix_sets[i], (enum decode_mode)mode, &rng);
	report();
	for (u8 op = INSN_NONE + 1; op < INSN_OP_COUNT; op++)
		if (!agreed_on[op])
			differ((const u8[16]){0}, DECODE_64, op_name(op), "never seen");
	assert_int_equal(failures, 0);
}

/* Up to 12 prefixes in any order, then an opcode map, then anything. */
static void random_instruction(struct rng *rng, u8 bytes[WINDOW])
{
	static const u8 prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e,
				      0x64, 0x65, 0x40, 0x41, 0x42, 0x44, 0x48, 0x4d, 0x4f};
	u32 count = rng_below(rng, 4) ? rng_below(rng, 4) : rng_below(rng, 13);

	for (size_t i = 0; i < WINDOW; i++)
		bytes[i] = (u8)rng_next(rng);
	for (u32 i = 0; i < count; i++)
		bytes[i] = prefixes[rng_below(rng, ARRAY_SIZE(prefixes))];
	if (rng_below(rng, 2))
		bytes[count++] = 0x0f;
	if (rng_below(rng, 16) == 0)
		memcpy(&bytes[count], "\x38\x82", 2);
}

static void test_random_bytes(void **state)
{
	u32 cases = random_cases(1000000);
	struct rng rng = {2};
	u8 bytes[WINDOW];

	(void)state;
	agreed = declined = 0, failures = 0;
	for (u32 i = 0; i < cases; i++) {
		random_instruction(&rng, bytes);
		for (int mode = DECODE_16; mode <= DECODE_64; mode++)
			compare(bytes, (enum decode_mode)mode);
	}
	report();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_opcode_and_modrm),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests_name("decode_zydis", tests, start_decoders, NULL);
}
