// SPDX-License-Identifier: MIT
/*
 * Ring 3 and back: by syscall and sysret, by a gate and iret, by exceptions,
 * and under timer ticks.
 */
#include "mini/user.h"

#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/tests/user_program.h"
#include "mini/timer.h"

#define ROUNDS      1000u
#define IDT_BIT     2u /* error code: the selector part is a vector */
#define DPL0_VECTOR 0x21u

/* Give all registers values of their own that `salt` decides. */
static void salt_registers(struct trap_frame *regs, u64 salt)
{
	u64 *r = &regs->r15;

	for (size_t i = 0; i < 15; i++)
		r[i] = salt + i;
}

static void run(struct user_program *p, enum user_way way, u64 vector, u64 error)
{
	struct trap_info info = user_run(&p->regs, way);

	CHECK(info.vector == vector && info.error == error,
	      "ended by vector %lu error %#lx at %#lx cr2 %#lx, expected %lu error %#lx",
	      info.vector, info.error, info.rip, info.cr2, vector, error);
	CHECK(p->regs.cs == USER_CS && p->regs.ss == USER_DS, "CS %#lx SS %#lx in the frame",
	      p->regs.cs, p->regs.ss);
}

TEST(user_syscall, "I2")
{
	struct user_program p;
	struct trap_frame want;

	USER_PROGRAM_LOAD(&p, syscalls);
	for (u64 i = 0; i < ROUNDS; i++) {
		salt_registers(&p.regs, i << 32);
		want = p.regs;
		run(&p, i % 2 == 0 ? USER_SYSRET : USER_IRET, VECTOR_SYSCALL, 0);
		/* The first time at the start of the loop, then behind the syscall. */
		want.rax += i > 0;
		want.rcx = USER_CODE + 2;
		want.r11 = p.regs.rflags;
		CHECK(memcmp(&p.regs, &want, offsetof(struct trap_frame, vector)) == 0,
		      "registers changed in round %lu", i);
		CHECK(p.regs.rip == USER_CODE + 2 && p.regs.rsp == USER_STACK, "RIP %#lx RSP %#lx",
		      p.regs.rip, p.regs.rsp);
		CHECK(p.regs.rflags & RFLAGS_IF, "RFLAGS %#lx", p.regs.rflags);
	}
	user_program_unload(&p);
}

TEST(user_gate, "I2")
{
	struct user_program p;
	struct trap_frame want;

	USER_PROGRAM_LOAD(&p, gates);
	for (u64 i = 0; i < ROUNDS; i++) {
		salt_registers(&p.regs, i << 32);
		want = p.regs;
		run(&p, USER_IRET, VECTOR_GATE, 0);
		want.rax += i > 0;
		CHECK(memcmp(&p.regs, &want, offsetof(struct trap_frame, vector)) == 0,
		      "registers changed in round %lu", i);
	}
	user_program_unload(&p);
}

static void check_fault(u64 va, u64 error, const char *start, const char *end)
{
	struct user_program p;
	struct trap_info info;

	user_program_load(&p, start, end);
	p.regs.rdi = va;
	info = user_run(&p.regs, USER_IRET);
	CHECK(info.vector == TRAP_PF && info.error == error && info.cr2 == va,
	      "access to %#lx: vector %lu error %#lx cr2 %#lx, expected #PF %#lx", va, info.vector,
	      info.error, info.cr2, error);
	user_program_unload(&p);
}

TEST(user_page_faults, "M5 I2")
{
	extern const char user_read[], user_read_end[], user_write[], user_write_end[];
	extern const char user_jump[], user_jump_end[];
	u64 nowhere = 0x5000000, kernel = (u64)&cpu_local;

	check_fault(nowhere, PF_U, user_read, user_read_end);
	check_fault(nowhere, PF_U | PF_W, user_write, user_write_end);
	check_fault(kernel, PF_U | PF_P, user_read, user_read_end);
	check_fault(kernel, PF_U | PF_P | PF_W, user_write, user_write_end);
	check_fault(USER_CODE, PF_U | PF_P | PF_W, user_write, user_write_end);
	if (paging_nx() != 0)
		check_fault(USER_DATA, PF_U | PF_P | PF_I, user_jump, user_jump_end);
}

