// SPDX-License-Identifier: MIT
/*
 * Returns to ring 3 with frames that no good kernel makes but any user can ask
 * for (a signal frame is the user's): every CS and SS, addresses around the
 * edges of what is canonical and in Vellum's slots, every flag. The way out is
 * SWAPGS, fifteen pops, IRETQ, and no return may run anything that the bare CPU
 * would refuse: Vellum's own selectors least of all.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/observe.h"
#include "mini/tests/user_program.h"

#define LAST_PAGE    0x00007ffffffff000ul /* of the lower half */
#define SYSCALL_INSN 0x050fu

static const u64 addresses[] = {
	0,
	0x00007fffffffffff,
	0x0000800000000000,
	0x1234567800400000,
	0x7fffffffffffffff,
	0x8000000000000000,
	0xffff7fffffffffff,
	0xffff800000000000, /* Vellum's slots from here */
	0xffff800000100000,
	0xffff808000000000,
	0xffff87ffffffffff,
	0xffff880000000000, /* to here */
	0xffffffff81000000,
	0xffffffffffffffff,
};

static struct user_program program;

static struct outcome try_frame(const struct trap_frame *regs, enum user_way way)
{
	struct outcome o = observe_user(regs, way, NULL);

	o.info.rip = 0;
	return o;
}

/* All 65536 selectors in one place of the frame; those that are not #GP of that very selector get
 * a line. */
static void all_selectors(const char *what, size_t offset)
{
	struct trap_frame regs = program.regs;
	u64 sum = OBSERVE_START;

	for (u32 selector = 0; selector <= 0xffff; selector++) {
		u64 value = selector;
		struct outcome o;

		memcpy((u8 *)&regs + offset, &value, sizeof(value));
		o = try_frame(&regs, USER_IRET);
		sum = observe_fold_outcome(sum, &o);
		if (o.ring != 0 || o.info.vector != TRAP_GP || o.info.error != (selector & ~3u))
			print("= %s %#x: %s\n", what, selector, outcome_text(&o));
	}
	print("= %s sum %#lx\n", what, sum);
}

TEST_ON_REQUEST(exact_return_selectors, "I1 I2 I4")
{
	USER_PROGRAM_LOAD(&program, gates);
	all_selectors("cs", offsetof(struct trap_frame, cs));
	all_selectors("ss", offsetof(struct trap_frame, ss));
	user_program_unload(&program);
}

/* Frames that name Vellum's own selectors, in the normal run, too: bare they lie beyond the GDT. */
TEST(user_return_selectors, "I1 I4")
{
	struct trap_frame regs;

	USER_PROGRAM_LOAD(&program, gates);
	for (u32 selector = TSS_SEL + 0x10 + 3; selector < 0x1000; selector += 8) {
		struct outcome o;

		regs = program.regs;
		regs.cs = selector;
		o = try_frame(&regs, USER_IRET);
		CHECK(o.ring == 0 && o.info.vector == TRAP_GP && o.info.error == (selector & ~3u),
		      "CS %#x: %s", selector, outcome_text(&o));
		regs.ss = selector + 8;
		o = try_frame(&regs, USER_IRET);
		CHECK(o.ring == 0 && o.info.vector == TRAP_GP && o.info.error == (selector & ~3u),
		      "CS %#x SS %#x: %s", selector, selector + 8, outcome_text(&o));
	}
	user_program_unload(&program);
}

static void all_addresses(enum user_way way, size_t offset, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct trap_frame regs = program.regs;
		struct outcome o;

		memcpy((u8 *)&regs + offset, &addresses[i], sizeof(u64));
		o = try_frame(&regs, way);
		print("= %s %#lx: %s\n", what, addresses[i], outcome_text(&o));
	}
}

