// SPDX-License-Identifier: MIT
/*
 * Exceptions at CPL 0 reach the guest's own handlers, with the right error
 * codes and addresses. In passthrough they never leave the guest; virtualized,
 * these tests show that the emulated delivery is the same.
 */
#include "mini/traps.h"

#include "mini/cpu.h"
#include "mini/layout.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"

#define NOT_CANONICAL  0x0000900000000000ul
#define BAD_SELECTOR   0x68 /* beyond the GDT */
#define UNMAPPED_STACK 0x0000600000001000ul

static void breakpoint(void *arg)
{
	(void)arg;
	asm volatile("int3");
}

static void undefined(void *arg)
{
	(void)arg;
	asm volatile("ud2");
}

static void divide(void *arg)
{
	(void)arg;
	asm volatile("xorl %%edx, %%edx; movl $1, %%eax; xorl %%ecx, %%ecx; divl %%ecx" ::
			     : "eax", "ecx", "edx", "cc");
}

static void load_selector(void *arg)
{
	asm volatile("movl %k0, %%es" ::"r"(arg) : "memory");
}

static void load_task(void *arg)
{
	asm volatile("ltr %w0" ::"r"(arg) : "memory");
}

static void read_word(void *arg)
{
	(void)*(volatile u64 *)arg;
}

/* A push to a stack that is not there: #PF, whose own frame has no place either. */
static void no_stack(void *arg)
{
	asm volatile("mov %0, %%rsp; push %%rax" ::"r"(arg) : "memory");
}

static void single_step(void *arg)
{
	(void)arg;
	asm volatile("pushfq; orl %0, (%%rsp); popfq; nop" ::"i"(RFLAGS_TF) : "memory", "cc");
}

TEST(trap_exceptions, "I3")
{
	expect_trap(divide, NULL, TRAP_DE, 0);
	expect_trap(breakpoint, NULL, TRAP_BP, 0);
	expect_trap(undefined, NULL, TRAP_UD, 0);
	expect_trap(load_task, (void *)KERNEL_DS, TRAP_GP, KERNEL_DS); /* no TSS */
	expect_trap(load_selector, (void *)BAD_SELECTOR, TRAP_GP, BAD_SELECTOR);
	expect_trap(read_word, (void *)NOT_CANONICAL, TRAP_GP, 0);
}

TEST(trap_single_step, "I3")
{
	expect_trap(single_step, NULL, TRAP_DB, 0);
	CHECK(!(read_rflags() & RFLAGS_TF), "TF is still set");
	CHECK(read_dr6() & 0x4000, "DR6 is %#lx after a single step", read_dr6());
	write_dr6(0xffff0ff0);
}

TEST(trap_double_fault, "I3")
{
	expect_trap(no_stack, (void *)UNMAPPED_STACK, TRAP_DF, 0);
}

static void catch_inside(void *arg)
{
	struct trap_info inner;

	CHECK(trap_catch(breakpoint, NULL, &inner), "the inner one came to its end");
	*(u64 *)arg = inner.vector;
	undefined(NULL);
}

TEST(trap_nested, "I3")
{
	u64 inner = 0;

	expect_trap(catch_inside, &inner, TRAP_UD, 0);
	CHECK(inner == TRAP_BP, "the inner vector is %lu", inner);
}