static void check_end(u64 vector, u64 error, const char *start, const char *end, u64 length)
{
	struct user_program p;

	user_program_load(&p, start, end);
	run(&p, USER_IRET, vector, error);
	CHECK(p.regs.rip == USER_CODE + length, "vector %lu at %#lx", vector, p.regs.rip);
	user_program_unload(&p);
}

#define CHECK_END(name, vector, error, length)                                                     \
	do {                                                                                       \
		extern const char user_##name[], user_##name##_end[];                              \
		check_end(vector, error, user_##name, user_##name##_end, length);                  \
	} while (0)

TEST(user_exceptions, "I2")
{
	CHECK_END(breakpoint, TRAP_BP, 0, 1);
	CHECK_END(undefined, TRAP_UD, 0, 0);
	CHECK_END(cli, TRAP_GP, 0, 0);
	CHECK_END(hlt, TRAP_GP, 0, 0);
	CHECK_END(in, TRAP_GP, 0, 0);
	CHECK_END(read_cr3, TRAP_GP, 0, 0);
}

/* 0 is an address like any other; a hypervisor that uses it for "nowhere" takes the fault for
 * another one. RCX and R11 are what SYSRET would return to. */
TEST(user_fault_at_zero, "I2 I4")
{
	struct user_program p;
	pa_t page;

	USER_PROGRAM_LOAD(&p, gates);
	page = user_program_page(&p, 0, 0);
	*(u8 *)pa_to_ptr(page) = 0xf4; /* HLT */
	p.regs.rip = 0;
	p.regs.rcx = USER_CODE;
	p.regs.r11 = p.regs.rflags;
	run(&p, USER_IRET, TRAP_GP, 0);
	CHECK(p.regs.rip == 0, "faulted at %#lx", p.regs.rip);
	CHECK(read_msr(MSR_GS_BASE) == (u64)&cpu_local, "GS base is %#lx in the kernel",
	      read_msr(MSR_GS_BASE));
	user_program_unload(&p);
	frame_free(page);
}

TEST(user_kernel_gate, "I2")
{
	struct user_program p;
	struct trap_info info;

	USER_PROGRAM_LOAD(&p, kernel_gate);
	info = user_run(&p.regs, USER_IRET);
	/* The manuals say vector * 8; QEMU 7.2 counts the 16 bytes of a long-mode gate. */
	CHECK(info.vector == TRAP_GP && (info.error == DPL0_VECTOR * 8 + IDT_BIT ||
					 info.error == DPL0_VECTOR * 16 + IDT_BIT),
	      "ended by vector %lu error %#lx", info.vector, info.error);
	user_program_unload(&p);
}

TEST(user_swapgs, "I2")
{
	struct user_program p;

	USER_PROGRAM_LOAD(&p, read_gs);
	*(u64 *)pa_to_ptr(p.data) = 0x6773;
	write_msr(MSR_KERNEL_GS_BASE, USER_DATA);
	run(&p, USER_IRET, VECTOR_GATE, 0);
	CHECK(p.regs.rax == 0x6773, "read %#lx by GS", p.regs.rax);
	CHECK(read_msr(MSR_GS_BASE) == (u64)&cpu_local, "GS base is %#lx in the kernel",
	      read_msr(MSR_GS_BASE));
	CHECK(read_msr(MSR_KERNEL_GS_BASE) == USER_DATA, "the user's GS base is %#lx",
	      read_msr(MSR_KERNEL_GS_BASE));
	write_msr(MSR_KERNEL_GS_BASE, 0);
	user_program_unload(&p);
}

TEST(user_interrupted, "I2 I3")
{
	struct user_program p;
	struct trap_frame want;
	u64 end;

	USER_PROGRAM_LOAD(&p, spin);
	salt_registers(&p.regs, 0x5a5a0000);
	end = rdtsc() + 200 * tsc_per_ms();
	p.regs.rdi = end;
	want = p.regs;
	timer_start(1000);
	run(&p, USER_IRET, VECTOR_GATE, 0);
	timer_stop();
	CHECK(timer_ticks() > 10, "%lu ticks in 200 ms of ring 3", timer_ticks());
	CHECK(p.regs.rax >= end, "left its loop early");
	want.rax = p.regs.rax;
	want.rdx = p.regs.rdx;
	CHECK(memcmp(&p.regs, &want, offsetof(struct trap_frame, vector)) == 0,
	      "registers changed");
	user_program_unload(&p);
}