TEST_ON_REQUEST(exact_return_addresses, "I1 I2 I4")
{
	USER_PROGRAM_LOAD(&program, gates);
	all_addresses(USER_IRET, offsetof(struct trap_frame, rip), "iret rip");
	all_addresses(USER_IRET, offsetof(struct trap_frame, rsp), "iret rsp");
	all_addresses(USER_SYSRET, offsetof(struct trap_frame, rip), "sysret rip");
	all_addresses(USER_SYSRET, offsetof(struct trap_frame, rsp), "sysret rsp");
	user_program_unload(&program);
}

TEST_ON_REQUEST(exact_return_flags, "I1 I2 I4")
{
	USER_PROGRAM_LOAD(&program, gates);
	for (int way = USER_IRET; way <= USER_SYSRET; way++)
		for (u32 bit = 0; bit < 64; bit++) {
			struct trap_frame regs = program.regs, after = {0};
			struct outcome o;

			/* SYSRET clears RF and VM (SDM); QEMU loads them. */
			if (way == USER_SYSRET && (bit == 16 || bit == 17))
				continue;
			regs.rflags ^= (u64)1 << bit;
			o = observe_user(&regs, (enum user_way)way, &after);
			print("= %s flag %u: %s rip %#lx rflags %#lx\n",
			      way == USER_IRET ? "iret" : "sysret", bit, outcome_text(&o),
			      after.rip, after.rflags);
		}
	user_program_unload(&program);
}

/* SYSCALL as the last instruction of the lower half: RCX is not canonical, and what SYSRET does
 * with it differs between processors. */
TEST_ON_REQUEST(exact_return_syscall_edge, "I1 I2 I4")
{
	struct trap_frame after = {0};
	struct outcome o;
	pa_t page;
	u16 insn = SYSCALL_INSN;

	USER_PROGRAM_LOAD(&program, gates);
	page = user_program_page(&program, LAST_PAGE, 0);
	memcpy((u8 *)pa_to_ptr(page) + PAGE_SIZE - 2, &insn, sizeof(insn));
	program.regs.rip = LAST_PAGE + PAGE_SIZE - 2;
	o = observe_user(&program.regs, USER_IRET, &after);
	print("= syscall at the edge: %s rip %#lx rcx %#lx\n", outcome_text(&o), after.rip,
	      after.rcx);
	for (int way = USER_IRET; way <= USER_SYSRET; way++) {
		after.cs = USER_CS;
		after.ss = USER_DS;
		o = try_frame(&after, (enum user_way)way);
		print("= and back: %s\n", outcome_text(&o));
	}
	user_program_unload(&program);
	frame_free(page);
}

/* SYSCALL to where no kernel is: the fault is the kernel's, on the user's stack. */
TEST_ON_REQUEST(exact_return_syscall_target, "I1 I2 I4")
{
	u64 before = read_msr(MSR_LSTAR);

	USER_PROGRAM_LOAD(&program, syscalls);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct outcome o;

		if ((u64)((s64)(addresses[i] << 16) >> 16) != addresses[i])
			continue;
		write_msr(MSR_LSTAR, addresses[i]);
		o = try_frame(&program.regs, USER_IRET);
		print("= syscall to %#lx: %s\n", addresses[i], outcome_text(&o));
	}
	write_msr(MSR_LSTAR, before);
	user_program_unload(&program);
}

/* SYSRET takes its selectors from STAR unseen: whatever stands there, the user gets no more than a
 * fault (bare, it runs with them), and Vellum's own are no exception. */
TEST(user_sysret_selectors, "I1 I4")
{
	u64 before = read_msr(MSR_STAR);

	USER_PROGRAM_LOAD(&program, gates);
	for (u64 selector = 0; selector < 0x1000; selector++) {
		struct outcome o;

		write_msr(MSR_STAR, (before & 0xfffffffffffful) | selector << 48);
		o = try_frame(&program.regs, USER_SYSRET);
		CHECK(o.ring == 3 && (o.info.vector == VECTOR_GATE || o.info.vector == TRAP_GP ||
				      o.info.vector == TRAP_SS),
		      "STAR's selector %#lx: %s", selector, outcome_text(&o));
	}
	write_msr(MSR_STAR, before);
	user_program_unload(&program);
}
