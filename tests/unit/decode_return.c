// SPDX-License-Identifier: MIT
/*
 * The look-ahead from swapgs to the return to user mode, on the exit paths of
 * Linux 6.1 as alternatives leave them, and on code that is no exit path. A
 * missed site is a security hole (a user could return with the guest kernel's
 * selector), a false one emulates the wrong instruction.
 */
#include "tests/unit/check.h"

#include "cpu/decode.h"

/* Walk as the hypervisor does: a window of `n` bytes at each place the walk asks for. */
static int walk(const u8 *code, size_t size, size_t start, size_t n, struct return_site *site)
{
	int err = DECODE_MORE;

	memset(site, 0, sizeof(*site));
	for (int calls = 0; err == DECODE_MORE; calls++) {
		s64 at = (s64)start + site->offset;
		u8 *window;
		size_t length;

		assert_true(calls < 100); /* it ends by itself */
		if (at < 0 || at >= (s64)size)
			return DECODE_MORE;
		length = min_u64(n, size - (u64)at);
		window = malloc(length);
		assert_non_null(window);
		memcpy(window, code + at, length);
		err = decode_return_site(window, length, site);
		free(window);
	}
	return err;
}

#define CODE(...) ((const u8[]){__VA_ARGS__}), sizeof((const u8[]){__VA_ARGS__})

/* Whatever the size of the windows, from one instruction up. */
static void assert_site(const u8 *code, size_t size, u8 op, s64 offset, bool effects)
{
	for (size_t n = INSN_MAX_LENGTH; n <= 64; n++) {
		struct return_site site;

		assert_int_equal(walk(code, size, 0, n, &site), 0);
		assert_int_equal(site.end.op, op);
		assert_int_equal(site.offset, offset);
		assert_int_equal(site.effects, effects);
	}
}

static void assert_no_site(const u8 *code, size_t size)
{
	struct return_site site;

	assert_int_equal(walk(code, size, 0, 64, &site), DECODE_UNKNOWN);
	assert_int_equal(site.end.op, INSN_NONE);
}

#define IRETQ   0x48, 0xcf
#define SYSRETQ 0x48, 0x0f, 0x07
#define SYSRETL 0x0f, 0x07
#define NOP3    0x0f, 0x1f, 0x00
#define NOP7    0x0f, 0x1f, 0x80, 0, 0, 0, 0
#define NOP9    0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
#define VERW    0x0f, 0x00, 0x2d, 0x11, 0x22, 0x33, 0x44 /* verw mds_verw_sel(%rip) */

static void test_direct_returns(void **state)
{
	(void)state;
	assert_site(CODE(IRETQ), INSN_IRET, 0, false);
	assert_site(CODE(SYSRETQ), INSN_SYSRET, 0, false);
	assert_site(CODE(SYSRETL), INSN_SYSRET, 0, false);
	assert_site(CODE(NOP7, SYSRETQ), INSN_SYSRET, 7, false);
	assert_site(CODE(VERW, SYSRETL, 0xcc), INSN_SYSRET, 7, false);
	assert_site(CODE(NOP9, 0x90, 0x66, 0x90, NOP3, IRETQ), INSN_IRET, 15, false);
	assert_site(CODE(0x0f, 0xae, 0xe8, 0xf3, 0x0f, 0x1e, 0xfa, IRETQ), INSN_IRET, 7, false);
}

static void test_sysret_sizes(void **state)
{
	struct return_site site;
	static const u8 long_form[] = {SYSRETQ}, short_form[] = {SYSRETL};

	(void)state;
	assert_int_equal(walk(long_form, 3, 0, 15, &site), 0);
	assert_int_equal(site.end.size, 8);
	assert_int_equal(walk(short_form, 2, 0, 15, &site), 0);
	assert_int_equal(site.end.size, 4);
}

static void test_jumps_are_followed(void **state)
{
	struct return_site site;
	static const u8 backward[] = {IRETQ, 0xcc, 0xcc, 0xeb, 0xfa};

	(void)state;
	/* before alternatives: jmp over verw */
	assert_site(CODE(0xeb, 0x07, VERW, SYSRETQ), INSN_SYSRET, 9, false);
	assert_site(CODE(0xe9, 0x02, 0, 0, 0, 0xcc, 0xcc, IRETQ), INSN_IRET, 7, false);
	assert_int_equal(walk(backward, sizeof(backward), 4, 15, &site), 0);
	assert_int_equal(site.offset, -4);
}

static void test_window_ends_at_a_jump(void **state)
{
	static const u8 code[] = {VERW, 0xe9, 0, 0x10, 0, 0}, target[] = {IRETQ};
	struct return_site site = {0};

	(void)state;
	assert_int_equal(decode_return_site(code, sizeof(code), &site), DECODE_MORE);
	assert_int_equal(site.offset, 0x100c);
	assert_int_equal(site.end.op, INSN_NONE);
	assert_int_equal(decode_return_site(target, sizeof(target), &site), 0);
	assert_int_equal(site.offset, 0x100c);
	assert_int_equal(site.steps, 4); /* and one for the new window */
}

