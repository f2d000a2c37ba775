// SPDX-License-Identifier: MIT
/*
 * The instruction decoder against: encodings written by hand (decode_cases.h),
 * encodings that the assembler made (decode_lines.S), and its own promises on
 * truncated input. Also effective addresses and register operands. Elsewhere:
 * decode_return.c has the look-ahead from swapgs, decode_zydis.c a second opinion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/decode.h"
#include "decode_cases.h"
#include "decode_text.h"

#define BYTES_MAX 64

static size_t parse_hex(const char *hex, u8 bytes[BYTES_MAX])
{
	size_t n = 0;

	while (*hex) {
		char *end;
		unsigned long byte = strtoul(hex, &end, 16);

		assert_ptr_not_equal(end, hex);
		assert_true(byte < 256 && n < BYTES_MAX);
		bytes[n++] = (u8)byte;
		hex = end + strspn(end, " ");
	}
	return n;
}

static void check_case(const struct decode_case *c)
{
	u8 bytes[BYTES_MAX];
	size_t n = parse_hex(c->bytes, bytes);
	struct insn insn;
	char text[128];
	int err = decode(bytes, n, c->mode, &insn);

	describe(err, &insn, text, sizeof(text));
	if (strcmp(text, c->text) != 0)
		fail_msg("%s: decoded as '%s', expected '%s'", c->bytes, text, c->text);
	if (!err && insn.length != n)
		fail_msg("%s: length %u, expected %zu", c->bytes, insn.length, n);
}

static void test_encodings_written_by_hand(void **state)
{
	(void)state;
	assert_true(ARRAY_SIZE(decode_cases) >= 250);
	for (size_t i = 0; i < ARRAY_SIZE(decode_cases); i++)
		check_case(&decode_cases[i]);
}

/* Each shorter piece must give DECODE_MORE until one gives the final answer, and keep it. */
static void check_truncated(const struct decode_case *c)
{
	u8 bytes[BYTES_MAX];
	size_t n = parse_hex(c->bytes, bytes);
	struct insn whole, part;
	int err = decode(bytes, n, c->mode, &whole);
	bool settled = false;

	for (size_t k = 0; k <= n; k++) {
		u8 *piece = malloc(k + 1);
		int part_err;

		assert_non_null(piece);
		memcpy(piece + 1, bytes,
		       k); /* ends with the allocation: sanitizers see over-reads */
		part_err = decode(piece + 1, k, c->mode, &part);
		free(piece);
		if (settled || part_err != DECODE_MORE) {
			settled = true;
			assert_int_equal(part_err, err);
			assert_memory_equal(&part, &whole, sizeof(part));
		}
		if (!err && k < n)
			assert_int_equal(part_err, DECODE_MORE);
	}
	assert_true(settled || err == DECODE_MORE);
}

static void test_truncated_input_asks_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(decode_cases); i++)
		check_truncated(&decode_cases[i]);
}

static void test_failure_leaves_zeros(void **state)
{
	static const u8 bytes[] = {0xf0, 0x0f, 0x20, 0xc0};
	struct insn insn, zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		memset(&insn, 0xa5, sizeof(insn));
		assert_int_not_equal(decode(bytes, n, DECODE_64, &insn), 0);
		assert_memory_equal(&insn, &zero, sizeof(insn));
	}
}

/* Records of decode_lines.S: the assembler's bytes and length, and the text expected. */
struct assembled {
	const u8 *bytes;
	u32 length;
	u32 mode; /* 16, 32, 64 */
	const char *text;
};
extern const struct assembled decode_lines[], decode_lines_end[];

static void check_line(const struct assembled *line)
{
	enum decode_mode mode = line->mode == 64   ? DECODE_64
				: line->mode == 32 ? DECODE_32
						   : DECODE_16;
	struct insn insn;
	char text[128];
	int err = decode(line->bytes, line->length, mode, &insn);

	describe(err, &insn, text, sizeof(text));
	if (strcmp(text, line->text) != 0)
		fail_msg("decoded as '%s', the assembler was given '%s'", text, line->text);
	if (insn.length != line->length)
		fail_msg("'%s': length %u, the assembler's is %u", line->text, insn.length,
			 line->length);
}

