// SPDX-License-Identifier: MIT
/*
 * To ring 3 and back. user_run() waits in user_enter() (user.S) with its
 * callee-saved registers on the stack; below them is the kernel stack for
 * whatever comes from ring 3, and user_leave() cuts it off again.
 */
#include "mini/user.h"

#include "mini/cpu.h"
#include "mini/layout.h"

static struct trap_frame *user_regs;
static struct trap_info left_by;

void syscall_entry(void);                                   /* traps.S */
void user_enter(const struct trap_frame *regs, u64 sysret); /* user.S */
void user_resume(void) __attribute__((noreturn));

void user_init(void)
{
	/* SYSRET adds 8 for SS and 16 for CS to what stands in the upper half. */
	write_msr(MSR_STAR, (u64)(USER_DS - 8) << 48 | (u64)KERNEL_CS << 32);
	write_msr(MSR_LSTAR, (u64)syscall_entry);
	write_msr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
}

struct trap_frame user_frame(va_t rip, va_t rsp)
{
	return (struct trap_frame){
		.rip = rip.v,
		.cs = USER_CS,
		.rflags = RFLAGS_FIXED | RFLAGS_IF,
		.rsp = rsp.v,
		.ss = USER_DS,
	};
}

struct trap_info user_run(struct trap_frame *regs, enum user_way way)
{
	user_regs = regs;
	interrupts_off();
	user_enter(regs, way == USER_SYSRET);
	return left_by;
}

void user_leave(const struct trap_frame *frame, const struct trap_info *info)
{
	*user_regs = *frame;
	left_by = *info;
	user_resume();
}