/* swapgs; verw; jmp .Lnative_iret; testb $4, 0x20(%rsp); jnz native_irq_return_ldt; iretq */
static void test_espfix(void **state)
{
	static const u8 code[] = {VERW, 0xeb, 0x01, 0xcc, 0xf6, 0x44,
				  0x24, 0x20, 0x04, 0x75, 0x02, IRETQ};
	struct return_site site;

	(void)state;
	assert_int_equal(walk(code, sizeof(code), 0, 15, &site), 0);
	assert_int_equal(site.end.op, INSN_IRET);
	assert_int_equal(site.offset, 17);
	assert_int_equal(site.ldt_offset, 19);
	assert_true(site.tests_ss);
	assert_false(site.effects);
	/* another test, another branch, a branch without the test */
	assert_no_site(CODE(0xf6, 0x44, 0x24, 0x08, 0x03, 0x75, 0x02, IRETQ));
	assert_no_site(CODE(0xf6, 0x44, 0x24, 0x20, 0x04, 0x74, 0x02, IRETQ));
	assert_no_site(CODE(0x75, 0x02, IRETQ));
	assert_no_site(CODE(0xf6, 0x44, 0x24, 0x20, 0x04, VERW, 0x75, 0x02, IRETQ));
}

/* native_irq_return_ldt: swapgs; pop %rdi; mov %rax,%rsp; pop %rax; verw; jmp; iretq */
static void test_effects_on_the_way(void **state)
{
	(void)state;
	assert_site(CODE(0x5f, 0x48, 0x89, 0xc4, 0x58, VERW, 0xeb, 0x00, IRETQ), INSN_IRET, 14,
		    true);
	/* nmi_restore: pops; add $0x30,%rsp; std; movq $0,0x28(%rsp); iretq */
	assert_site(CODE(0x41, 0x5f, 0x5d, 0x5b, 0x48, 0x83, 0xc4, 0x30, 0xfd, 0x48, 0xc7, 0x44,
			 0x24, 0x28, 0, 0, 0, 0, IRETQ),
		    INSN_IRET, 18, true);
}

static void test_entries_are_no_exits(void **state)
{
	(void)state;
	/* entry_SYSCALL_64: mov %rsp,%gs:x; mov %gs:y,%rsp; push $0x2b */
	assert_no_site(CODE(0x65, 0x48, 0x89, 0x25, 0, 0, 0, 0, 0x65, 0x48, 0x8b, 0x25, 0, 0, 0, 0,
			    0x6a, 0x2b, IRETQ));
	/* with page-table isolation: mov %cr3,%rsp */
	assert_no_site(CODE(0x0f, 0x20, 0xdc, IRETQ));
	/* paranoid_entry: lfence; ret */
	assert_no_site(CODE(0x0f, 0xae, 0xe8, 0xc3, IRETQ));
	/* asm_load_gs_index: mov %edi,%gs; swapgs */
	assert_no_site(CODE(0x8e, 0xef, 0x0f, 0x01, 0xf8, IRETQ));
	/* 32-bit and 16-bit IRET do not return to 64-bit user mode, INT3 and UD2 to nothing */
	assert_no_site(CODE(0xcf));
	assert_no_site(CODE(0x66, 0xcf));
	assert_no_site(CODE(0xcc, IRETQ));
	assert_no_site(CODE(0x0f, 0x0b, IRETQ));
	/* an instruction that is not known could do anything */
	assert_no_site(CODE(0x0f, 0x10, 0x00, IRETQ));
	assert_no_site(CODE(0xf0, 0x90, IRETQ));
}

static void test_the_walk_ends(void **state)
{
	u8 nops[300];
	struct return_site site = {0};
	int err, calls = 0;

	(void)state;
	assert_no_site(CODE(0xeb, 0xfe));
	assert_no_site(CODE(0x90, 0xeb, 0xfd));
	memset(nops, 0x90, sizeof(nops));
	assert_no_site(nops, sizeof(nops));
	/* a caller that has no bytes to give is told no in the end, too */
	while ((err = decode_return_site(nops, 0, &site)) == DECODE_MORE)
		assert_true(++calls < 1000);
	assert_int_equal(err, DECODE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_returns),
		cmocka_unit_test(test_sysret_sizes),
		cmocka_unit_test(test_jumps_are_followed),
		cmocka_unit_test(test_window_ends_at_a_jump),
		cmocka_unit_test(test_espfix),
		cmocka_unit_test(test_effects_on_the_way),
		cmocka_unit_test(test_entries_are_no_exits),
		cmocka_unit_test(test_the_walk_ends),
	};

	return cmocka_run_group_tests_name("decode_return", tests, NULL, NULL);
}