static void test_encodings_of_the_assembler(void **state)
{
	(void)state;
	assert_true(decode_lines_end - decode_lines >= 200);
	for (const struct assembled *line = decode_lines; line < decode_lines_end; line++)
		check_line(line);
}

static const u64 some_regs[16] = {[REG_RAX] = 0x1122334455667788,
				  [REG_RCX] = 0xfffffffffffffff8,
				  [REG_RBX] = 0x12345,
				  [REG_RSP] = 0x7fff0000,
				  [REG_RBP] = 0xffff888000001000,
				  [REG_RSI] = 0x1fff0,
				  [REG_RDI] = 0x100000020,
				  [12] = 0x40};

static u64 address_of(const char *hex, enum decode_mode mode, u64 next_rip, u64 segment_base)
{
	u8 bytes[BYTES_MAX];
	size_t n = parse_hex(hex, bytes);
	struct insn insn;

	assert_int_equal(decode(bytes, n, mode, &insn), 0);
	assert_true(insn.memory);
	return insn_address(&insn, some_regs, next_rip, segment_base);
}

static void test_effective_addresses(void **state)
{
	(void)state;
	/* mov 0x10(%rbp,%r12,4) */
	assert_int_equal(address_of("42 8b 44 a5 10", DECODE_64, 0, 0), 0xffff888000001110);
	/* mov 0xfffffff0(%rip), with a segment base that is added after */
	assert_int_equal(address_of("8b 05 f0 ff ff ff", DECODE_64, 0x1000, 0), 0xff0);
	assert_int_equal(address_of("65 8b 05 f0 ff ff ff", DECODE_64, 0x1000, 0x5000), 0x5ff0);
	/* the address prefix truncates before the base is added */
	assert_int_equal(address_of("67 8b 00", DECODE_64, 0, 0x100000000), 0x155667788);
	assert_int_equal(address_of("67 8b 05 f0 ff ff ff", DECODE_64, 0x7, 0), 0xfffffff7);
	/* 64-bit arithmetic wraps, 32-bit code truncates the sum too */
	assert_int_equal(address_of("8b 04 08", DECODE_64, 0, 0), 0x1122334455667780);
	assert_int_equal(address_of("8b 04 08", DECODE_32, 0, 0xc0000000), 0x15667780);
	/* 16-bit: bx + si wraps at 64 KiB */
	assert_int_equal(address_of("8b 00", DECODE_16, 0, 0x10000), 0x12335);
	/* string operations, MONITOR, moffs */
	assert_int_equal(address_of("67 f3 aa", DECODE_64, 0, 0), 0x20);
	assert_int_equal(address_of("f3 a4", DECODE_64, 0, 0), 0x1fff0);
	assert_int_equal(address_of("0f 01 c8", DECODE_64, 0, 0), some_regs[REG_RAX]);
	assert_int_equal(address_of("67 a1 00 00 e0 fe", DECODE_64, 0, 0), 0xfee00000);
}

static void test_bit_string_addresses(void **state)
{
	(void)state;
	/* bts %rcx = -8: the word below; %esi = 0x1fff0: 0x3ffe bytes up, on a 4-byte boundary */
	assert_int_equal(address_of("48 0f ab 0b", DECODE_64, 0, 0), 0x12345 - 8);
	assert_int_equal(address_of("0f ab 0b", DECODE_64, 0, 0), 0x12345 - 4);
	assert_int_equal(address_of("0f a3 33", DECODE_64, 0, 0), 0x12345 + 0x3ffc);
	/* 16 bits of %si are -16; an immediate never leaves the operand */
	assert_int_equal(address_of("66 0f a3 33", DECODE_64, 0, 0), 0x12345 - 2);
	assert_int_equal(address_of("0f ba 23 ff", DECODE_64, 0, 0), 0x12345);
}

static void test_string_destination(void **state)
{
	static const u8 movs[] = {0x67, 0xa5};
	struct insn insn;

	(void)state;
	assert_int_equal(decode(movs, 2, DECODE_64, &insn), 0);
	assert_int_equal(insn_string_destination(&insn, some_regs, 0), 0x20);
	assert_int_equal(decode(movs + 1, 1, DECODE_64, &insn), 0);
	assert_int_equal(insn_string_destination(&insn, some_regs, 0), 0x100000020);
}

