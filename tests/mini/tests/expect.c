// SPDX-License-Identifier: MIT
/*
 * Expected exceptions.
 */
#include "mini/tests/expect.h"

#include "mini/tap.h"

struct trap_info expect_trap(void (*fn)(void *), void *arg, u64 vector, u64 error)
{
	struct trap_info info;

	if (!trap_catch(fn, arg, &info))
		test_fail("no %s came", trap_name(vector));
	if (info.vector >= NR_VECTORS)
		trap_throw(info.vector); /* a check within fn failed */
	CHECK(info.vector == vector && info.error == error,
	      "vector %lu error %#lx at %#lx cr2 %#lx, expected %lu error %#lx", info.vector,
	      info.error, info.rip, info.cr2, vector, error);
	return info;
}

static void read_byte(void *p)
{
	(void)*(volatile char *)p;
}

static void write_byte(void *p)
{
	*(volatile char *)p = 0;
}

static void call(void *p)
{
	asm volatile("call *%0" ::"r"(p) : "memory", "cc");
}

static void expect_fault(void (*fn)(void *), va_t va, u64 error)
{
	struct trap_info info = expect_trap(fn, (void *)va.v, TRAP_PF, error);

	CHECK(info.cr2 == va.v, "CR2 is %#lx after a fault at %#lx", info.cr2, va.v);
}

void expect_read_fault(va_t va, u64 error)
{
	expect_fault(read_byte, va, error);
}

void expect_write_fault(va_t va, u64 error)
{
	expect_fault(write_byte, va, error);
}

void expect_call_fault(va_t va, u64 error)
{
	expect_fault(call, va, error);
}