static void test_register_operands(void **state)
{
	u64 regs[16] = {[REG_RAX] = 0x1122334455667788, [REG_RBX] = 0x99};

	(void)state;
	assert_int_equal(insn_read_reg(regs, REG_RAX, 1), 0x88);
	assert_int_equal(insn_read_reg(regs, REG_AH, 1), 0x77);
	assert_int_equal(insn_read_reg(regs, REG_RAX, 2), 0x7788);
	assert_int_equal(insn_read_reg(regs, REG_RAX, 4), 0x55667788);
	assert_int_equal(insn_read_reg(regs, REG_RAX, 8), 0x1122334455667788);
	insn_write_reg(regs, REG_RAX, 1, 0xffaa);
	assert_int_equal(regs[REG_RAX], 0x11223344556677aa);
	insn_write_reg(regs, REG_AH, 1, 0xffbb);
	assert_int_equal(regs[REG_RAX], 0x112233445566bbaa);
	insn_write_reg(regs, REG_RAX, 2, 0x123456);
	assert_int_equal(regs[REG_RAX], 0x1122334455663456);
	insn_write_reg(regs, REG_RAX, 4, 0xabcdef0187654321);
	assert_int_equal(regs[REG_RAX], 0x87654321);
	insn_write_reg(regs, REG_BH, 1, 1);
	assert_int_equal(regs[REG_RBX], 0x199);
	insn_write_reg(regs, 15, 8, 0xffffffffffffffff);
	assert_int_equal(regs[15], 0xffffffffffffffff);
}

/* What the short decoder leaves to the long one; the bytes behind it may then be a move. */
static bool is_prefix(u8 byte)
{
	return (byte & 0xe7) == 0x26 || (byte & 0xfc) == 0x64 || (byte & 0xf0) == 0x40 ||
	       byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
}

/* The short decoder says what the long one says, and finds every move that is one of its kind, but
 * for those of RAX from and to an address of 8 bytes. */
static void check_plain_move(const u8 code[PLAIN_MOVE_CODE])
{
	u8 op = (code[0] & 0xf0) == 0x40 ? code[1] : code[0];
	struct plain_move move;
	struct insn i;
	bool is = decode(code, PLAIN_MOVE_CODE, DECODE_64, &i) == 0 && i.op == INSN_MOV &&
		  i.memory && i.size == 4 &&
		  (i.form == INSN_FORM_REG_RM || i.form == INSN_FORM_RM_REG) && op != 0xa1 &&
		  op != 0xa3;

	if (decode_plain_move(code, &move) != is)
		fail_msg("%02x %02x %02x %02x: %s", code[0], code[1], code[2], code[3],
			 is ? "missed" : "taken for a move");
	if (!is)
		return;
	assert_int_equal(move.length, i.length);
	assert_int_equal(move.reg, i.reg);
	assert_int_equal(move.store, i.form == INSN_FORM_RM_REG);
}

static void test_plain_moves(void **state)
{
	u8 code[PLAIN_MOVE_CODE];

	(void)state;
	for (u32 i = 0; i < 17 * 256 * 256 * 8; i++) {
		u32 rex = i >> 19;
		u8 op = (u8)(i >> 11), modrm = (u8)(i >> 3), sib = (u8)(0x20 | (i & 7)), *at = code;

		if (is_prefix(op))
			continue;
		memset(code, 0, sizeof(code));
		if (rex > 0)
			*at++ = (u8)(0x40 + rex - 1);
		*at++ = op;
		*at++ = modrm;
		*at++ = sib;
		check_plain_move(code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodings_written_by_hand),
		cmocka_unit_test(test_truncated_input_asks_for_more),
		cmocka_unit_test(test_failure_leaves_zeros),
		cmocka_unit_test(test_encodings_of_the_assembler),
		cmocka_unit_test(test_effective_addresses),
		cmocka_unit_test(test_bit_string_addresses),
		cmocka_unit_test(test_string_destination),
		cmocka_unit_test(test_register_operands),
		cmocka_unit_test(test_plain_moves),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
